"""A key is its terminal's too: what a terminal sends again after a change of shift is the first request, not a second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec
import pytest
from prometheus_client import REGISTRY

from core.domain.permissions import Role
from core.queries import SQL_ROOT
from core.settings import Settings
from core.till.cancels import Cancelled, CancelledUnsold
from core.till.operations import TicketNotFound
from core.till.order import Actor
from core.till.outcomes import Verdict
from core.till.refusals import Refused
from core.till.sales import SaleRequest
from tests.arena import Arena, Seller
from tests.pos import new_key
from tests.till.crowd import crowd, sell_through_both
from tests.till.locks import hold_draw, waiting
from tests.till.shop import Shop, answer_bytes, replayed, sold
from tests.till.state import everything, findings, poll, tickets_count
from tests.till.tickets import actor_for, actor_of, sale, ticket

if TYPE_CHECKING:
    from tests.arena import Owner

ROLES = [Role.VENDEDOR, Role.VENTANA, Role.BANCA, Role.ADMIN]


async def at_the_terminal(arena: Arena, role: Role) -> Actor:
    """Another user of that role, logged in on the first seller's terminal."""
    if role is Role.VENDEDOR:
        return actor_of(arena.sellers[1], terminal=arena.seller.terminal)
    return actor_for(await arena.add_user(role), arena.banca_id, arena.seller.terminal)


def next_shift(arena: Arena, request: SaleRequest) -> SaleRequest:
    """The same bytes from the same terminal, with the second seller logged in."""
    return sale(
        arena.sellers[1],
        request.ticket,
        key=request.key,
        actor=actor_of(arena.sellers[1], terminal=arena.seller.terminal),
    )


async def balance(owner: Owner, seller: Seller) -> int:
    cents: int = await owner.fetchval("SELECT balance_cents FROM accounts WHERE id = $1", seller.id)
    return cents


def batches() -> float:
    return REGISTRY.get_sample_value("till_batch_tickets_count") or 0


def refusal(answer: object) -> str:
    assert isinstance(answer, Refused), answer
    return answer.code


@pytest.mark.parametrize("role", ROLES)
async def test_a_sale_sent_again_after_a_change_of_shift_is_the_first_sellers_ticket(
    owner: Owner, arena: Arena, shop: Shop, other_shop: Shop, role: Role
):
    # With and without the seller's name: the content is what was sent.
    for vendedor_id in (None, arena.seller.id):
        request = sale(arena.seller, ticket(arena.sorteo_id, ("07", 300), ("R07", 100), vendedor_id=vendedor_id))
        first = await shop.sell(request)
        actor = await at_the_terminal(arena, role)
        before = await everything(owner)
        for place in (shop, other_shop):
            again = await place.sell(sale(arena.seller, request.ticket, key=request.key, actor=actor))
            assert replayed(again)
            assert answer_bytes(sold(again)) == answer_bytes(sold(first))
        assert await everything(owner) == before
    assert await balance(owner, arena.sellers[1]) == 0
    assert await findings(owner, arena.banca_id) == []


@pytest.mark.parametrize("role", ROLES)
async def test_other_content_under_a_terminals_key_is_a_mismatch(owner: Owner, arena: Arena, shop: Shop, role: Role):
    request = sale(arena.seller, ticket(arena.sorteo_id, ("07", 100)))
    sold(await shop.sell(request))
    actor = await at_the_terminal(arena, role)
    before = await everything(owner)
    for other in (
        ticket(arena.sorteo_id, ("07", 101), vendedor_id=arena.sellers[1].id),
        # Refused by today's rules before the database is asked.
        ticket(arena.sorteo_id, ("007", 100), vendedor_id=arena.sellers[1].id),
    ):
        answer = await shop.sell(sale(arena.seller, other, key=request.key, actor=actor))
        assert refusal(answer) == "IDEMPOTENCY_PAYLOAD_MISMATCH"
    assert await everything(owner) == before


