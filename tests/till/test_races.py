"""Many at once, through two tills on one database, as two API processes are."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg

from core.settings import Settings
from core.till.refusals import Refused
from core.till.sales import SaleAnswer, SaleRequest, Sold
from tests.arena import Arena
from tests.till.crowd import crowd, sell_through_both
from tests.till.shop import Shop, counts_of, sold
from tests.till.state import exposure, findings, tickets_count
from tests.till.tickets import sale, ticket

if TYPE_CHECKING:
    from tests.arena import Owner


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
