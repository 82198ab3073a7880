"""GET /tickets/validation/balances: what it says is left is what the till then sells."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from tests.api.limiting import (
    balances,
    bet,
    cents_of,
    limit_banca,
    limit_draw,
    limit_whole_sales,
    restrict,
)
from tests.api.selling import CANCEL, sell, ticket
from tests.arena import Arena
from tests.pos import Pos, new_key
from tests.running_api import RunningApi

Sales = list[tuple[int, str, int]]
Limit = Callable[[Arena], Awaitable[Any]]


async def sell_all(api: RunningApi, arena: Arena, sales: Sales) -> None:
    """(which seller, number, cents)"""
    for seller, number, cents in sales:
        answer = await bet(Pos(api, arena.sellers[seller]), arena, number, cents)
        assert answer.status == 201, answer.body


def rule(**columns: Any) -> Limit:
    """A rule of the banca's, unless it says "ventana" or "user"."""

    async def make(arena: Arena) -> UUID:
        scopes: dict[str, dict[str, Any]] = {
            "banca": {"whole_banca": True},
            "ventana": {"ventana_id": arena.ventana_id},
            "user": {"user_id": arena.seller.id},
        }
        others = {name: value for name, value in columns.items() if name != "of"}
        return await restrict(arena, **scopes[columns.get("of", "banca")], **others)

    return make


def each(*limits: Limit) -> Limit:
    async def make(arena: Arena) -> None:
        for limit in limits:
            await limit(arena)

    return make


BEFORE: Sales = [(0, "15", 30_000), (1, "15", 20_000), (0, "20", 150_000)]
# What holds, and what is left of 15 for the first seller after BEFORE was sold without it, in cents.
TABLE: dict[str, tuple[Limit, int]] = {
    "banca": (rule(max_total_cents=100_000), 50_000),
    "ventana": (rule(of="ventana", max_total_cents=100_000), 50_000),
    "seller": (rule(of="user", max_total_cents=100_000), 70_000),
    "seller, one number": (rule(of="user", number=15, max_total_cents=31_000), 1_000),
    "each seller": (rule(applies_to_vendedor=True, max_total_cents=100_000), 70_000),
    "each seller of the ventana": (rule(of="ventana", applies_to_vendedor=True, max_total_cents=90_000), 60_000),
    "sold out": (rule(of="ventana", max_total_cents=40_000), 0),
    "banca, dynamic": (rule(base_amount_cents=1_000, sales_basis_points=3_000), 10_000),
    "ventana, dynamic": (rule(of="ventana", sales_basis_points=3_000, number=15), 10_000),
    "seller, dynamic": (rule(of="user", sales_basis_points=2_000), 6_000),
    "dynamic base": (rule(of="ventana", base_amount_cents=70_000, sales_basis_points=1), 20_000),
    "base alone": (rule(of="ventana", base_amount_cents=70_000), 20_000),
    "static under dynamic": (rule(max_total_cents=55_000, base_amount_cents=1_000, sales_basis_points=9_000), 5_000),
    "number of the draw": (lambda arena: limit_draw(arena, 10_000, n15=60_000), 10_000),
    "every number of the draw": (lambda arena: limit_draw(arena, 60_000, n16=0), 10_000),
    "number of the draw, blocked": (lambda arena: limit_draw(arena, None, n15=0), 0),
    "banca's setting": (lambda arena: limit_banca(arena, 61_000), 11_000),
    "several": (
        each(
            rule(max_total_cents=100_000),
            rule(of="ventana", max_total_cents=75_000),
            rule(of="user", number=15, max_total_cents=90_000),
            lambda arena: limit_draw(arena, 80_000),
        ),
        25_000,
    ),
}


@pytest.mark.parametrize("name", TABLE)
async def test_what_is_left_is_what_is_sold(api: RunningApi, arena: Arena, name: str) -> None:
    """Read before and after the first governed sale: a counter is summed at first, and tracked from then on."""
    limit, left = TABLE[name]
    pos = Pos(api, arena.seller)
    await sell_all(api, arena, BEFORE)
    await limit(arena)
    shown = (await balances(api, arena, arena.seller))["numbers"]["15"]
    assert cents_of(shown["remaining"]) == left
    for _ in range(2):
        refused = await bet(pos, arena, "15", left + 1)
        assert (refused.status, refused.code) == (409, "NUMBER_MAXTOTAL_EXCEEDED"), refused.body
        [strictest] = [one for one in refused.json()["violations"] if one["mostRestrictive"]]
        assert (strictest["available"], strictest["limit"]) == (shown["remaining"], shown["limit"])
        assert shown == (await balances(api, arena, arena.seller))["numbers"]["15"]
        if left:
            assert (await bet(pos, arena, "15", left)).status == 201
        # A dynamic limit has grown with this sale.
        shown = (await balances(api, arena, arena.seller))["numbers"]["15"]
        left = cents_of(shown["remaining"])


