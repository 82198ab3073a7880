"""What a result pays: the worked examples, to the cent, in the sellers' balances and in the ledger."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from core.till.refusals import Refused
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.evaluating import (
    Evaluator,
    balances,
    draw_now,
    open_evaluator,
    prizes,
    request,
    result,
)
from tests.till.shop import Shop, sold
from tests.till.state import findings
from tests.till.tickets import Bet, sale, ticket

EXTRA_X_HUNDREDTHS = 20_000


async def sell(arena: Arena, shop: Shop, *bets: Bet, seller: int = 0) -> UUID:
    return sold(await shop.sell(sale(arena.sellers[seller], ticket(arena.sorteo_id, *bets)))).id


@pytest.mark.parametrize(
    ("winner", "has_extra", "prize_cents"),
    [
        pytest.param("07", False, 4_500_000, id="EVL-1 and EVL-3: NUMERO wins, REVENTADO loses"),
        pytest.param("07", True, 4_500_000 + 4_000_000, id="the extra pays REVENTADO"),
        pytest.param("08", True, 0, id="EVL-4: nothing wins"),
    ],
)
async def test_a_result_pays_what_was_sold_on_its_number(
    arena: Arena, shop: Shop, evaluator: Evaluator, winner: str, has_extra: bool, prize_cents: int
) -> None:
    extra = await arena.add_multiplier("Roja", EXTRA_X_HUNDREDTHS, kind="REVENTADO")
    await sell(arena, shop, ("07", 50_000), ("R07", 20_000), ("15", 100))
    await draw_now(arena.owner, arena.sorteo_id)
    before = await balances(arena.owner)
    assert await request(arena, winner, extra=extra if has_extra else None) == "REQUESTED"
    await evaluator.finish()
    after = await balances(arena.owner)
    assert after[arena.seller.id] - before[arena.seller.id] == prize_cents
    found = await result(arena.owner, arena.sorteo_id)
    ledger = (found["total_in_cents"], found["total_out_cents"], found["net_profit_cents"])
    assert ledger == (70_100, prize_cents, 70_100 - prize_cents)
    assert (found["state"], found["has_winner"]) == ("DONE", prize_cents > 0)
    assert found["settled_at"] is not None
    assert found["extra_outcome_code"] == ("Roja" if has_extra else None)
    assert await status(arena) == "EVALUATED"
    assert await findings(arena.owner, arena.banca_id) == []


async def test_every_line_wins_by_itself_and_half_a_cent_is_rounded_up(
    arena: Arena, shop: Shop, evaluator: Evaluator
) -> None:
    await arena.owner.execute(
        "UPDATE loteria_multipliers SET value_x_hundredths = 150 WHERE id = $1", arena.multiplier_id
    )
    await sell(arena, shop, ("07", 1), ("07", 3), ("07", 2))
    await sell(arena, shop, ("07", 333), seller=1)
    await draw_now(arena.owner, arena.sorteo_id)
    await request(arena, "07")
    await evaluator.finish()
    assert await prizes(arena.owner, arena.sorteo_id) == [(1, 1, 2), (1, 2, 5), (1, 3, 3), (2, 1, 500)]
    transfers = await arena.owner.fetch("SELECT amount_cents FROM transfers WHERE kind = 'PRIZE' ORDER BY amount_cents")
    assert [row["amount_cents"] for row in transfers] == [10, 500]
    assert await findings(arena.owner, arena.banca_id) == []


async def test_what_was_cancelled_never_wins(arena: Arena, shop: Shop, evaluator: Evaluator) -> None:
    cancelled = await sell(arena, shop, ("07", 50_000))
    await sell(arena, shop, ("07", 100), seller=1)
    await shop.cancel(arena.seller, ticket_id=cancelled)
    await draw_now(arena.owner, arena.sorteo_id)
    await request(arena, "07")
    await evaluator.finish()
    assert await prizes(arena.owner, arena.sorteo_id) == [(2, 1, 9_000)]
    assert (await balances(arena.owner))[arena.seller.id] == 0
    assert await findings(arena.owner, arena.banca_id) == []


async def test_an_excluded_jugada_never_wins(arena: Arena, shop: Shop, evaluator: Evaluator) -> None:
    await sell(arena, shop, ("07", 50_000), ("07", 100))
    await arena.owner.execute("UPDATE jugadas SET exclusion_id = gen_random_uuid() WHERE line = 1")
    await draw_now(arena.owner, arena.sorteo_id)
    await request(arena, "07")
    await evaluator.finish()
    assert await prizes(arena.owner, arena.sorteo_id) == [(1, 2, 9_000)]


async def test_a_draw_that_sold_nothing_is_evaluated(arena: Arena, evaluator: Evaluator) -> None:
    await draw_now(arena.owner, arena.sorteo_id)
    await request(arena, "00")
    await evaluator.finish()
    found = await result(arena.owner, arena.sorteo_id)
    assert (found["state"], found["total_in_cents"], found["total_out_cents"]) == ("DONE", 0, 0)
    assert not found["has_winner"]


async def test_prizes_are_paid_in_steps_and_readers_are_told_of_every_balance(
    arena: Arena, shop: Shop, evaluator: Evaluator
) -> None:
    for n in range(9):
        await sell(arena, shop, ("07", 100), seller=n % 2)
    await draw_now(arena.owner, arena.sorteo_id)
    await request(arena, "07")
    assert await evaluator.evaluations.run_once() == 1
    found = await result(arena.owner, arena.sorteo_id)
    assert (found["state"], found["next_sequence"], found["total_out_cents"]) == ("RUNNING", 3, 18_000)
    assert await status(arena) == "CLOSED"
    assert await findings(arena.owner, arena.banca_id) == []
    # Four more steps with tickets, and the last.
    assert await evaluator.finish() == 5
    newest = {account: (balance, version) for account, balance, version in evaluator.balances}
    stored = await arena.owner.fetch("SELECT id, balance_cents, balance_version FROM accounts WHERE kind = 'SELLER'")
    assert newest == {row["id"]: (row["balance_cents"], row["balance_version"]) for row in stored}


async def test_a_prize_can_be_sold_against_at_once(arena: Arena, shop: Shop, evaluator: Evaluator) -> None:
    seller = await arena.add_seller(credit_limit_cents=100)
    sold(await shop.sell(sale(seller, ticket(arena.sorteo_id, ("07", 100)))))
    tomorrow = await arena.add_sorteo(minutes=24 * 60 + 7)
    assert isinstance(await shop.sell(sale(seller, ticket(tomorrow, ("01", 9_000)))), Refused)
    await draw_now(arena.owner, arena.sorteo_id)
    await request(arena, "07")
    await evaluator.finish()
    sold(await shop.sell(sale(seller, ticket(tomorrow, ("01", 9_000)))))
    assert (await balances(arena.owner))[seller.id] == -100


async def test_of_fifty_requests_at_once_one_is_taken(arena: Arena, shop: Shop, database: TestDatabase) -> None:
    await sell(arena, shop, ("07", 100))
    await draw_now(arena.owner, arena.sorteo_id)
    async with open_evaluator(database.worker_url, step_tickets=1) as one:
        outcomes = await asyncio.gather(*(requested_through(shop, arena) for _ in range(50)))
        assert sorted(outcomes) == ["EVALUATION_RUNNING"] * 49 + ["REQUESTED"]
        await one.finish()
    assert await arena.owner.fetchval("SELECT count(*) FROM sorteo_results") == 1


async def test_workers_share_draws_and_pay_each_ticket_once(arena: Arena, shop: Shop, database: TestDatabase) -> None:
    arena.sorteo_ids.append(await arena.add_sorteo(minutes=24 * 60 + 9))
    for sorteo_id in arena.sorteo_ids:
        for n in range(30):
            sold(await shop.sell(sale(arena.sellers[n % 2], ticket(sorteo_id, ("07", 100)))))
        await draw_now(arena.owner, sorteo_id)
        assert await request(arena, "07", sorteo_id=sorteo_id) == "REQUESTED"
    async with (
        open_evaluator(database.worker_url, step_tickets=1) as one,
        open_evaluator(database.worker_url, step_tickets=2) as two,
        open_evaluator(database.worker_url, step_tickets=3) as three,
    ):
        while await arena.owner.fetchval("SELECT count(*) FROM sorteo_results WHERE state = 'RUNNING'"):
            await asyncio.gather(*(each.evaluations.run_once() for each in (one, two, three)))
    assert await arena.owner.fetchval("SELECT count(*) FROM transfers WHERE kind = 'PRIZE'") == 60
    assert sum((await balances(arena.owner)).values()) == 60 * (9_000 - 100)
    assert await findings(arena.owner, arena.banca_id) == []


async def requested_through(shop: Shop, arena: Arena) -> str:
    async with shop.database.connection() as connection:
        outcome: str = await connection.fetchval(
            "SELECT outcome FROM request_evaluation($1, $2, '{CLOSED}', '{t}', '07', NULL, NULL, $3, 'request')",
            arena.banca_id, arena.sorteo_id, arena.seller.id,
        )  # fmt: skip
        return outcome


async def status(arena: Arena) -> str:
    found: str = await arena.owner.fetchval("SELECT status::text FROM sorteos WHERE id = $1", arena.sorteo_id)
    return found