async def test_a_key_that_names_one_ticket_by_its_seller_and_another_by_its_terminal_names_none(
    owner: Owner, arena: Arena, shop: Shop, other_shop: Shop
):
    key, asked = new_key(), ticket(arena.sorteo_id)
    first, second = arena.sellers
    elsewhere = actor_of(first, terminal=await arena.add_terminal())
    both = [
        sold(await shop.sell(sale(first, asked, key=key, actor=elsewhere))),
        sold(await shop.sell(sale(second, asked, key=key, actor=actor_of(second, terminal=first.terminal)))),
    ]
    assert both[0].id != both[1].id
    assert refusal(await shop.sell(sale(first, asked, key=key))) == "IDEMPOTENCY_PAYLOAD_MISMATCH"
    assert refusal(await shop.cancel(first, sale_key=key)) == "IDEMPOTENCY_PAYLOAD_MISMATCH"
    await owner.execute("UPDATE loterias SET is_active = false")
    # A process that reads the rules anew refuses before it asks the till: the key still comes first.
    assert refusal(await other_shop.sell(sale(first, asked, key=key))) == "IDEMPOTENCY_PAYLOAD_MISMATCH"
    assert await owner.fetchval("SELECT count(*) FROM tickets WHERE status = 'ACTIVE'") == 2
    # Each of the two is still known by the name that it alone has.
    again = await shop.sell(sale(first, asked, key=key, actor=elsewhere))
    assert (sold(again).id, replayed(again)) == (both[0].id, True)


async def test_a_cancel_that_came_first_elsewhere_does_not_answer_for_the_terminals_ticket(
    owner: Owner, arena: Arena, shop: Shop
):
    key, asked = new_key(), ticket(arena.sorteo_id)
    first, second = arena.sellers
    elsewhere = actor_of(first, terminal=await arena.add_terminal())
    assert isinstance(await shop.cancel(first, sale_key=key, actor=elsewhere), CancelledUnsold)
    sold(await shop.sell(sale(second, asked, key=key, actor=actor_of(second, terminal=first.terminal))))
    assert refusal(await shop.cancel(first, sale_key=key)) == "IDEMPOTENCY_PAYLOAD_MISMATCH"
    assert refusal(await shop.sell(sale(first, asked, key=key))) == "IDEMPOTENCY_PAYLOAD_MISMATCH"
    assert await owner.fetchval("SELECT status FROM tickets") == "ACTIVE"
    assert await findings(owner, arena.banca_id) == []


async def test_the_same_key_of_two_sellers_on_two_terminals_is_two_tickets_still(
    owner: Owner, arena: Arena, shop: Shop
):
    key = new_key()
    for seller in arena.sellers:
        assert not replayed(await shop.sell(sale(seller, ticket(arena.sorteo_id), key=key)))
    assert await tickets_count(owner) == 2


async def test_a_sale_under_way_is_waited_for_by_the_next_shift(
    owner: Owner, arena: Arena, shops: list[Shop], intruder: Owner
):
    request = sale(arena.seller, ticket(arena.sorteo_id))
    for place in (0, 1):
        held = await hold_draw(intruder, arena.sorteo_id)
        first = asyncio.create_task(shops[0].sell(request))
        await waiting(owner)
        # In the same process it waits behind the first, in another one for the draw.
        second = asyncio.create_task(shops[place].sell(next_shift(arena, request)))
        if place == 1:
            await waiting(owner, calls=2)
        await held.rollback()
        answers = [await first, await second]
        assert [replayed(answer) for answer in answers] == [False, True]
        assert len({answer_bytes(sold(answer)) for answer in answers}) == 1
        request = sale(arena.seller, ticket(arena.sorteo_id))
    assert await tickets_count(owner) == 2
    assert await balance(owner, arena.sellers[1]) == 0
    assert await findings(owner, arena.banca_id) == []