async def test_res_5_the_dynamic_limit_is_the_greater_of_base_and_percentage(api: RunningApi, arena: Arena) -> None:
    await sell_all(api, arena, [(0, "15", 130_000), (1, "20", 9_265_000)])
    rule_id = await restrict(arena, whole_banca=True, base_amount_cents=250_000, sales_basis_points=300)
    read = await balances(api, arena, arena.seller)
    assert read["numbers"]["15"] == {
        "remaining": "1518.50",
        "limit": "2818.50",
        "accumulated": "1300.00",
        "source": "RESTRICTION",
        "scope": "BANCA",
        "ruleId": str(rule_id),
        "ruleScope": "BANCA",
        "isDynamic": True,
    }
    assert len(read["numbers"]) == 100
    assert read["numbers"]["20"]["remaining"] == "0.00"
    assert read["numbers"]["00"]["remaining"] == "2818.50"
    assert (await bet(Pos(api, arena.seller), arena, "15", 151_850)).status == 201


async def test_res_8_of_static_and_dynamic_the_stricter_holds(api: RunningApi, arena: Arena) -> None:
    await sell_all(api, arena, [(0, "15", 190_000), (1, "20", 9_205_000)])
    await restrict(arena, whole_banca=True, max_total_cents=200_000, base_amount_cents=100_000, sales_basis_points=300)
    shown = (await balances(api, arena, arena.seller))["numbers"]["15"]
    assert (shown["remaining"], shown["limit"], shown["isDynamic"]) == ("100.00", "2000.00", False)
    refused = await bet(Pos(api, arena.seller), arena, "15", 50_000)
    assert (refused.status, refused.json()["violations"][0]["available"]) == (409, "100.00")


async def test_the_draws_whole_sales_are_told_apart(api: RunningApi, arena: Arena) -> None:
    await sell_all(api, arena, BEFORE)
    assert (await balances(api, arena, arena.seller))["sorteo"] is None
    await limit_whole_sales(arena, 210_000)
    read = await balances(api, arena, arena.seller)
    assert read["numbers"] == {}
    assert {name: read["sorteo"][name] for name in ("remaining", "limit", "accumulated", "source")} == {
        "remaining": "100.00",
        "limit": "2100.00",
        "accumulated": "2000.00",
        "source": "MAX_TOTAL_PER_SORTEO",
    }
    assert (await bet(Pos(api, arena.seller), arena, "15", 10_001)).code == "SORTEO_MAXTOTAL_EXCEEDED"
    assert (await bet(Pos(api, arena.seller), arena, "15", 10_000)).status == 201


@pytest.mark.parametrize("of", ["banca", "ventana", "user"])
async def test_what_is_cancelled_is_left_again(api: RunningApi, arena: Arena, of: str) -> None:
    pos, key = Pos(api, arena.seller), new_key()
    await sell(pos, ticket(arena, {"type": "NUMERO", "number": "15", "amount": "40.00"}), key=key)
    await rule(of=of, max_total_cents=10_000)(arena)
    assert (await balances(api, arena, arena.seller))["numbers"]["15"]["remaining"] == "60.00"
    assert (await pos.post(CANCEL, {"saleKey": key}, key=new_key())).status == 200
    assert (await balances(api, arena, arena.seller))["numbers"]["15"]["remaining"] == "100.00"
    assert await arena.owner.fetchval("SELECT count(*) FROM exposure_tracking") == 0


async def test_only_numbers_that_are_limited_in_the_draw_and_are_played_are_shown(
    api: RunningApi, arena: Arena
) -> None:
    await arena.owner.execute(
        'UPDATE loterias SET rules = rules || \'{"numberRange": {"min": 10, "max": 59}}\' WHERE id = $1',
        arena.loteria_id,
    )
    pair = {"whole_banca": True, "loteria_id": arena.loteria_id, "multiplier_id": arena.multiplier_id}
    await restrict(arena, **pair, max_total_cents=1)
    await restrict(arena, max_total_cents=1)
    await restrict(arena, whole_banca=True, max_amount_cents=1)
    assert (await balances(api, arena, arena.seller))["numbers"] == {}
    await restrict(arena, whole_banca=True, number=7, max_total_cents=100)
    await restrict(arena, whole_banca=True, number=15, max_total_cents=100)
    assert list((await balances(api, arena, arena.seller))["numbers"]) == ["15"]
    await limit_draw(arena, 500)
    assert list((await balances(api, arena, arena.seller))["numbers"]) == [f"{n:02d}" for n in range(10, 60)]


async def test_a_draw_of_three_digits_has_a_thousand_numbers(api: RunningApi, arena: Arena) -> None:
    draw = await Arena.create(arena.owner, arena.settings, digits=3, number_cap_cents=5_000)
    assert (await bet(Pos(api, draw.seller), draw, "007", 1_000)).status == 201
    numbers = (await balances(api, draw, draw.seller))["numbers"]
    assert list(numbers) == [f"{n:03d}" for n in range(1_000)]
    assert {numbers[n]["remaining"] for n in numbers if n != "007"} == {"50.00"}
    assert (numbers["007"]["remaining"], numbers["007"]["source"]) == ("40.00", "GLOBAL_MAX_PER_NUMBER")
