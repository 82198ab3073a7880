"""What goes wrong on the way: one bad ticket, a lost connection, a full queue, rules that change meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
import pytest

from core.database import DatabaseUnavailableError, OutcomeUnknownError
from core.domain.money import Cents
from core.domain.rulebook import Rulebook
from core.rulebooks import RulebookStore
from core.till.cancels import Cancelled, CancelledUnsold
from core.till.order import SaleOrder
from core.till.outcomes import Verdict
from core.till.refusals import Refused
from core.till.sales import PriceKeepsChangingError, SaleAnswer, SaleRequest, Sold
from core.till.till import TillClosedError, TillFullError
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.pos import new_key
from tests.proxy import Proxy
from tests.till.shop import Shop, answer_bytes, open_shop, sold
from tests.till.state import everything, findings, poll, row_counts, tickets_count, waiting
from tests.till.tickets import sale, ticket

if TYPE_CHECKING:
    from tests.arena import Owner

    Connection = asyncpg.Connection[asyncpg.Record]

# Raises the SQLSTATE for the first so many sales; a sequence is not rolled back.
STUMBLE = """
CREATE SEQUENCE stumbles;
GRANT USAGE ON SEQUENCE stumbles TO banca_definer;
CREATE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('stumbles') <= {times} THEN
        RAISE EXCEPTION 'stumbled' USING ERRCODE = '{sqlstate}';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER outbox_stumbles AFTER INSERT ON outbox FOR EACH STATEMENT EXECUTE FUNCTION stumble();