async def test_one_key_of_one_terminal_in_one_batch_is_sold_once(owner: Owner, arena: Arena, shop: Shop):
    request = sale(arena.seller, ticket(arena.sorteo_id, ("07", 100)))
    later = next_shift(arena, request)
    other = next_shift(arena, sale(arena.seller, ticket(arena.sorteo_id, ("08", 100)), key=request.key))
    neighbour = sale(arena.sellers[1], ticket(arena.sorteo_id, ("09", 100)))
    before = batches()
    answers = await shop.counter.sell_all([request, later, other, neighbour])
    # Of one key there is one ticket a batch: none fails over it and is halved.
    assert batches() - before == 3
    assert [replayed(answers[0]), replayed(answers[1])] == [False, True]
    assert answer_bytes(sold(answers[0])) == answer_bytes(sold(answers[1]))
    assert refusal(answers[2]) == "IDEMPOTENCY_PAYLOAD_MISMATCH"
    assert not replayed(answers[3])
    assert await tickets_count(owner) == 2
    assert await findings(owner, arena.banca_id) == []


async def test_many_of_two_sellers_at_one_terminal_through_two_processes_are_one_ticket(
    owner: Owner, arena: Arena, shops: list[Shop]
):
    request = sale(arena.seller, ticket(arena.sorteo_id, ("07", 300), ("12", 50)))
    # Every shop gets both sellers' in turn.
    requests = [(request, request, next_shift(arena, request), next_shift(arena, request))[n % 4] for n in range(200)]
    answers = await sell_through_both(shops, requests)
    assert len({answer_bytes(sold(answer)) for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1
    assert await tickets_count(owner) == 1
    assert await findings(owner, arena.banca_id) == []


async def test_a_refusal_is_told_the_next_shift_again(owner: Owner, settings: Settings, shop: Shop):
    arena = await crowd(owner, settings, sellers=2, number_cap_cents=99)
    request = sale(arena.seller, ticket(arena.sorteo_id, ("07", 100)))
    first = await shop.sell(request)
    assert refusal(first) == "NUMBER_MAXTOTAL_EXCEEDED"
    await owner.execute("UPDATE bancas SET global_max_per_number_cents = NULL")
    again = await shop.sell(next_shift(arena, request))
    assert isinstance(again, Refused)
    assert again.replayed
    assert isinstance(first, Refused)
    assert (again.code, again.detail, again.violations) == (first.code, first.detail, first.violations)
    assert await tickets_count(owner) == 0


REFUSED_TODAY = {
    "the loteria is inactive": "UPDATE loterias SET is_active = false",
    "the number is blocked": "UPDATE bancas SET global_max_per_number_cents = 0",
    "the draw is closed": "UPDATE sorteos SET status = 'CLOSED'",
    "the draw is not open": "UPDATE sorteos SET status = 'SCHEDULED'",
    "the first seller is disabled": "UPDATE users SET is_active = false WHERE id = $1",
}


@pytest.mark.parametrize("change", REFUSED_TODAY.values(), ids=REFUSED_TODAY)
async def test_the_next_shift_gets_the_ticket_whatever_todays_rules_say(
    owner: Owner, arena: Arena, shop: Shop, change: str
):
    request = sale(arena.seller, ticket(arena.sorteo_id, vendedor_id=arena.seller.id))
    first = sold(await shop.sell(request))
    await owner.execute(change, *([arena.seller.id] if "$1" in change else []))
    for _ in range(2):
        again = await shop.sell(next_shift(arena, request))
        assert answer_bytes(sold(again)) == answer_bytes(first)
        # From here on the process knows today's rules.
        await shop.sell(sale(arena.sellers[1], ticket(arena.sorteo_id)))


@asynccontextmanager
async def holding(intruder: Owner, statement: str) -> AsyncIterator[None]:
    """Hold the lock that the statement takes."""
    transaction = intruder.transaction()
    await transaction.start()
    await intruder.execute(statement)
    yield
    await transaction.rollback()


async def test_a_terminals_key_that_two_processes_insert_at_once_is_judged_again(
    owner: Owner, arena: Arena, shop: Shop, other_shop: Shop, intruder: Owner
):
    # Two sellers, two draws: no lock is shared, only the terminal's key is.
    key = new_key()
    requests = [
        sale(arena.seller, ticket(arena.sorteo_id), key=key),
        next_shift(arena, sale(arena.seller, ticket(await arena.add_sorteo(minutes=2_000)), key=key)),
    ]
    # A sale waits here, with its locks and before its key is written.
    async with holding(intruder, "LOCK TABLE outbox IN SHARE MODE"):
        selling = [
            asyncio.create_task(place.record([one])) for place, one in zip((shop, other_shop), requests, strict=True)
        ]
        await waiting(owner, calls=2)
    verdicts = [(await one)[0].verdict for one in selling]
    assert sorted(verdicts) == [Verdict.MISMATCH, Verdict.SOLD]
    assert await tickets_count(owner) == 1
    assert await findings(owner, arena.banca_id) == []


async def test_a_sale_that_meets_the_next_shifts_tombstone_sells_nothing(
    owner: Owner, arena: Arena, shop: Shop, other_shop: Shop, intruder: Owner
):
    request = sale(arena.seller, ticket(arena.sorteo_id))
    async with holding(intruder, "LOCK TABLE outbox IN SHARE MODE"):
        selling = asyncio.create_task(shop.sell(request))
        await waiting(owner)
        actor = actor_of(arena.sellers[1], terminal=arena.seller.terminal)
        cancelled = await other_shop.cancel(arena.sellers[1], sale_key=request.key, actor=actor)
        assert isinstance(cancelled, CancelledUnsold)
    assert refusal(await selling) == "CANCELLED_BEFORE_SALE"
    assert await tickets_count(owner) == 0
    assert await findings(owner, arena.banca_id) == []


# A sale stops here once its key is written, and before it commits.
STOP_AFTER_THE_KEY = """
CREATE FUNCTION wait_for_the_test() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(4711);
    RETURN NULL;
END $$;
CREATE TRIGGER wait_for_the_test AFTER INSERT ON idempotency
    FOR EACH ROW WHEN (NEW.outcome = 'SOLD') EXECUTE FUNCTION wait_for_the_test();
"""


async def test_a_cancel_of_the_next_shift_that_meets_an_uncommitted_sale_takes_it_back(
    owner: Owner, arena: Arena, shop: Shop, other_shop: Shop, intruder: Owner
):
    await owner.execute(STOP_AFTER_THE_KEY)
    request = sale(arena.seller, ticket(arena.sorteo_id))
    async with holding(intruder, "SELECT pg_advisory_xact_lock(4711)"):
        selling = asyncio.create_task(shop.sell(request))
        await waiting(owner)
        actor = actor_of(arena.sellers[1], terminal=arena.seller.terminal)
        cancelling = asyncio.create_task(other_shop.cancel(arena.sellers[1], sale_key=request.key, actor=actor))
        await waiting(owner, calls=2)
    ticket_sold, answer = sold(await selling), await cancelling
    assert isinstance(answer, Cancelled), answer
    assert answer.record.id == ticket_sold.id
    assert await balance(owner, arena.seller) == 0
    assert await findings(owner, arena.banca_id) == []


@pytest.mark.parametrize("role", ROLES)
async def test_the_terminal_takes_back_what_it_sold_whoever_is_logged_in(
    owner: Owner, arena: Arena, shop: Shop, role: Role
):
    request = sale(arena.seller, ticket(arena.sorteo_id, ("07", 300)))
    first = sold(await shop.sell(request))
    actor = await at_the_terminal(arena, role)
    key = new_key()
    answer = await shop.cancel(arena.sellers[1], sale_key=request.key, key=key, actor=actor)
    assert isinstance(answer, Cancelled), answer
    assert (answer.record.id, answer.replayed) == (first.id, False)
    assert await owner.fetchval("SELECT cancelled_by FROM tickets") == actor.user_id
    assert (await balance(owner, arena.seller), await balance(owner, arena.sellers[1])) == (0, 0)
    assert shop.balances[-1][:2] == (arena.seller.id, 0)
    # The seller himself asks again with the key of that cancel: it is done.
    again = await shop.cancel(arena.seller, sale_key=request.key, key=key)
    assert isinstance(again, Cancelled)
    assert (again.record.id, again.at, again.replayed) == (first.id, answer.at, True)
    assert await findings(owner, arena.banca_id) == []


async def test_another_terminal_does_not_know_the_key(owner: Owner, arena: Arena, shop: Shop):
    request = sale(arena.seller, ticket(arena.sorteo_id))
    sold(await shop.sell(request))
    other = arena.sellers[1]
    assert isinstance(await shop.cancel(other, sale_key=request.key), CancelledUnsold)
    assert await owner.fetchval("SELECT status FROM tickets") == "ACTIVE"
    assert refusal(await shop.sell(sale(other, request.ticket, key=request.key))) == "CANCELLED_BEFORE_SALE"


async def test_a_tombstone_is_the_terminals_too(owner: Owner, arena: Arena, shop: Shop):
    request = sale(arena.seller, ticket(arena.sorteo_id))
    actor = actor_of(arena.sellers[1], terminal=arena.seller.terminal)
    key = new_key()
    cancelled = await shop.cancel(arena.sellers[1], sale_key=request.key, key=key, actor=actor)
    assert isinstance(cancelled, CancelledUnsold)
    assert refusal(await shop.sell(request)) == "CANCELLED_BEFORE_SALE"
    # The cancel itself, sent again by the first seller, and another cancel of the same sale.
    for again_key, is_replay in ((key, True), (new_key(), False)):
        again = await shop.cancel(arena.seller, sale_key=request.key, key=again_key)
        assert isinstance(again, CancelledUnsold)
        assert again.replayed is is_replay
    # On a terminal of its own, the first seller's key is another key.
    elsewhere = actor_of(arena.seller, terminal=await arena.add_terminal())
    assert not replayed(await shop.sell(sale(arena.seller, request.ticket, key=request.key, actor=elsewhere)))
    assert await tickets_count(owner) == 1


async def test_a_sale_that_was_refused_has_nothing_to_cancel_for_the_next_shift(
    owner: Owner, settings: Settings, shop: Shop
):
    arena = await crowd(owner, settings, sellers=2, number_cap_cents=99)
    request = sale(arena.seller, ticket(arena.sorteo_id, ("07", 100)))
    await shop.sell(request)
    actor = actor_of(arena.sellers[1], terminal=arena.seller.terminal)
    assert refusal(await shop.cancel(arena.sellers[1], sale_key=request.key, actor=actor)) == "SALE_WAS_REFUSED"


async def test_a_cancel_sent_again_after_a_change_of_shift_is_told_what_it_did(owner: Owner, arena: Arena, shop: Shop):
    ticket_id = sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id)))).id
    other_id = sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id)))).id
    key = new_key()
    first = await shop.cancel(arena.seller, ticket_id=ticket_id, key=key)
    assert isinstance(first, Cancelled)
    before = await everything(owner)
    actor = actor_of(arena.sellers[1], terminal=arena.seller.terminal)
    again = await shop.cancel(arena.sellers[1], ticket_id=ticket_id, key=key, actor=actor)
    assert isinstance(again, Cancelled)
    assert (again.record.id, again.at, again.replayed) == (first.record.id, first.at, True)
    # The key opens nothing else of the first seller's.
    other = await shop.cancel(arena.sellers[1], ticket_id=other_id, key=key, actor=actor)
    assert refusal(other) == "IDEMPOTENCY_PAYLOAD_MISMATCH"
    assert isinstance(await shop.cancel(arena.sellers[1], ticket_id=other_id, actor=actor), TicketNotFound)
    assert await everything(owner) == before


