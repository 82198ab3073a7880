"""Restrictions at the till: caps of every scope and key, exact under the lock, also when tracking starts mid-draw."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from core.till.cancels import Cancelled
from core.till.outcomes import Verdict
from core.till.refusals import Refused
from core.till.sales import SaleAnswer, Sold
from tests.arena import Arena
from tests.till.shop import Shop, sold
from tests.till.state import findings
from tests.till.tickets import sale, ticket

if TYPE_CHECKING:
    from tests.arena import Owner


async def restrict(owner: Owner, arena: Arena, **columns: Any) -> UUID:
    rule_id = uuid4()
    names = ["banca_id", "id", *columns]
    places = ", ".join(f"${place}" for place in range(1, len(names) + 1))
    await owner.execute(
        f"INSERT INTO restriction_rules ({', '.join(names)}) VALUES ({places})", arena.banca_id, rule_id,
        *columns.values(),
    )  # fmt: skip
    return rule_id


def code_of(answer: SaleAnswer) -> str:
    return "SOLD" if isinstance(answer, Sold) else answer.code


async def sell(shop: Shop, arena: Arena, cents: int, *, seller: int = 0, number: str = "15") -> SaleAnswer:
    return await shop.sell(sale(arena.sellers[seller], ticket(arena.sorteo_id, (number, cents))))


async def test_a_sellers_total_is_exact_and_binds_nobody_else(owner: Owner, arena: Arena, shop: Shop):
    rule = await restrict(owner, arena, user_id=arena.seller.id, number=15, max_total_cents=200_000)
    assert code_of(await sell(shop, arena, 180_000)) == "SOLD"
    refused = await sell(shop, arena, 20_100)
    assert isinstance(refused, Refused)
    assert refused.code == "NUMBER_MAXTOTAL_EXCEEDED"
    [violation] = [violation.to_json() for violation in refused.violations]
    assert (violation["available"], violation["ruleId"]) == ("200.00", str(rule))
    assert code_of(await sell(shop, arena, 20_000)) == "SOLD"
    assert code_of(await sell(shop, arena, 900_000, seller=1)) == "SOLD"
    assert await findings(owner, arena.banca_id) == []


async def test_a_rule_made_mid_draw_counts_what_was_sold_before_and_what_is_cancelled_after(
    owner: Owner, arena: Arena, shop: Shop
):
    first = sold(await sell(shop, arena, 100_000))
    await sell(shop, arena, 50_000, seller=1)
    await restrict(owner, arena, ventana_id=arena.ventana_id, max_total_cents=200_000)
    assert code_of(await sell(shop, arena, 50_001)) == "NUMBER_MAXTOTAL_EXCEEDED"
    assert code_of(await sell(shop, arena, 50_000)) == "SOLD"
    assert isinstance(await shop.cancel(arena.seller, ticket_id=first.id), Cancelled)
    assert code_of(await sell(shop, arena, 100_001, seller=1)) == "NUMBER_MAXTOTAL_EXCEEDED"
    assert code_of(await sell(shop, arena, 100_000, seller=1)) == "SOLD"
    tracked = await owner.fetch("SELECT scope::text FROM exposure_tracking")
    assert [row["scope"] for row in tracked] == ["VENTANA"]
    assert await findings(owner, arena.banca_id) == []


async def test_a_dynamic_limit_grows_with_its_scopes_sales(owner: Owner, arena: Arena, shop: Shop):
    await restrict(owner, arena, whole_banca=True, number=15, base_amount_cents=1_000, sales_basis_points=1_000)
    assert code_of(await sell(shop, arena, 1_001)) == "NUMBER_MAXTOTAL_EXCEEDED"
    assert code_of(await sell(shop, arena, 1_000)) == "SOLD"
    assert code_of(await sell(shop, arena, 99_000, number="20")) == "SOLD"
    # 10 % of 1,000.00 is 100.00, of which 10.00 are taken.
    assert code_of(await sell(shop, arena, 9_001)) == "NUMBER_MAXTOTAL_EXCEEDED"
    assert code_of(await sell(shop, arena, 9_000)) == "SOLD"
    assert await findings(owner, arena.banca_id) == []


async def test_a_ticket_is_told_every_limit_it_lacked_those_too_that_grow(owner: Owner, arena: Arena, shop: Shop):
    await restrict(owner, arena, whole_banca=True, max_total_cents=500)
    await restrict(owner, arena, user_id=arena.seller.id, base_amount_cents=50, sales_basis_points=1_000)
    refused = await sell(shop, arena, 800)
    assert isinstance(refused, Refused)
    told = [(found["ruleScope"], found["limit"]) for found in (violation.to_json() for violation in refused.violations)]
    assert told == [("USER", "0.50"), ("BANCA", "5.00")]


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


async def test_inside_a_batch_a_dynamic_limit_sees_the_sales_before_it(owner: Owner, arena: Arena, shop: Shop):
    await restrict(owner, arena, whole_banca=True, number=15, base_amount_cents=1_000, sales_basis_points=1_000)
    # After the second: 10 % of 1,000.00; after the third: 10 % of 1,050.00, of which 50.00 are taken.
    bets = [("15", 5_000), ("20", 100_000), ("15", 5_000), ("15", 5_501)]
    outcomes = await shop.record([sale(arena.seller, ticket(arena.sorteo_id, bet)) for bet in bets])
    assert [outcome.verdict.value for outcome in outcomes] == ["SOLD_OUT", "SOLD", "SOLD", "SOLD_OUT"]
    assert await findings(owner, arena.banca_id) == []


async def test_a_multipliers_own_limit_counts_its_jugadas_only(owner: Owner, arena: Arena, shop: Shop):
    band = await arena.add_multiplier("Banda 85", 8_500)
    await restrict(
        owner, arena, whole_banca=True, loteria_id=arena.loteria_id, multiplier_id=band, max_total_cents=10_000
    )
    assert code_of(await sell(shop, arena, 50_000)) == "SOLD"
    for cents, expected in [(10_000, "SOLD"), (100, "NUMBER_MAXTOTAL_EXCEEDED")]:
        asked = ticket(arena.sorteo_id, ("15", cents), multiplier_id=band)
        assert code_of(await shop.sell(sale(arena.seller, asked))) == expected
    assert await findings(owner, arena.banca_id) == []


async def test_a_limit_of_reventado_counts_reventado_only(owner: Owner, arena: Arena, shop: Shop):
    extra = await arena.add_multiplier("Extra", 20_000, kind="REVENTADO")
    await restrict(
        owner, arena, whole_banca=True, loteria_id=arena.loteria_id, multiplier_id=extra, max_total_cents=10_000
    )
    judged = [
        code_of(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, ("15", 20_000), ("R15", cents)))))
        for cents in (6_000, 4_001, 4_000, 1)
    ]
    assert judged == ["SOLD", "NUMBER_MAXTOTAL_EXCEEDED", "SOLD", "NUMBER_MAXTOTAL_EXCEEDED"]
    assert await findings(owner, arena.banca_id) == []


async def test_of_a_limit_that_was_lowered_below_what_is_sold_nothing_is_left(owner: Owner, arena: Arena, shop: Shop):
    assert code_of(await sell(shop, arena, 10_000)) == "SOLD"
    await restrict(owner, arena, whole_banca=True, number=15, max_total_cents=4_000)
    refused = await sell(shop, arena, 1)
    assert isinstance(refused, Refused)
    assert refused.violations[0].to_json()["available"] == "0.00"
    outcomes = await shop.record([sale(arena.seller, ticket(arena.sorteo_id, ("15", cents))) for cents in (1, 2)])
    assert [facts["availableCents"] for outcome in outcomes for facts in outcome.violations] == [0, 0]


async def test_a_draws_number_limit_replaces_its_limit_for_all(owner: Owner, arena: Arena, shop: Shop):
    await owner.execute("UPDATE sorteos SET global_limit_cents = 1000 WHERE id = $1", arena.sorteo_id)
    await owner.executemany(
        "INSERT INTO sorteo_number_limits (banca_id, sorteo_id, number, max_amount_cents) VALUES ($1, $2, $3, $4)",
        [(arena.banca_id, arena.sorteo_id, 15, 5_000), (arena.banca_id, arena.sorteo_id, 16, 0)],
    )
    judged = [code_of(await sell(shop, arena, cents, number=number)) for number, cents in
              [("15", 5_000), ("16", 1), ("17", 1_000), ("17", 1)]]  # fmt: skip
    assert judged == ["SOLD", "NUMBER_MAXTOTAL_EXCEEDED", "SOLD", "NUMBER_MAXTOTAL_EXCEEDED"]


@pytest.mark.parametrize("scope", ["user_id", "ventana_id", "whole_banca"])
async def test_of_twenty_bets_at_once_one_fits_what_is_left(owner: Owner, arena: Arena, shop: Shop, scope: str):
    places: dict[str, Any] = {"user_id": arena.seller.id, "ventana_id": arena.ventana_id, "whole_banca": True}
    await restrict(owner, arena, **{scope: places[scope]}, number=15, max_total_cents=100_000)
    assert code_of(await sell(shop, arena, 90_000)) == "SOLD"
    answers = await asyncio.gather(*(sell(shop, arena, 10_000) for _ in range(20)))
    codes = sorted(code_of(answer) for answer in answers)
    assert codes == ["NUMBER_MAXTOTAL_EXCEEDED"] * 19 + ["SOLD"]
    assert await findings(owner, arena.banca_id) == []


async def test_a_growing_limit_of_single_tickets_does_not_add_up(owner: Owner, arena: Arena, shop: Shop):
    await restrict(
        owner, arena, loteria_id=arena.loteria_id, multiplier_id=arena.multiplier_id, max_amount_cents=50_000,
        base_amount_cents=1_000, sales_basis_points=1_000,
    )  # fmt: skip
    assert code_of(await sell(shop, arena, 1_000)) == "SOLD"
    # Judged one by one, because of the one that is too large for itself.
    batch = [sale(arena.seller, ticket(arena.sorteo_id, ("15", cents))) for cents in (1_000, 1_001, 1_000)]
    assert [outcome.verdict.value for outcome in await shop.record(batch)] == ["SOLD", "SOLD_OUT", "SOLD"]
    assert await findings(owner, arena.banca_id) == []


async def test_funds_are_judged_on_the_net_one_ticket_after_another(owner: Owner, arena: Arena, shop: Shop):
    seller = await arena.add_seller(credit_limit_cents=180)
    await arena.give_policy("users", seller.id, "10")
    # 0.90 each; the third is one too many, and a smaller one behind it would have been too.
    batch = [sale(seller, ticket(arena.sorteo_id, ("15", cents))) for cents in (100, 100, 100, 1)]
    outcomes = await shop.record(batch)
    assert [outcome.verdict.value for outcome in outcomes] == ["SOLD", "SOLD", "NO_FUNDS", "NO_FUNDS"]
    assert await owner.fetchval("SELECT balance_cents FROM accounts WHERE id = $1", seller.id) == -180
    assert await findings(owner, arena.banca_id) == []