"""


def with_ticket(order: SaleOrder, **changes: object) -> SaleOrder:
    request = replace(order.priced.request, **changes)  # type: ignore[arg-type] # named by the table below
    return replace(order, priced=replace(order.priced, request=request))


def with_jugada(order: SaleOrder, **changes: object) -> SaleOrder:
    jugada = order.priced.jugadas[0]._replace(**changes)  # type: ignore[arg-type] # named by the table below
    return replace(order, priced=replace(order.priced, jugadas=(jugada,)))


# What the API never lets through, each at another gate of the database.
POISONS: dict[str, Callable[[SaleOrder], SaleOrder]] = {
    "a name of 101 characters": lambda order: with_ticket(order, cliente_nombre="x" * 101),
    "no name": lambda order: with_ticket(order, cliente_nombre=""),
    "a name with a NUL": lambda order: with_ticket(order, cliente_nombre="a\0b"),
    "a name that is no UTF-8": lambda order: with_ticket(order, cliente_nombre="\ud800"),
    "an amount of 0": lambda order: with_jugada(order, amount_cents=0),
    "a total of 0": lambda order: replace(order, priced=replace(order.priced, total_cents=Cents(0))),
    "a number of 1000": lambda order: with_jugada(order, number=1_000),
    "a number wider than its column": lambda order: with_jugada(order, number=70_000),
    "an amount wider than its column": lambda order: with_jugada(order, amount_cents=2**63),
    "a commission above the amount": lambda order: with_jugada(order, commission_cents=101),
    "a key of 7 characters": lambda order: replace(order, key="k" * 7),
    "a role that is none": lambda order: replace(order, actor=replace(order.actor, role="NOBODY")),
}


async def orders_of(arena: Arena, shop: Shop, count: int) -> list[SaleOrder]:
    return [await shop.order(sale(arena.sellers[n % 2], ticket(arena.sorteo_id))) for n in range(count)]


@pytest.mark.parametrize("poison", POISONS.values(), ids=POISONS)
async def test_a_poisonous_ticket_is_rejected_alone(
    owner: Owner, arena: Arena, shop: Shop, poison: Callable[[SaleOrder], SaleOrder]
):
    orders = await orders_of(arena, shop, 8)
    orders[5] = poison(orders[5])
    outcomes = await shop.recorder.record(arena.banca_id, orders)
    assert [outcome.verdict for outcome in outcomes] == [Verdict.SOLD] * 5 + [Verdict.REJECTED] + [Verdict.SOLD] * 2
    assert [outcome.place.sequence for outcome in outcomes if outcome.place] == [1, 2, 3, 4, 5, 6, 7]
    assert await owner.fetchval("SELECT count(*) FROM idempotency") == 7
    assert await findings(owner, arena.banca_id) == []


@pytest.mark.parametrize("places", [(0,), (7,), (0, 7), (3, 4), tuple(range(8))])
async def test_wherever_poison_is_in_a_batch_the_others_are_sold(
    owner: Owner, arena: Arena, shop: Shop, places: tuple[int, ...]
):
    orders = await orders_of(arena, shop, 8)
    for place in places:
        orders[place] = with_jugada(orders[place], amount_cents=0)
    outcomes = await shop.recorder.record(arena.banca_id, orders)
    assert [n for n, outcome in enumerate(outcomes) if outcome.verdict is Verdict.REJECTED] == list(places)
    assert await tickets_count(owner) == 8 - len(places)
    assert await findings(owner, arena.banca_id) == []


async def test_a_rejected_ticket_is_refused_and_its_key_stays_free(owner: Owner, arena: Arena, shop: Shop):
    key = new_key()
    answer = await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, cliente="x" * 101), key=key))
    assert isinstance(answer, Refused)
    assert (answer.code, answer.recorded) == ("TICKET_REJECTED", False)
    assert sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id), key=key))).sequence == 1


async def test_trouble_in_the_second_half_of_a_poisoned_batch_leaves_every_outcome_unknown_and_every_key_definite(
    owner: Owner, arena: Arena, database: TestDatabase
):
    # The batch of four is refused as data, the half after it is not taken at all.
    await owner.execute(STUMBLE.format(times=0, sqlstate="40001"))
    await owner.execute(
        "CREATE OR REPLACE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF nextval('stumbles') = 2 THEN RAISE EXCEPTION 'no' USING ERRCODE = '53100'; END IF; RETURN NULL; END $$"
    )
    async with open_shop(database.api_url) as shop:
        requests = [sale(arena.seller, ticket(arena.sorteo_id)) for _ in range(4)]
        orders = [await shop.order(request) for request in requests]
        poisoned = [orders[0], with_jugada(orders[1], amount_cents=0), *orders[2:]]
        with pytest.raises(OutcomeUnknownError):
            await shop.recorder.record(arena.banca_id, poisoned)
        assert await tickets_count(owner) == 1
        outcomes = await shop.recorder.record(arena.banca_id, orders)
    assert [outcome.verdict for outcome in outcomes] == [Verdict.KNOWN] + [Verdict.SOLD] * 3
    assert await findings(owner, arena.banca_id) == []


@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
async def test_a_batch_that_loses_a_conflict_is_repeated(owner: Owner, arena: Arena, shop: Shop, sqlstate: str):
    await owner.execute(STUMBLE.format(times=3, sqlstate=sqlstate))
    assert sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id)))).sequence == 1
    assert await owner.fetchval("SELECT last_value FROM stumbles") == 4
    assert await findings(owner, arena.banca_id) == []


async def test_a_batch_that_keeps_losing_is_given_up_with_nothing_written(owner: Owner, arena: Arena, shop: Shop):
    await owner.execute(STUMBLE.format(times=99, sqlstate="40001"))
    before = await everything(owner)
    with pytest.raises(DatabaseUnavailableError):
        await shop.sell(sale(arena.seller, ticket(arena.sorteo_id)))
    assert await owner.fetchval("SELECT last_value FROM stumbles") == 4, "one attempt and three repetitions"
    assert await everything(owner) == before


@pytest.mark.parametrize("sqlstate", ["53100", "XX000", "42501"])
async def test_trouble_of_the_database_is_neither_repeated_nor_bisected(
    owner: Owner, arena: Arena, shop: Shop, sqlstate: str
):
    await owner.execute(STUMBLE.format(times=99, sqlstate=sqlstate))
    requests = [sale(arena.seller, ticket(arena.sorteo_id)) for _ in range(8)]
    answers = await shop.counter.sell_all(requests)
    assert [type(answer) for answer in answers] == [DatabaseUnavailableError] * 8
    assert await owner.fetchval("SELECT last_value FROM stumbles") == 1
    assert await tickets_count(owner) == 0


async def test_a_real_deadlock_costs_the_sale_a_repetition_only(
    owner: Owner, arena: Arena, database: TestDatabase, intruder: Connection
):
    # The sale notices first and is the one that is rolled back.
    name = await owner.fetchval("SELECT current_database()")
    await owner.execute(f"ALTER DATABASE {name} SET deadlock_timeout = '20ms'")
    await intruder.execute("SET deadlock_timeout = '60s'")
    async with open_shop(database.api_url) as shop:
        transaction = intruder.transaction()
        await transaction.start()
        await intruder.execute("SELECT 1 FROM accounts WHERE id = $1 FOR UPDATE", arena.seller.id)
        selling = asyncio.create_task(shop.sell(sale(arena.seller, ticket(arena.sorteo_id))))
        await waiting(owner)
        await intruder.execute("SELECT 1 FROM sorteos WHERE id = $1 FOR UPDATE", arena.sorteo_id)
        await transaction.commit()
        assert sold(await selling).sequence == 1
    assert await deadlocks(owner) == 1
    assert await findings(owner, arena.banca_id) == []


async def deadlocks(owner: Owner) -> int:
    async def check() -> int:
        count: int = await owner.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return count

    found: int = await poll(check)
    return found


async def test_a_connection_killed_during_the_call_leaves_definite_answers_to_the_same_keys(
    owner: Owner, arena: Arena, shop: Shop, intruder: Connection
):
    requests = [sale(arena.sellers[n % 2], ticket(arena.sorteo_id)) for n in range(6)]
    transaction = intruder.transaction()
    await transaction.start()
    await intruder.execute("SELECT 1 FROM sorteos WHERE id = $1 FOR UPDATE", arena.sorteo_id)
    selling = asyncio.create_task(shop.counter.sell_all(requests))
    [pid] = await waiting(owner)
    await owner.execute("SELECT pg_terminate_backend($1)", pid)
    assert [type(answer) for answer in await selling] == [OutcomeUnknownError] * 6
    await transaction.rollback()
    answers = await shop.counter.sell_all(requests)
    assert [sold(answer).sequence for answer in answers] == [1, 2, 3, 4, 5, 6]
    assert await findings(owner, arena.banca_id) == []


async def test_an_answer_lost_after_the_commit_is_found_again_by_its_keys(
    owner: Owner, arena: Arena, database: TestDatabase, shop: Shop, intruder: Connection
):
    requests = [sale(arena.sellers[n % 2], ticket(arena.sorteo_id)) for n in range(6)]
    transaction = intruder.transaction()
    await transaction.start()
    await intruder.execute("SELECT 1 FROM sorteos WHERE id = $1 FOR UPDATE", arena.sorteo_id)
    async with Proxy(database.api_url) as proxy, open_shop(proxy.url) as cut_off:
        selling = asyncio.create_task(cut_off.counter.sell_all(requests))
        await waiting(owner)
        proxy.freeze()
        await transaction.rollback()
        await poll(lambda: tickets_count(owner))
        await proxy.cut()
        assert [type(answer) for answer in await selling] == [OutcomeUnknownError] * 6
        answers = await shop.counter.sell_all(requests)
        assert [(sold(answer).sequence, replayed(answer)) for answer in answers] == [(n, True) for n in range(1, 7)]
        await proxy.mend()
        again = await cut_off.counter.sell_all(requests)
        assert [answer_bytes(sold(one)) for one in again] == [answer_bytes(sold(one)) for one in answers]
    assert await tickets_count(owner) == 6
    assert await findings(owner, arena.banca_id) == []


def replayed(answer: SaleAnswer | BaseException) -> bool:
    return isinstance(answer, Sold) and answer.replayed


async def test_a_call_that_takes_too_long_leaves_definite_answers_to_the_same_keys(
    owner: Owner, arena: Arena, database: TestDatabase, intruder: Connection
):
    request = sale(arena.seller, ticket(arena.sorteo_id))
    async with open_shop(database.api_url, timeout_s=0.2) as shop:
        await shop.rulebooks.rulebook(arena.banca_id)
        transaction = intruder.transaction()
        await transaction.start()
        await intruder.execute("SELECT 1 FROM sorteos WHERE id = $1 FOR UPDATE", arena.sorteo_id)
        with pytest.raises(OutcomeUnknownError):
            await shop.sell(request)
        await transaction.rollback()
        assert sold(await shop.sell(request)).sequence == 1
    assert await tickets_count(owner) == 1


async def test_a_database_that_cannot_be_reached_is_unavailable_and_serves_again_when_it_can(
    owner: Owner, arena: Arena, database: TestDatabase
):
    async with Proxy(database.api_url) as proxy, open_shop(proxy.url) as shop:
        requests = [sale(arena.seller, ticket(arena.sorteo_id)) for _ in range(3)]
        orders = [await shop.order(request) for request in requests]
        await proxy.cut()
        # A call on a connection whose end was not noticed yet would be of unknown outcome, and rightly so.
        await poll(no_connections_of(shop))
        answers = await shop.till.submit_all(orders)
        assert [type(answer) for answer in answers] == [DatabaseUnavailableError] * 3
        with pytest.raises(DatabaseUnavailableError):
            await shop.cancel(arena.seller, sale_key=requests[0].key)
        await proxy.mend()
        assert [sold(answer).sequence for answer in await shop.counter.sell_all(requests)] == [1, 2, 3]


def no_connections_of(shop: Shop) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return shop.pool.get_size() == 0

    return check


@pytest.mark.parametrize("wrong", ["port", "password", "database"])
async def test_a_pool_that_cannot_connect_is_unavailable(arena: Arena, shop: Shop, database: TestDatabase, wrong: str):
    order = await shop.order(sale(arena.seller, ticket(arena.sorteo_id)))
    url = {
        "port": "postgresql://banca_api:x@127.0.0.1:1/nowhere",
        "password": database.api_url.replace("api-of-the-tests", "another"),
        "database": database.api_url + "_no_more",
    }[wrong]
    if wrong == "password" and await trusts(url):
        pytest.skip("this server asks nobody for a password")
    async with open_shop(url) as far_shop:
        [answer] = await far_shop.till.submit_all([order])
        assert isinstance(answer, DatabaseUnavailableError)


async def trusts(url: str) -> bool:
    try:
        await (await asyncpg.connect(url)).close()
    except asyncpg.InvalidPasswordError:
        return False
    return True


async def test_a_full_till_refuses_what_does_not_fit_and_writes_none_of_it(
    owner: Owner, arena: Arena, database: TestDatabase, intruder: Connection
):
    async with open_shop(database.api_url, queue_tickets_max=5) as shop:
        transaction = intruder.transaction()
        await transaction.start()
        await intruder.execute("SELECT 1 FROM sorteos WHERE id = $1 FOR UPDATE", arena.sorteo_id)
        orders = await orders_of(arena, shop, 12)
        selling = asyncio.create_task(shop.till.submit_all(orders[:4]))
        await waiting(owner)
        # Together or not at all: two do not fit where one would.
        assert [type(answer) for answer in await shop.till.submit_all(orders[4:6])] == [TillFullError] * 2
        fits = asyncio.create_task(shop.till.submit_all(orders[6:7]))
        await asyncio.sleep(0)
        assert [type(answer) for answer in await shop.till.submit_all(orders[7:8])] == [TillFullError]
        await transaction.rollback()
        await asyncio.gather(selling, fits)
        assert await tickets_count(owner) == 5
        await shop.till.submit_all(orders[8:12])
    assert await tickets_count(owner) == 9, "an emptied till takes more"


async def test_a_seller_who_hangs_up_gets_the_ticket_recorded_all_the_same(
    owner: Owner, arena: Arena, shop: Shop, intruder: Connection
):
    request, late = (sale(arena.seller, ticket(arena.sorteo_id)) for _ in range(2))
    await shop.rulebooks.rulebook(arena.banca_id)
    transaction = intruder.transaction()
    await transaction.start()
    await intruder.execute("SELECT 1 FROM sorteos WHERE id = $1 FOR UPDATE", arena.sorteo_id)
    selling = asyncio.create_task(shop.sell(request))
    await waiting(owner)
    # One in flight, one still in the queue.
    order = await shop.order(late)
    queueing = asyncio.create_task(shop.till.submit_all([order]))
    await asyncio.sleep(0)
    for task in (selling, queueing):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await transaction.rollback()
    answers = await shop.counter.sell_all([request, late])
    assert [replayed(answer) for answer in answers] == [True, True]
    assert await tickets_count(owner) == 2


async def test_a_cancel_whose_caller_hangs_up_is_done_all_the_same(
    owner: Owner, arena: Arena, shop: Shop, intruder: Connection
):
    record, key = sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id)))), new_key()
    transaction = intruder.transaction()
    await transaction.start()
    await intruder.execute("SELECT 1 FROM sorteos WHERE id = $1 FOR UPDATE", arena.sorteo_id)
    cancelling = asyncio.create_task(shop.cancel(arena.seller, ticket_id=record.id, key=key))
    await waiting(owner)
    cancelling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelling
    await transaction.rollback()
    answer = await shop.cancel(arena.seller, ticket_id=record.id, key=key)
    assert isinstance(answer, Cancelled)
    assert answer.replayed


async def test_closing_the_till_answers_all_that_waits_and_takes_nothing_more(
    owner: Owner, arena: Arena, database: TestDatabase, intruder: Connection
):
    async with open_shop(database.api_url, batch_tickets_max=4) as shop:
        orders = await orders_of(arena, shop, 10)
        transaction = intruder.transaction()
        await transaction.start()
        await intruder.execute("SELECT 1 FROM sorteos WHERE id = $1 FOR UPDATE", arena.sorteo_id)
        selling = asyncio.create_task(shop.till.submit_all(orders))
        await waiting(owner)
        closing = asyncio.create_task(shop.till.close())
        await asyncio.sleep(0)
        late = await shop.till.submit_all(await orders_of(arena, shop, 1))
        assert [type(answer) for answer in late] == [TillClosedError]
        await transaction.rollback()
        await closing
        assert selling.done() or await selling
        assert await tickets_count(owner) == 10
    with pytest.raises(TillClosedError):
        await shop.sell(sale(arena.seller, ticket(arena.sorteo_id)))


class CountingStore(RulebookStore):
    """Counts how often the rulebook was asked for anew."""

    reloads = 0

    async def reload(self, banca_id: UUID, *, older_than: int | None) -> Rulebook:
        self.reloads += older_than is not None
        return await super().reload(banca_id, older_than=older_than)


async def test_a_stale_price_is_made_again_with_the_rules_of_now(owner: Owner, arena: Arena, database: TestDatabase):
    async with open_shop(database.api_url, rulebooks=CountingStore) as shop:
        first = sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id))))
        await owner.execute(
            'UPDATE users SET commission_policy = \'{"version": 1, "defaultPercent": "10", "rules": []}\''
            " WHERE id = $1",
            arena.seller.id,
        )
        second = sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id))))
        assert isinstance(shop.rulebooks, CountingStore)
        assert shop.rulebooks.reloads == 1
    assert (first.commission_cents, second.commission_cents) == (0, 10)
    assert second.rulebook_version == first.rulebook_version + 1
    assert await tickets_count(owner) == 2
    assert await findings(owner, arena.banca_id) == []


async def test_rules_that_changed_refuse_a_ticket_that_the_rules_before_allowed(owner: Owner, arena: Arena, shop: Shop):
    await shop.sell(sale(arena.seller, ticket(arena.sorteo_id)))
    await owner.execute("UPDATE bancas SET default_min_bet_cents = 500")
    answer = await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, ("07", 100))))
    assert isinstance(answer, Refused)
    assert (answer.code, answer.recorded) == ("BET_MIN_VIOLATION", False)
    assert await tickets_count(owner) == 1


async def test_rules_that_changed_allow_a_ticket_that_the_rules_before_refused(owner: Owner, arena: Arena, shop: Shop):
    await owner.execute("UPDATE bancas SET default_min_bet_cents = 500")
    refused = await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, ("07", 100))))
    assert isinstance(refused, Refused)
    await owner.execute("UPDATE bancas SET default_min_bet_cents = 100")
    sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, ("07", 100)))))


class RestlessStore(RulebookStore):
    """Whatever it hands out, the banca has a newer one by then."""

    async def rulebook(self, banca_id: UUID) -> Rulebook:
        rulebook = await super().rulebook(banca_id)
        await self._change()
        return rulebook

    async def reload(self, banca_id: UUID, *, older_than: int | None) -> Rulebook:
        rulebook = await super().reload(banca_id, older_than=older_than)
        await self._change()
        return rulebook

    async def _change(self) -> None:
        assert self.owner is not None
        await self.owner.execute("UPDATE bancas SET default_min_bet_cents = default_min_bet_cents + 1")

    owner: asyncpg.Connection[asyncpg.Record] | None = None


async def test_rules_that_keep_changing_end_the_sale_and_the_cancel_with_nothing_written(
    owner: Owner, arena: Arena, database: TestDatabase, shop: Shop, intruder: Connection
):
    record = sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id))))
    async with open_shop(database.api_url, rulebooks=RestlessStore) as restless:
        assert isinstance(restless.rulebooks, RestlessStore)
        restless.rulebooks.owner = intruder
        version = await owner.fetchval("SELECT rulebook_version FROM bancas")
        with pytest.raises(PriceKeepsChangingError):
            await restless.sell(sale(arena.seller, ticket(arena.sorteo_id)))
        # reload() serves rulebook()'s first reading too.
        assert await owner.fetchval("SELECT rulebook_version FROM bancas") == version + 4, "three rounds"
        with pytest.raises(PriceKeepsChangingError):
            await restless.cancel(arena.seller, ticket_id=record.id)
    assert await tickets_count(owner) == 1
    assert await owner.fetchval("SELECT count(*) FROM idempotency") == 1


async def test_a_key_sold_under_the_rules_of_yesterday_gets_its_ticket_although_those_of_today_refuse_it(
    owner: Owner, arena: Arena, shop: Shop, other_shop: Shop
):
    other_multiplier = await arena.add_multiplier("Otro", 7_000)
    request = sale(arena.seller, ticket(arena.sorteo_id, multiplier_id=other_multiplier))
    first = sold(await shop.sell(request))
    await owner.execute("UPDATE loteria_multipliers SET is_active = false WHERE id = $1", other_multiplier)
    for place in (shop, other_shop):
        again = await place.sell(request)
        assert replayed(again)
        assert answer_bytes(sold(again)) == answer_bytes(first)
    fresh = await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, multiplier_id=other_multiplier)))
    assert isinstance(fresh, Refused)
    other = await shop.sell(
        sale(arena.seller, ticket(arena.sorteo_id, ("55", 1), multiplier_id=other_multiplier), key=request.key)
    )
    assert isinstance(other, Refused)
    assert other.code == "IDEMPOTENCY_PAYLOAD_MISMATCH"
    assert await tickets_count(owner) == 1


@pytest.mark.parametrize("reason", ["sold out", "no funds", "closed", "cutoff"])
async def test_a_recorded_refusal_is_the_same_answer_for_ever_and_another_content_is_a_mismatch(
    owner: Owner, arena: Arena, shop: Shop, other_shop: Shop, reason: str
):
    change, undo = {
        "sold out": ("UPDATE bancas SET global_max_per_number_cents = 99", "UPDATE bancas SET global_max_per_number_cents = NULL"),
        "no funds": ("UPDATE accounts SET credit_limit_cents = 99 WHERE kind = 'SELLER'", "UPDATE accounts SET credit_limit_cents = NULL"),
        "closed": ("UPDATE sorteos SET status = 'CLOSED'", "UPDATE sorteos SET status = 'OPEN'"),
        "cutoff": ("UPDATE sorteos SET scheduled_at = now()", "UPDATE sorteos SET scheduled_at = now() + interval '1 hour'"),
    }[reason]  # fmt: skip
    request = sale(arena.seller, ticket(arena.sorteo_id))
    await owner.execute(change)
    first = await shop.sell(request)
    await owner.execute(undo)
    again = await other_shop.sell(request)
    assert isinstance(first, Refused)
    assert isinstance(again, Refused)
    assert (first.recorded, first.replayed, again.replayed) == (True, False, True)
    assert replace(again, replayed=False) == first
    # The other content is refused for its key, not in the words of the first.
    other = await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, ("08", 1)), key=request.key))
    assert isinstance(other, Refused)
    assert (other.code, list(other.violations)) == ("IDEMPOTENCY_PAYLOAD_MISMATCH", [])
    assert isinstance(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id))), Sold), "a new key is judged anew"


async def test_a_ticket_short_of_both_names_the_number_first_as_its_verdict_does(
    owner: Owner, arena: Arena, shop: Shop
):
    await owner.execute("UPDATE bancas SET global_max_per_number_cents = 0")
    await owner.execute("UPDATE accounts SET credit_limit_cents = 0 WHERE kind = 'SELLER'")
    [outcome] = await shop.record([sale(arena.seller, ticket(arena.sorteo_id, ("08", 1), ("07", 1)))])
    assert outcome.verdict is Verdict.SOLD_OUT
    found = [(facts["code"], facts.get("number")) for facts in outcome.violations]
    assert found == [
        ("NUMBER_MAXTOTAL_EXCEEDED", "07"), ("NUMBER_MAXTOTAL_EXCEEDED", "08"), ("INSUFFICIENT_FUNDS", None),
    ]  # fmt: skip


async def test_a_replay_reads_nothing_that_a_later_step_wrote(owner: Owner, arena: Arena, shop: Shop):
    request = sale(arena.seller, ticket(arena.sorteo_id, ("07", 300), ("R07", 100)))
    first = sold(await shop.sell(request))
    assert isinstance(await shop.cancel(arena.seller, ticket_id=first.id), Cancelled)
    await owner.execute("UPDATE sorteos SET status = 'EVALUATED'")
    again = await shop.sell(request)
    assert replayed(again)
    assert answer_bytes(sold(again)) == answer_bytes(first)


async def test_the_key_of_a_sale_cannot_name_its_cancel_too(owner: Owner, arena: Arena, shop: Shop):
    key = new_key()
    before = await row_counts(owner)
    answer = await shop.cancel(arena.seller, sale_key=key, key=key)
    assert isinstance(answer, Refused)
    assert answer.code == "IDEMPOTENCY_PAYLOAD_MISMATCH"
    assert await row_counts(owner) == before
    assert isinstance(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id), key=key)), Sold)
    answer = await shop.cancel(arena.seller, sale_key=key, key=key)
    assert isinstance(answer, Refused)
    assert answer.code == "IDEMPOTENCY_PAYLOAD_MISMATCH"


async def test_a_cancel_before_its_sale_refuses_the_sale_for_ever(owner: Owner, arena: Arena, shop: Shop):
    request = sale(arena.seller, ticket(arena.sorteo_id))
    assert isinstance(await shop.cancel(arena.seller, sale_key=request.key), CancelledUnsold)
    for _ in range(2):
        answer = await shop.sell(request)
        assert isinstance(answer, Refused)
        assert answer.code == "CANCELLED_BEFORE_SALE"
    assert isinstance(await shop.cancel(arena.seller, sale_key=request.key), CancelledUnsold)
    assert await tickets_count(owner) == 0


async def test_the_readers_of_balances_hear_of_the_newest_one(owner: Owner, arena: Arena, shop: Shop):
    requests = [sale(seller, ticket(arena.sorteo_id)) for seller in arena.sellers for _ in range(2)]
    records = [sold(answer) for answer in await shop.counter.sell_all(requests)]
    assert sorted(shop.balances) == sorted((seller.id, -200, 1) for seller in arena.sellers)
    await shop.cancel(arena.seller, ticket_id=records[0].id)
    assert shop.balances[-1] == (arena.seller.id, -100, 2)
    stored = await owner.fetchrow("SELECT balance_cents, balance_version FROM accounts WHERE id = $1", arena.seller.id)
    assert stored is not None
    assert tuple(stored) == (-100, 2)


async def test_a_batch_is_bounded_by_tickets_and_by_jugadas(owner: Owner, arena: Arena, database: TestDatabase):
    async with open_shop(database.api_url, batch_tickets_max=5, batch_jugadas_max=8) as shop:
        lines = [("07", 1)] * 3
        requests: list[SaleRequest] = [sale(arena.seller, ticket(arena.sorteo_id)) for _ in range(7)]
        requests += [sale(arena.seller, ticket(arena.sorteo_id, *lines)) for _ in range(5)]
        requests += [sale(arena.seller, ticket(arena.sorteo_id, *(lines * 4)))]
        await shop.counter.sell_all(requests)
    rows = await owner.fetch("SELECT count(*) AS n FROM tickets GROUP BY event_id ORDER BY event_id")
    assert [row["n"] for row in rows] == [5, 4, 2, 1, 1]