async def test_who_may_not_act_at_the_terminal_is_not_told_what_it_did(owner: Owner, arena: Arena, shop: Shop):
    request = sale(arena.seller, ticket(arena.sorteo_id))
    sold(await shop.sell(request))
    actor = actor_of(arena.sellers[1], terminal=arena.seller.terminal)
    await owner.execute(
        "UPDATE sessions SET revoked_at = now(), revoked_reason = 'logout' WHERE id = $1", actor.session_id
    )
    assert refusal(await shop.sell(next_shift(arena, request))) == "SESSION_REVOKED"
    assert refusal(await shop.cancel(arena.sellers[1], sale_key=request.key, actor=actor)) == "SESSION_REVOKED"
    await owner.execute("UPDATE sessions SET revoked_at = NULL, revoked_reason = NULL")
    # A ventana of its own, at a terminal of another's.
    await owner.execute(
        "UPDATE users SET ventana_id = $2 WHERE id = $1", arena.sellers[1].id, await arena.add_ventana()
    )
    assert refusal(await shop.sell(next_shift(arena, request))) == "TERMINAL_MISMATCH"
    assert refusal(await shop.cancel(arena.sellers[1], sale_key=request.key, actor=actor)) == "TERMINAL_MISMATCH"
    assert await owner.fetchval("SELECT status FROM tickets") == "ACTIVE"


