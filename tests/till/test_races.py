"""Many at once, through two tills on one database, as two API processes are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import pytest

from core.domain.permissions import Role
from core.settings import Settings
from core.till.cancels import CancelAnswer, Cancelled, CancelledUnsold
from core.till.outcomes import Verdict
from core.till.refusals import Refused
from core.till.sales import SaleAnswer, SaleRequest, Sold
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.pos import new_key
from tests.till.shop import Shop, answer_bytes, counts_of, open_shop, sold
from tests.till.state import exposure, findings, tickets_count, waiting
from tests.till.tickets import actor_for, sale, ticket

if TYPE_CHECKING:
    from tests.arena import Owner

SMALL_BATCH = 16


async def crowd(owner: Owner, settings: Settings, *, sellers: int, number_cap_cents: int | None = None) -> Arena:
    async with owner.transaction():
        return await Arena.create(owner, settings, sellers=sellers, number_cap_cents=number_cap_cents)


async def sell_through_both(shops: list[Shop], requests: list[SaleRequest]) -> list[SaleAnswer]:
    """All at the same time, in turn through one shop and the other."""
    selling = [shops[place % len(shops)].sell(request) for place, request in enumerate(requests)]
    return list(await asyncio.gather(*selling))


@pytest.fixture
async def shops(database: TestDatabase):
    """Small batches, so that many of each compete."""
    async with (
        open_shop(database.api_url, batch_tickets_max=SMALL_BATCH) as first,
        open_shop(database.api_url, batch_tickets_max=SMALL_BATCH) as second,
    ):
        yield [first, second]


async def test_two_hundred_sellers_on_one_number_sell_exactly_what_its_cap_holds(
    owner: Owner, settings: Settings, shops: list[Shop]
):
    arena = await crowd(owner, settings, sellers=200, number_cap_cents=10_000)
    requests = [sale(seller, ticket(arena.sorteo_id, ("07", 300))) for seller in arena.sellers]
    answers = await sell_through_both(shops, requests)
    assert sum(isinstance(answer, Sold) for answer in answers) == 10_000 // 300
    refused = [answer for answer in answers if isinstance(answer, Refused)]
    assert {answer.code for answer in refused} == {"NUMBER_MAXTOTAL_EXCEEDED"}
    assert await exposure(owner, arena.sorteo_id) == {7: 9_900}
    assert await findings(owner, arena.banca_id) == []


async def test_mixed_amounts_on_one_number_never_exceed_its_cap_by_a_cent(
    owner: Owner, settings: Settings, shops: list[Shop]
):
    arena = await crowd(owner, settings, sellers=100, number_cap_cents=20_001)
    amounts = [1 + 37 * place % 997 for place in range(100)]
    requests = [
        sale(seller, ticket(arena.sorteo_id, ("07", amount), ("08", 1)))
        for seller, amount in zip(arena.sellers, amounts, strict=True)
    ]
    answers = await sell_through_both(shops, requests)
    taken = [amount for amount, answer in zip(amounts, answers, strict=True) if isinstance(answer, Sold)]
    refused = [amount for amount, answer in zip(amounts, answers, strict=True) if isinstance(answer, Refused)]
    assert await exposure(owner, arena.sorteo_id) == {7: sum(taken), 8: len(taken)}
    assert sum(taken) <= 20_001 < sum(taken) + min(refused)
    assert await findings(owner, arena.banca_id) == []


async def test_one_seller_with_a_credit_limit_never_spends_more_at_two_tills(
    owner: Owner, settings: Settings, shops: list[Shop]
):
    arena = await crowd(owner, settings, sellers=0)
    seller = await arena.add_seller(credit_limit_cents=5_000)
    answers = await sell_through_both(shops, [sale(seller, ticket(arena.sorteo_id, ("07", 70))) for _ in range(100)])
    assert sum(isinstance(answer, Sold) for answer in answers) == 5_000 // 70
    assert {answer.code for answer in answers if isinstance(answer, Refused)} == {"INSUFFICIENT_FUNDS"}
    assert await owner.fetchval("SELECT balance_cents FROM accounts WHERE id = $1", seller.id) == -4_970
    assert await findings(owner, arena.banca_id) == []


async def test_no_ticket_is_sold_once_the_draw_was_closed_under_sixty_four_sellers(
    owner: Owner, settings: Settings, shops: list[Shop]
):
    arena = await crowd(owner, settings, sellers=64)
    answered, enough = 0, asyncio.Event()

    async def sell_on(shop: Shop, requests: list[SaleRequest]) -> list[SaleAnswer]:
        nonlocal answered
        answers = []
        for request in requests:
            answers.append(await shop.sell(request))
            answered += 1
            if answered == 64:
                enough.set()
        return answers

    async def close() -> asyncpg.Record:
        """What was sold under the lock that closes the draw."""
        await enough.wait()
        async with owner.transaction():
            await owner.execute("SELECT 1 FROM sorteos WHERE id = $1 FOR NO KEY UPDATE", arena.sorteo_id)
            await owner.execute("UPDATE sorteos SET status = 'CLOSED' WHERE id = $1", arena.sorteo_id)
            seen = await owner.fetchrow(
                "SELECT count(*) AS tickets, max(event_id) AS event, clock_timestamp() AS at FROM tickets"
            )
        assert seen is not None
        return seen

    closing = asyncio.create_task(close())
    selling = [
        sell_on(shops[place % 2], [sale(seller, ticket(arena.sorteo_id)) for _ in range(4)])
        for place, seller in enumerate(arena.sellers)
    ]
    answers = [answer for several in await asyncio.gather(*selling) for answer in several]
    seen = await closing
    sold_count = sum(isinstance(answer, Sold) for answer in answers)
    assert counts_of([answer.code for answer in answers if isinstance(answer, Refused)]) == {
        "SORTEO_CLOSED": len(answers) - sold_count
    }
    assert 64 <= sold_count < len(answers), "the close came in the middle"
    assert sold_count == seen["tickets"] == await tickets_count(owner)
    assert await owner.fetchval("SELECT max(event_id) FROM tickets") == seen["event"]
    assert await owner.fetchval("SELECT max(created_at) <= $1 FROM tickets", seen["at"])
    assert await findings(owner, arena.banca_id) == []


async def test_five_hundred_submissions_of_one_key_are_one_ticket_and_one_answer(
    owner: Owner, arena: Arena, shops: list[Shop]
):
    request = sale(arena.seller, ticket(arena.sorteo_id, ("07", 300), ("R07", 100), ("12", 50)))
    answers = await sell_through_both(shops, [request] * 500)
    assert len({answer_bytes(sold(answer)) for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1
    assert await tickets_count(owner) == 1
    assert await owner.fetchval("SELECT balance_cents FROM accounts WHERE id = $1", arena.seller.id) == -450
    assert await findings(owner, arena.banca_id) == []


async def test_five_hundred_submissions_of_a_refused_key_are_one_answer(
    owner: Owner, settings: Settings, shops: list[Shop]
):
    arena = await crowd(owner, settings, sellers=1, number_cap_cents=99)
    request = sale(arena.seller, ticket(arena.sorteo_id, ("07", 100)))
    answers = await sell_through_both(shops, [request] * 500)
    refused = [answer for answer in answers if isinstance(answer, Refused)]
    assert len(refused) == 500
    assert {(answer.code, answer.detail, str(answer.violations)) for answer in refused} == {
        (refused[0].code, refused[0].detail, str(refused[0].violations))
    }
    assert sum(not answer.replayed for answer in refused) == 1
    assert await owner.fetchval("SELECT count(*) FROM idempotency") == 1


async def test_one_key_twice_in_one_batch_is_sold_once_when_the_content_is_the_same(
    owner: Owner, arena: Arena, shop: Shop
):
    request = sale(arena.seller, ticket(arena.sorteo_id))
    first, second = await shop.counter.sell_all([request, request])
    assert answer_bytes(sold(first)) == answer_bytes(sold(second))
    assert [isinstance(answer, Sold) and answer.replayed for answer in (first, second)] == [False, True]
    assert await tickets_count(owner) == 1


async def test_one_key_twice_in_one_batch_is_a_mismatch_when_the_content_differs(
    owner: Owner, arena: Arena, shop: Shop
):
    key = new_key()
    first = sale(arena.seller, ticket(arena.sorteo_id, ("07", 100)), key=key)
    second = sale(arena.seller, ticket(arena.sorteo_id, ("08", 100)), key=key)
    answers = await shop.counter.sell_all([first, second, first, second])
    assert [isinstance(answer, Sold) for answer in answers] == [True, False, True, False]
    assert [answer.code for answer in answers if isinstance(answer, Refused)] == ["IDEMPOTENCY_PAYLOAD_MISMATCH"] * 2
    assert await exposure(owner, arena.sorteo_id) == {7: 100}


async def test_the_same_key_of_two_sellers_is_two_tickets(owner: Owner, arena: Arena, shop: Shop):
    key = new_key()
    requests = [sale(seller, ticket(arena.sorteo_id), key=key) for seller in arena.sellers]
    first, second = [sold(answer) for answer in await shop.counter.sell_all(requests)]
    assert first.id != second.id
    assert await tickets_count(owner) == 2


async def test_a_key_that_two_processes_insert_at_once_is_judged_again(
    owner: Owner, arena: Arena, shop: Shop, other_shop: Shop, intruder: asyncpg.Connection[asyncpg.Record]
):
    # One user sells in two sellers' names in two draws: no lock is shared, only the key is.
    actor = actor_for(await arena.add_user(Role.VENTANA), arena.banca_id, arena.seller.terminal)
    draws = [arena.sorteo_id, await arena.add_sorteo(minutes=2_000)]
    key = new_key()
    requests = [
        sale(seller, ticket(draw, vendedor_id=seller.id), key=key, actor=actor)
        for draw, seller in zip(draws, arena.sellers, strict=True)
    ]
    transaction = intruder.transaction()
    await transaction.start()
    # Whoever wants to publish waits here, with its locks and before its key is written.
    await intruder.execute("LOCK TABLE outbox IN SHARE MODE")
    both = [shop.record(requests[:1]), other_shop.record(requests[1:])]
    selling = [asyncio.create_task(one) for one in both]
    await waiting(owner, calls=2)
    await transaction.rollback()
    verdicts = [(await one)[0].verdict for one in selling]
    assert sorted(verdicts) == [Verdict.MISMATCH, Verdict.SOLD]
    assert await tickets_count(owner) == 1
    assert await findings(owner, arena.banca_id) == []


async def status_of(owner: Owner, ticket_id: UUID) -> str:
    status: str = await owner.fetchval("SELECT status FROM tickets WHERE id = $1", ticket_id)
    return status


async def assert_not_both(owner: Owner, sale_answer: SaleAnswer, cancel_answer: CancelAnswer) -> None:
    """Either the ticket is cancelled, or its sale is refused."""
    if isinstance(sale_answer, Sold):
        assert isinstance(cancel_answer, Cancelled), cancel_answer
        assert cancel_answer.record.id == sale_answer.record.id
        assert await status_of(owner, sale_answer.record.id) == "CANCELLED"
    else:
        assert sale_answer.code == "CANCELLED_BEFORE_SALE"
        assert isinstance(cancel_answer, CancelledUnsold), cancel_answer


async def test_a_sale_and_the_cancel_of_its_key_never_both_stand(owner: Owner, arena: Arena, shops: list[Shop]):
    async def race(place: int) -> tuple[SaleAnswer, CancelAnswer]:
        key = new_key()
        request = sale(arena.sellers[place % 2], ticket(arena.sorteo_id), key=key)
        cancelling = shops[1].cancel(arena.sellers[place % 2], sale_key=key)
        if place % 3 == 0:
            cancel_answer, sale_answer = await asyncio.gather(cancelling, shops[0].sell(request))
        else:
            sale_answer, cancel_answer = await asyncio.gather(shops[0].sell(request), cancelling)
        return sale_answer, cancel_answer

    for sale_answer, cancel_answer in await asyncio.gather(*(race(place) for place in range(60))):
        await assert_not_both(owner, sale_answer, cancel_answer)
    assert await exposure(owner, arena.sorteo_id) == {}
    assert await findings(owner, arena.banca_id) == []


@pytest.mark.parametrize("is_sale_first", [True, False], ids=["sale first", "cancel first"])
async def test_a_sale_and_the_cancel_of_its_key_that_wait_for_one_account_go_in_turn(
    owner: Owner,
    arena: Arena,
    shops: list[Shop],
    intruder: asyncpg.Connection[asyncpg.Record],
    is_sale_first: bool,
):
    key = new_key()
    transaction = intruder.transaction()
    await transaction.start()
    await intruder.execute("SELECT 1 FROM accounts WHERE id = $1 FOR NO KEY UPDATE", arena.seller.id)
    starts: list[Callable[[], asyncio.Future[Any]]] = [
        lambda: asyncio.ensure_future(shops[0].sell(sale(arena.seller, ticket(arena.sorteo_id), key=key))),
        lambda: asyncio.ensure_future(shops[1].cancel(arena.seller, sale_key=key)),
    ]
    order = (0, 1) if is_sale_first else (1, 0)
    tasks: dict[int, asyncio.Future[Any]] = {}
    for calls, which in enumerate(order, 1):
        tasks[which] = starts[which]()
        await waiting(owner, calls=calls)
    await transaction.rollback()
    sale_answer, cancel_answer = await tasks[0], await tasks[1]
    assert isinstance(sale_answer, Sold) is is_sale_first
    await assert_not_both(owner, sale_answer, cancel_answer)
    assert await findings(owner, arena.banca_id) == []


async def test_a_ticket_that_eight_cancel_at_once_is_cancelled_once(owner: Owner, arena: Arena, shops: list[Shop]):
    request = sale(arena.seller, ticket(arena.sorteo_id, ("07", 300)))
    record = sold(await shops[0].sell(request))
    by_id = [shops[place % 2].cancel(arena.seller, ticket_id=record.id) for place in range(4)]
    by_key = [shops[place % 2].cancel(arena.seller, sale_key=request.key) for place in range(4)]
    answers = await asyncio.gather(*by_id, *by_key)
    assert sum(isinstance(answer, Cancelled) for answer in answers) == 1
    refused = [answer.code for answer in answers if isinstance(answer, Refused)]
    assert refused == ["TICKET_ALREADY_CANCELLED"] * 7
    assert await owner.fetchval("SELECT balance_cents FROM accounts WHERE id = $1", arena.seller.id) == 0
    assert await owner.fetchval("SELECT count(*) FROM outbox WHERE type = 'tickets.cancelled'") == 1
    assert await findings(owner, arena.banca_id) == []


async def test_one_cancel_sent_eight_times_is_one_answer(owner: Owner, arena: Arena, shops: list[Shop]):
    record, key = sold(await shops[0].sell(sale(arena.seller, ticket(arena.sorteo_id)))), new_key()
    sending = [shops[place % 2].cancel(arena.seller, ticket_id=record.id, key=key) for place in range(8)]
    answers = [answer for answer in await asyncio.gather(*sending) if isinstance(answer, Cancelled)]
    assert len(answers) == 8
    assert {answer.at for answer in answers} == {answers[0].at}
    assert sum(not answer.replayed for answer in answers) == 1
    assert await findings(owner, arena.banca_id) == []


async def test_a_cap_lowered_under_load_holds_for_every_batch_that_starts_after_it(
    owner: Owner, settings: Settings, shops: list[Shop]
):
    arena = await crowd(owner, settings, sellers=30, number_cap_cents=1_000_000)
    lowered, enough = False, asyncio.Event()
    before: list[SaleAnswer] = []
    after: list[SaleAnswer] = []

    async def sell_on(shop: Shop, place: int) -> None:
        for turn in range(8):
            request = sale(arena.sellers[place], ticket(arena.sorteo_id, (f"{place % 3:02d}", 100 + turn)))
            answers = after if lowered else before
            answers.append(await shop.sell(request))
            if len(before) == 60:
                enough.set()

    async def lower() -> int:
        nonlocal lowered
        await enough.wait()
        version: int = await owner.fetchval(
            "UPDATE bancas SET global_max_per_number_cents = 3_000 WHERE id = $1 RETURNING rulebook_version + 1",
            arena.banca_id,
        )
        lowered = True
        return version

    lowering = asyncio.create_task(lower())
    await asyncio.gather(*(sell_on(shops[place % 2], place) for place in range(30)))
    version = await lowering
    # The trigger that counts versions runs after the row was returned.
    assert version == await owner.fetchval("SELECT rulebook_version FROM bancas WHERE id = $1", arena.banca_id)
    assert len(after) > 30, "the change came in the middle"
    assert {sold(answer).rulebook_version for answer in after if isinstance(answer, Sold)} <= {version}
    assert {answer.code for answer in after if isinstance(answer, Refused)} == {"NUMBER_MAXTOTAL_EXCEEDED"}
    assert {sold(answer).rulebook_version for answer in before if isinstance(answer, Sold)} <= {version - 1, version}
    assert await findings(owner, arena.banca_id) == []


async def test_a_batch_holds_the_tickets_of_several_draws_and_numbers_each_draw_without_a_gap(
    owner: Owner, arena: Arena, shops: list[Shop]
):
    draws = [arena.sorteo_id, await arena.add_sorteo(minutes=2_000), await arena.add_sorteo(minutes=3_000)]
    requests = [sale(arena.sellers[n % 2], ticket(draws[n % 3])) for n in range(90)]
    records = [sold(answer) for answer in await sell_through_both(shops, requests)]
    for draw in draws:
        assert sorted(r.sequence for r in records if r.sorteo_id == draw) == list(range(1, 31))
    assert len({record.ticket_number for record in records}) == 90
    assert await findings(owner, arena.banca_id) == []
