"""A result taken back: prizes, payments out of them, and what is left to the seller."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from core.till.refusals import Refused
from tests.arena import Arena
from tests.evaluating import Evaluator, account, balances, draw_now, prizes, request, request_revert, result
from tests.till.shop import Shop, sold
from tests.till.state import findings
from tests.till.tickets import sale, ticket

if TYPE_CHECKING:
    pass

NUMBERS = ("07", "15", "99")


async def sell_everywhere(arena: Arena, shop: Shop, sorteo_id: UUID) -> None:
    for n, number in enumerate(NUMBERS * 3):
        asked = ticket(sorteo_id, (number, 1_000 + n), ("R" + number, 500))
        sold(await shop.sell(sale(arena.sellers[n % 2], asked)))


async def evaluate(arena: Arena, evaluator: Evaluator, number: str, *, extra: UUID | None = None) -> None:
    assert await request(arena, number, extra=extra) == "REQUESTED"
    await evaluator.finish()


async def test_wrong_then_right_ends_with_the_balances_of_right_first(
    arena: Arena, shop: Shop, evaluator: Evaluator
) -> None:
    extra = await arena.add_multiplier("Roja", 20_000, kind="REVENTADO")
    await sell_everywhere(arena, shop, arena.sorteo_id)
    await draw_now(arena.owner, arena.sorteo_id)
    before = await balances(arena.owner)
    await evaluate(arena, evaluator, "15", extra=extra)
    right = await balances(arena.owner)
    assert await request_revert(arena) == "REQUESTED"
    await evaluator.finish()
    assert await balances(arena.owner) == before
    assert await arena.owner.fetchval("SELECT status::text FROM sorteos") == "CLOSED"

    await evaluate(arena, evaluator, "07")
    assert await balances(arena.owner) not in (before, right)
    assert await request_revert(arena) == "REQUESTED"
    await evaluator.finish()
    await evaluate(arena, evaluator, "15", extra=extra)
    assert await balances(arena.owner) == right
    found = await result(arena.owner, arena.sorteo_id)
    assert (found["evaluation"], found["state"]) == (3, "DONE")
    assert await prizes(arena.owner, arena.sorteo_id, evaluation=3) == await prizes(arena.owner, arena.sorteo_id)
    assert await findings(arena.owner, arena.banca_id) == []


async def test_a_revert_in_the_middle_of_its_steps_is_in_the_books(
    arena: Arena, shop: Shop, evaluator: Evaluator
) -> None:
    await sell_everywhere(arena, shop, arena.sorteo_id)
    await draw_now(arena.owner, arena.sorteo_id)
    await evaluate(arena, evaluator, "07")
    assert await request_revert(arena) == "REQUESTED"
    while await evaluator.evaluations.run_once():
        assert await findings(arena.owner, arena.banca_id) == []
        assert await request(arena, "07") in ("EVALUATION_REVERTING", "REQUESTED")
        if await arena.owner.fetchval("SELECT count(*) FROM sorteo_results") > 1:
            break
        assert await request_revert(arena) == "EVALUATION_REVERTING"


async def test_who_falls_under_the_limit_sells_again_once_it_is_repaid(
    arena: Arena, shop: Shop, evaluator: Evaluator
) -> None:
    seller = await arena.add_seller(credit_limit_cents=1_000)
    sold(await shop.sell(sale(seller, ticket(arena.sorteo_id, ("07", 100)))))
    tomorrow = await arena.add_sorteo(minutes=24 * 60 + 7)
    await draw_now(arena.owner, arena.sorteo_id)
    await evaluate(arena, evaluator, "07")
    # 9,000 won, and all of it staked: −100 + 9,000 − 9,800.
    sold(await shop.sell(sale(seller, ticket(tomorrow, ("01", 9_800)))))
    assert await request_revert(arena) == "REQUESTED"
    await evaluator.finish()
    assert await account(arena.owner, seller.id) == (-9_900, 8_900)
    refused = await shop.sell(sale(seller, ticket(tomorrow, ("01", 1))))
    assert isinstance(refused, Refused)
    assert refused.code == "INSUFFICIENT_FUNDS"

    # A prize repays it: what may be overdrawn goes as it came.
    await evaluate(arena, evaluator, "07")
    assert await account(arena.owner, seller.id) == (-900, 0)
    sold(await shop.sell(sale(seller, ticket(tomorrow, ("01", 100)))))
    assert isinstance(await shop.sell(sale(seller, ticket(tomorrow, ("01", 1)))), Refused)
    assert await findings(arena.owner, arena.banca_id) == []


@pytest.mark.parametrize("is_reversed", [False, True])
async def test_prizes_that_were_handed_out_stand_in_the_way(
    arena: Arena, shop: Shop, evaluator: Evaluator, is_reversed: bool
) -> None:
    winner = sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, ("07", 50_000)))))
    await draw_now(arena.owner, arena.sorteo_id)
    await evaluate(arena, evaluator, "07")
    await pay(arena, winner.id, 2_000_000)
    if is_reversed:
        await arena.owner.execute("UPDATE ticket_payments SET reversed_at = now(), reversed_by = paid_by")
    else:
        assert await request_revert(arena) == "PAYMENTS_STAND"
        assert (await result(arena.owner, arena.sorteo_id))["state"] == "DONE"
    assert await request_revert(arena, force=not is_reversed) == "REQUESTED"
    await evaluator.finish()
    [payment] = await arena.owner.fetch("SELECT amount_cents, reversed_at FROM ticket_payments")
    assert payment["amount_cents"] == 2_000_000
    # Forced or not, nothing is taken back but what people took back: the cash stays on its ticket.
    assert (payment["reversed_at"] is not None) is is_reversed
    memos = [row[0] for row in await arena.owner.fetch("SELECT open_cents FROM cash_memos")]
    assert memos == ([] if is_reversed else [2_000_000])
    assert (await result(arena.owner, arena.sorteo_id))["revert_forced"] is not is_reversed
    assert (await balances(arena.owner))[arena.seller.id] == -50_000


async def test_a_draw_goes_nowhere_while_its_prizes_are_paid(arena: Arena, shop: Shop) -> None:
    sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, ("07", 100)))))
    await draw_now(arena.owner, arena.sorteo_id)
    assert await request(arena, "07") == "REQUESTED"
    assert await request_revert(arena) == "EVALUATION_RUNNING"
    with pytest.raises(Exception, match="are being paid"):
        await arena.owner.execute("UPDATE sorteos SET status = 'OPEN' WHERE id = $1", arena.sorteo_id)


async def pay(arena: Arena, ticket_id: UUID, amount_cents: int) -> None:
    await arena.owner.execute(
        "INSERT INTO ticket_payments (banca_id, business_date, ticket_id, ordinal, sorteo_id, sequence, evaluation,"
        " amount_cents, method, is_final, paid_by, paid_by_role, terminal_id, created_at)"
        " SELECT banca_id, business_date, id, 1, sorteo_id, sequence, 1, $2, 'cash', false, vendedor_id, 'VENDEDOR',"
        " terminal_id, now() FROM tickets WHERE id = $1",
        ticket_id, amount_cents,
    )  # fmt: skip