async def test_what_speaks_against_one_session_is_not_said_to_another_that_sends_the_same(
    owner: Owner, arena: Arena, shop: Shop, intruder: Owner
):
    """A seller logs in anew, or on another terminal, while the first attempt is under way."""

    async def both_are_taken() -> bool:
        return shop.till._waiting == 2

    disabled, revoked = await arena.add_terminal(), arena.seller.session_id
    await owner.execute("UPDATE terminals SET is_active = false WHERE id = $1", disabled.id)
    session_id = await arena.add_session(arena.seller.id, arena.banca_id)
    fresh = msgspec.structs.replace(actor_of(arena.seller), session_id=session_id)
    for first in (actor_of(arena.seller), actor_of(arena.seller, terminal=disabled)):
        await owner.execute("UPDATE sessions SET revoked_at = now(), revoked_reason = 'logout' WHERE id = $1", revoked)
        request = sale(arena.seller, ticket(arena.sorteo_id), actor=first)
        held = await hold_draw(intruder, arena.sorteo_id)
        earlier = asyncio.create_task(shop.sell(request))
        await waiting(owner)
        later = asyncio.create_task(shop.sell(sale(arena.seller, request.ticket, key=request.key, actor=fresh)))
        # It was priced and waits in line: the till has taken both.
        await poll(both_are_taken)
        await held.rollback()
        assert refusal(await earlier) in ("SESSION_REVOKED", "TERMINAL_DISABLED")
        assert not replayed(await later)
    assert await tickets_count(owner) == 2


