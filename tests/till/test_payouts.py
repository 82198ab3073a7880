"""What a number of a draw may cost is bounded: judged at the sale, and kept exact by everything that moves jugadas."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from core.domain.money import PAYOUT_CENTS_MAX
from core.till.cancels import Cancelled
from core.till.listas import ListaMoved
from core.till.outcomes import Outcome
from core.till.refusals import Refused, refused_by_till
from core.till.restores import Restored
from core.till.sales import Sold
from tests.after_sale.desk import Desk
from tests.arena import Arena, Seller
from tests.evaluating import Evaluator, draw_now, request, result
from tests.till.shop import Shop, sold
from tests.till.state import findings
from tests.till.tickets import Bet, sale, ticket

if TYPE_CHECKING:
    from tests.arena import Owner

EXCEEDED = "NUMBER_PAYOUT_EXCEEDED"
LINE = 100_000_000_000


@dataclass
class Entry:
    """A ticket of the model: what it adds to what each number may cost, and whether it counts."""

    seller_id: UUID
    claims: dict[str, int]
    is_live: bool = True


async def bound(arena: Arena, cents: int) -> None:
    await arena.owner.execute("UPDATE bancas SET number_payout_max_cents = $2 WHERE id = $1", arena.banca_id, cents)


async def costs(owner: Owner, sorteo_id: UUID) -> dict[int, tuple[int, int, int]]:
    """Of each number what is staked, what NUMERO would pay, and what is staked on REVENTADO, as the counters say."""
    rows = await owner.fetch(
        "SELECT number, amount_cents, payout_cents, reventado_cents FROM exposure"
        " WHERE sorteo_id = $1 AND scope = 'BANCA' AND multiplier_key = '00000000-0000-0000-0000-000000000000'",
        sorteo_id,
    )
    return {number: (amount, int(payout), reventado) for number, amount, payout, reventado in rows}


def code_of(outcome: Outcome) -> str:
    """SOLD, or the code of the refusal."""
    return refused_by_till(outcome).code if outcome.verdict != "SOLD" else "SOLD"


async def test_a_number_is_sold_up_to_what_it_may_cost_and_not_a_cent_further(arena: Arena, shop: Shop) -> None:
    await bound(arena, 1_000_000)
    sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, ("07", 11_000)))))
    asked = sale(arena.seller, ticket(arena.sorteo_id, ("07", 112)))
    refused = await shop.sell(asked)
    assert isinstance(refused, Refused)
    [violation] = refused.violations
    assert (refused.code, refused.recorded) == (EXCEEDED, True)
    assert violation.data == {"number": "07", "amount": "100.80", "limit": "10000.00", "available": "100.00"}
    # 1.11 × 90.00 = 99.90; one number leaves the others alone.
    sold(await shop.sell(sale(arena.sellers[1], ticket(arena.sorteo_id, ("07", 111), ("08", 11_111)))))
    assert await costs(arena.owner, arena.sorteo_id) == {
        -1: (22_222, 1_999_980, 0), 7: (11_111, 999_990, 0), 8: (11_111, 999_990, 0),
    }  # fmt: skip
    # The same key has the same answer, although the bound was raised since.
    await bound(arena, 2_000_000)
    again = await shop.sell(asked)
    assert isinstance(again, Refused)
    assert (again.code, again.replayed, again.violations) == (EXCEEDED, True, refused.violations)
    assert await findings(arena.owner, arena.banca_id) == []


async def test_tickets_of_a_batch_are_judged_one_after_the_other(arena: Arena, shop: Shop) -> None:
    await bound(arena, 900_000)
    bets: list[tuple[Bet, ...]] = [
        (("07", 6_000),), (("07", 5_000),), (("08", 1),), (("07", 4_000), ("08", 9_999)), (("07", 1),), (("08", 1),),
    ]  # fmt: skip
    asked = [sale(arena.sellers[n % 2], ticket(arena.sorteo_id, *each)) for n, each in enumerate(bets)]
    judged = [code_of(outcome) for outcome in await shop.record(asked)]
    assert judged == ["SOLD", EXCEEDED, "SOLD", "SOLD", EXCEEDED, EXCEEDED]
    assert await findings(arena.owner, arena.banca_id) == []


async def test_a_limit_and_a_payout_that_are_both_exceeded_are_both_told(arena: Arena, shop: Shop) -> None:
    await arena.owner.execute("UPDATE bancas SET global_max_per_number_cents = 100 WHERE id = $1", arena.banca_id)
    await bound(arena, 900)
    refused = await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, ("07", 101))))
    assert isinstance(refused, Refused)
    assert [violation.code for violation in refused.violations] == ["NUMBER_MAXTOTAL_EXCEEDED", EXCEEDED]
    assert refused.code == "NUMBER_MAXTOTAL_EXCEEDED"


async def test_two_draws_of_a_batch_have_bounds_of_their_own(arena: Arena, shop: Shop) -> None:
    arena.sorteo_ids.append(await arena.add_sorteo(minutes=24 * 60 + 9))
    await bound(arena, 9_000)
    asked = [
        sale(arena.seller, ticket(sorteo_id, ("07", cents)))
        for sorteo_id, cents in zip(arena.sorteo_ids * 2, (100, 100, 1, 1), strict=True)
    ]
    assert [code_of(outcome) for outcome in await shop.record(asked)] == ["SOLD", "SOLD", EXCEEDED, EXCEEDED]


async def test_a_reventado_costs_what_the_dearest_result_would_pay(arena: Arena, shop: Shop) -> None:
    await bound(arena, 100_000)
    # Without any multiplier for it a REVENTADO costs its stake at least.
    sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, ("07", 500), ("R07", 500)))))
    dear = await arena.add_multiplier("Dear", 20_000, kind="REVENTADO")
    await arena.add_multiplier("Cheap", 5_000, kind="REVENTADO")
    # 500 × 90 + 500 × 200 is more than it may cost already; one that is switched off may be switched on again.
    await arena.owner.execute("UPDATE loteria_multipliers SET is_active = false WHERE id = $1", dear)
    refused = await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, ("07", 1))))
    assert isinstance(refused, Refused)
    assert (refused.code, (refused.violations[0].data or {})["available"]) == (EXCEEDED, "0.00")
    await arena.owner.execute("UPDATE loteria_multipliers SET value_x_hundredths = 10000 WHERE id = $1", dear)
    # 526 × 90 + 526 × 100 = 99,940, of 100,000.
    sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, ("07", 26), ("R07", 26)))))
    assert isinstance(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, ("07", 1)))), Refused)


async def test_stakes_count_where_a_multiplier_pays_less_than_them(arena: Arena, shop: Shop) -> None:
    half = await arena.add_multiplier("Half", 50)
    await bound(arena, 1_000)
    alone = await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, ("07", 1_001), multiplier_id=half)))
    assert isinstance(alone, Refused)
    assert alone.code == EXCEEDED
    sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, ("07", 1_000), multiplier_id=half))))
    refused = await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, ("07", 1), multiplier_id=half)))
    assert isinstance(refused, Refused)
    assert refused.code == EXCEEDED


async def test_a_cancel_gives_back_what_a_restore_is_judged_by(arena: Arena, shop: Shop) -> None:
    await bound(arena, 900_000)
    desk = Desk.of(arena, shop)
    first = await desk.sell(("07", 10_000))
    assert isinstance(await shop.cancel(arena.seller, ticket_id=first), Cancelled)
    assert (await costs(arena.owner, arena.sorteo_id))[7] == (0, 0, 0)
    second = await desk.sell(("07", 1))
    refused = await desk.restore(first)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.recorded) == (EXCEEDED, True)
    assert isinstance(await shop.cancel(arena.seller, ticket_id=second), Cancelled)
    assert isinstance(await desk.restore(first), Restored)
    assert await findings(arena.owner, arena.banca_id) == []


@pytest.mark.parametrize(("lines", "cents", "x"), [(200, LINE, 999_900), (200, LINE, 9_000), (200, LINE, 1)])
async def test_no_sale_of_the_largest_tickets_passes_what_the_books_hold(
    arena: Arena, shop: Shop, evaluator: Evaluator, lines: int, cents: int, x: int
) -> None:
    """47 tickets at 9999.00, or 5,270 at 90.00, were more than a bigint holds: the draw could never be evaluated."""
    multiplier = await arena.add_multiplier("Dear", x)
    bets: list[Bet] = [(f"{n % 100:02d}", cents) for n in range(lines)]
    asked = [
        sale(arena.sellers[n % 2], ticket(arena.sorteo_id, *bets, multiplier_id=multiplier)) for n in range(47)
    ] + [sale(arena.seller, ticket(arena.sorteo_id, ("07", 100)))]
    judged = [code_of(outcome) for outcome in await shop.record(asked[:25]) + await shop.record(asked[25:])]
    each = max(2 * cents * x // 100, 2 * cents)
    fit = min(47, PAYOUT_CENTS_MAX // each)
    assert judged == ["SOLD"] * fit + [EXCEEDED] * (47 - fit) + ["SOLD"]
    worst = {
        number: max(staked, paid) for number, (staked, paid, _) in (await costs(arena.owner, arena.sorteo_id)).items()
    }
    assert max(worst[number] for number in worst if number >= 0) <= PAYOUT_CENTS_MAX
    await draw_now(arena.owner, arena.sorteo_id)
    assert await request(arena, "07") == "REQUESTED"
    await evaluator.finish()
    assert (await result(arena.owner, arena.sorteo_id))["state"] == "DONE"
    assert await findings(arena.owner, arena.banca_id) == []


async def test_a_dynamic_limit_of_the_largest_sales_does_not_overflow(arena: Arena, shop: Shop) -> None:
    await arena.owner.execute(
        "INSERT INTO restriction_rules (banca_id, id, whole_banca, base_amount_cents, sales_basis_points)"
        " VALUES ($1, gen_random_uuid(), true, $2, 10000)",
        arena.banca_id, LINE,
    )  # fmt: skip
    multiplier = await arena.add_multiplier("One", 100)
    await arena.owner.execute(
        "INSERT INTO exposure (banca_id, sorteo_id, scope, scope_id, multiplier_key, number, amount_cents, counted_cents)"
        " VALUES ($1, $2, 'BANCA', $1, '00000000-0000-0000-0000-000000000000', -1, $3, $3)",
        arena.banca_id, arena.sorteo_id, PAYOUT_CENTS_MAX * 1000,
    )  # fmt: skip
    asked = [
        sale(seller, ticket(arena.sorteo_id, ("07", LINE), multiplier_id=multiplier)) for seller in arena.sellers * 2
    ]
    assert [code_of(outcome) for outcome in await shop.record(asked)] == ["SOLD"] * 4
    # One by one, because the seller's funds do not suffice.
    await arena.owner.execute("UPDATE accounts SET credit_limit_cents = $1 - balance_cents", LINE)
    asked = [sale(arena.seller, ticket(arena.sorteo_id, ("07", LINE), multiplier_id=multiplier)) for _ in range(2)]
    assert [code_of(outcome) for outcome in await shop.record(asked)] == ["SOLD", "INSUFFICIENT_FUNDS"]


async def test_a_draw_that_was_sold_before_payouts_were_kept_is_counted_by_its_next_sale(
    arena: Arena, shop: Shop
) -> None:
    await arena.add_multiplier("Extra", 20_000, kind="REVENTADO")
    for bets in ((("07", 500), ("R07", 100)), (("08", 250),)):
        sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, *bets))))
    kept = await costs(arena.owner, arena.sorteo_id)
    cancelled = sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, ("08", 300)))))
    await arena.owner.execute("UPDATE exposure SET payout_cents = 0, reventado_cents = 0, counted_cents = 0")
    await shop.cancel(arena.seller, ticket_id=cancelled.id)
    # What is not counted is not judged by the books.
    assert await findings(arena.owner, arena.banca_id) == []
    await bound(arena, 65_000)
    refused = await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, ("07", 1))))
    assert isinstance(refused, Refused)
    assert refused.code == EXCEEDED
    assert await costs(arena.owner, arena.sorteo_id) == kept
    assert await findings(arena.owner, arena.banca_id) == []


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_is_sold_and_taken_back_the_counters_are_what_the_jugadas_say(
    arena: Arena, shop: Shop, seed: int
) -> None:
    """A model beside the till: the same verdicts, and after every step the same costs."""
    chance = random.Random(seed)
    limit = 300_000
    await bound(arena, limit)
    await arena.add_multiplier("Extra", 12_345, kind="REVENTADO")
    odd = await arena.add_multiplier("Odd", 8_333)
    desk, multipliers = Desk.of(arena, shop), {None: 9_000, odd: 8_333}
    model: dict[UUID, Entry] = {}
    excluded: set[UUID] = set()

    def cost(number: str) -> int:
        return sum(e.claims.get(number, 0) for e in model.values() if e.is_live and e.seller_id not in excluded)

    def tickets_of(*, is_live: bool) -> list[UUID]:
        """What may be cancelled, or restored."""
        return [t for t, e in model.items() if e.is_live is is_live and e.seller_id not in excluded]

    def seller_of(ticket_id: UUID) -> Seller:
        return next(seller for seller in arena.sellers if seller.id == model[ticket_id].seller_id)

    for _ in range(40):
        seller = chance.choice(arena.sellers)
        match chance.choice(("sell", "sell", "sell", "cancel", "restore", "exclude", "include")):
            case "sell" if seller.id not in excluded:
                chosen = chance.choice(list(multipliers))
                number, cents = chance.choice(("07", "08")), chance.randrange(1, 1_500)
                bets: list[Bet] = [(number, cents)]
                claims = {number: (cents * multipliers[chosen] + 50) // 100}
                if chance.random() < 0.5:
                    bets.append((f"R{number}", cents))
                    claims[number] += (cents * 12_345 + 50) // 100
                answer = await shop.sell(sale(seller, ticket(arena.sorteo_id, *bets, multiplier_id=chosen)))
                # REVENTADO that stands already is rounded up as a whole; a cent or two is not worth a model.
                if cost(number) + claims[number] <= limit - 40:
                    model[sold(answer).id] = Entry(seller.id, claims)
                elif cost(number) + claims[number] > limit + 40:
                    assert isinstance(answer, Refused)
                    assert answer.code == EXCEEDED
                elif isinstance(answer, Sold):
                    model[answer.record.id] = Entry(seller.id, claims)
            case "cancel" if tickets_of(is_live=True):
                ticket_id = chance.choice(tickets_of(is_live=True))
                assert isinstance(await shop.cancel(seller_of(ticket_id), ticket_id=ticket_id), Cancelled)
                model[ticket_id].is_live = False
            case "restore" if tickets_of(is_live=False):
                ticket_id = chance.choice(tickets_of(is_live=False))
                restored = await desk.restore(ticket_id, seller=seller_of(ticket_id))
                model[ticket_id].is_live = isinstance(restored, Restored)
            case "exclude" if seller.id not in excluded:
                assert isinstance(await desk.exclude(vendedor_id=seller.id), ListaMoved)
                excluded.add(seller.id)
            case "include" if seller.id in excluded:
                assert isinstance(await desk.include(vendedor_id=seller.id), ListaMoved)
                excluded.remove(seller.id)
            case _:
                continue
        assert await findings(arena.owner, arena.banca_id) == []