async def test_an_upgrade_gives_the_tickets_of_the_last_days_their_terminals(owner: Owner, arena: Arena, shop: Shop):
    request = sale(arena.seller, ticket(arena.sorteo_id))
    first = sold(await shop.sell(request))
    # As the previous release left it: keys without terminals, and one key of two sellers on one terminal.
    await owner.execute("DROP INDEX idempotency_by_terminal")
    await owner.execute("UPDATE idempotency SET terminal_id = NULL")
    twice = sold(await shop.sell(sale(arena.sellers[1], request.ticket, key=request.key)))
    await owner.execute("UPDATE idempotency SET terminal_id = NULL")
    async with owner.transaction():
        await owner.execute("SET LOCAL session_replication_role = replica")
        await owner.execute("UPDATE tickets SET terminal_id = $2 WHERE id = $1", twice.id, arena.seller.terminal.id)
    for name in ("terminals_of_known_keys", "one_use_of_a_terminals_key"):
        [path] = (SQL_ROOT / "migrations").glob(f"*_{name}.sql")
        await owner.execute(path.read_text())
    assert await owner.fetchval("SELECT count(*) FROM idempotency WHERE terminal_id IS NULL") == 1
    third = await arena.add_seller()
    again = await shop.sell(
        sale(third, request.ticket, key=request.key, actor=actor_of(third, terminal=arena.seller.terminal))
    )
    assert (sold(again).id, replayed(again)) == (first.id, True)
