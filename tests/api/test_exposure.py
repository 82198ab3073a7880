"""GET /sorteos/{id}/exposure: stakes, caps and what a number would pay, as far as the role reaches."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from api.keys import SUM_TURNS
from api.routes import limits
from core.domain.permissions import Role
from tests.api.limiting import ask_exposure, bet, limit_banca, limit_draw, limit_whole_sales, restrict
from tests.api.selling import CANCEL, Contract, jugada, sell, ticket
from tests.arena import Arena, Person, Seller
from tests.pos import Pos, new_key
from tests.running_api import RunningApi


async def exposure(api: RunningApi, arena: Arena, person: Person, query: str = "") -> dict[str, Any]:
    answer = await ask_exposure(api, arena, person, query)
    assert answer.status == 200, answer.body
    read: dict[str, Any] = answer.json()
    return read


def of(read: dict[str, Any], number: str) -> dict[str, Any]:
    [found] = [one for one in read["numbers"] if one["number"] == number]
    return dict(found)


async def far_seller(arena: Arena) -> Seller:
    return await arena.add_seller(ventana_id=await arena.add_ventana())


async def sell_some(api: RunningApi, arena: Arena, far: Seller) -> None:
    """By number 15: 300.00 × 90 and 100.00 REVENTADO here, 50.00 × 85.55 elsewhere; on 20: 10.00; and a cancel."""
    band = await arena.add_multiplier("Banda", 8_555)
    here = Pos(api, arena.seller)
    await sell(here, ticket(arena, jugada("15", "300.00"), jugada("15", "100.00", "REVENTADO")))
    await sell(Pos(api, far), ticket(arena, jugada("15", "50.00", multiplierId=str(band))))
    await sell(Pos(api, arena.sellers[1]), ticket(arena, jugada("20", "10.00")))
    key = new_key()
    await sell(here, ticket(arena, jugada("20", "7.00"), jugada("20", "7.00", "REVENTADO")), key=key)
    assert (await here.post(CANCEL, {"saleKey": key}, key=new_key())).status == 200


@pytest.mark.parametrize("role", [Role.ADMIN, Role.BANCA])
async def test_the_bancas_exposure_is_of_all_live_jugadas(api: RunningApi, arena: Arena, role: Role) -> None:
    await sell_some(api, arena, await far_seller(arena))
    read = await exposure(api, arena, await arena.add_user(role))
    assert [one["number"] for one in read["numbers"]] == [f"{n:02d}" for n in range(100)]
    assert of(read, "15") == {
        "number": "15",
        "stake": "450.00",
        "reventadoStake": "100.00",
        "potentialPayout": "31277.50",
        "cap": None,
    }
    assert (of(read, "20")["stake"], of(read, "20")["potentialPayout"]) == ("10.00", "900.00")
    assert of(read, "21") == {
        "number": "21", "stake": "0.00", "reventadoStake": "0.00", "potentialPayout": "0.00", "cap": None
    }  # fmt: skip
    assert read["totals"] == {
        "stake": "460.00",
        "reventadoStake": "100.00",
        "maxPotentialPayout": "31277.50",
        "maxPotentialPayoutNumber": "15",
        "cap": None,
    }
    assert (read["sorteoStatus"], read["ventanaId"]) == ("OPEN", None)


async def test_a_ventana_sees_its_own_stakes_whether_they_are_tracked_or_not(api: RunningApi, arena: Arena) -> None:
    far = await far_seller(arena)
    await sell_some(api, arena, far)
    near_user, far_user = [await arena.add_user(Role.VENTANA, ventana_id=v) for v in (None, far.ventana_id)]
    for is_tracked in (False, True):
        near_read, far_read = await exposure(api, arena, near_user), await exposure(api, arena, far_user)
        assert (of(near_read, "15")["stake"], near_read["totals"]["stake"]) == ("400.00", "410.00")
        assert (of(near_read, "15")["reventadoStake"], of(near_read, "15")["potentialPayout"]) == ("100.00", "27000.00")
        assert (of(far_read, "15")["stake"], far_read["totals"]["stake"]) == ("50.00", "50.00")
        assert far_read["totals"]["maxPotentialPayout"] == "4277.50"
        assert (near_read["ventanaId"], far_read["ventanaId"]) == (str(arena.ventana_id), str(far.ventana_id))
        tracked = await arena.owner.fetchval("SELECT count(*) FROM exposure_tracking")
        assert tracked == (2 if is_tracked else 0)
        if not is_tracked:
            for ventana_id, seller in ((arena.ventana_id, arena.seller), (far.ventana_id, far)):
                await restrict(arena, ventana_id=ventana_id, number=99, max_total_cents=10)
                assert (await bet(Pos(api, seller), arena, "99", 11)).status == 409


async def test_what_a_line_pays_is_rounded_half_up(api: RunningApi, arena: Arena) -> None:
    half = await arena.add_multiplier("Media", 150)
    for cents in (1, 3):
        assert (await bet(Pos(api, arena.seller), arena, "15", cents, multiplierId=str(half))).status == 201
    read = await exposure(api, arena, await arena.add_user(Role.BANCA))
    # 0.015 → 0.02, and 0.045 → 0.05.
    assert of(read, "15")["potentialPayout"] == "0.07"


async def test_the_cap_is_of_what_binds_everybody_here(api: RunningApi, arena: Arena) -> None:
    far = await far_seller(arena)
    await sell_some(api, arena, far)
    banca, near, away = [
        await arena.add_user(Role.BANCA),
        await arena.add_user(Role.VENTANA),
        await arena.add_user(Role.VENTANA, ventana_id=far.ventana_id),
    ]

    async def caps() -> list[tuple[str, str, str] | None]:
        found = [of(await exposure(api, arena, person), "15")["cap"] for person in (banca, near, away)]
        return [cap and (cap["source"], cap["scope"], cap["remaining"]) for cap in found]

    await restrict(arena, user_id=arena.seller.id, max_total_cents=1)
    await restrict(arena, whole_banca=True, applies_to_vendedor=True, max_total_cents=1)
    assert await caps() == [None, None, None]
    await limit_banca(arena, 100_000)
    assert await caps() == [("GLOBAL_MAX_PER_NUMBER", "BANCA", "550.00")] * 3
    await limit_draw(arena, 1_000_000, n15=95_000)
    assert await caps() == [("SORTEO_NUMBER_LIMIT", "BANCA", "500.00")] * 3
    await restrict(arena, ventana_id=arena.ventana_id, max_total_cents=70_000)
    expected = ("SORTEO_NUMBER_LIMIT", "BANCA", "500.00")
    assert await caps() == [expected, ("RESTRICTION", "VENTANA", "300.00"), expected]
    await restrict(arena, whole_banca=True, sales_basis_points=9_900)
    # 99 % of 460.00 is 455.40.
    assert await caps() == [("RESTRICTION", "BANCA", "5.40")] * 3


async def test_the_whole_sales_have_a_cap_of_their_own(api: RunningApi, arena: Arena) -> None:
    await sell_some(api, arena, await far_seller(arena))
    await limit_whole_sales(arena, 50_000)
    read = await exposure(api, arena, await arena.add_user(Role.VENTANA))
    assert read["totals"]["stake"] == "410.00"
    assert (read["totals"]["cap"]["accumulated"], read["totals"]["cap"]["remaining"]) == ("460.00", "40.00")
    assert of(read, "15")["cap"] is None


async def test_without_payouts_only_counters_are_told(api: RunningApi, arena: Arena) -> None:
    await sell_some(api, arena, await far_seller(arena))
    read = await exposure(api, arena, await arena.add_user(Role.BANCA), "?payouts=false")
    assert of(read, "15") == {
        "number": "15", "stake": "450.00", "reventadoStake": None, "potentialPayout": None, "cap": None
    }  # fmt: skip
    assert read["totals"]["maxPotentialPayout"] is None


async def test_sums_wait_for_each_other_and_counters_for_nobody(
    api: RunningApi, arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    banca = await arena.add_user(Role.BANCA)
    monkeypatch.setattr(limits, "SUM_WAIT_S", 0.01)
    async with api.app[SUM_TURNS]:
        busy = await ask_exposure(api, arena, banca)
        assert (busy.status, busy.code, busy.headers["Retry-After"]) == (503, "EXPOSURE_BUSY", "1")
        await exposure(api, arena, banca, "?payouts=false")
    for _ in range(2):
        await exposure(api, arena, banca)


async def test_a_draw_that_sold_nothing_pays_nothing(api: RunningApi, arena: Arena) -> None:
    read = await exposure(api, arena, await arena.add_user(Role.BANCA))
    assert read["totals"] == {
        "stake": "0.00",
        "reventadoStake": "0.00",
        "maxPotentialPayout": "0.00",
        "maxPotentialPayoutNumber": None,
        "cap": None,
    }


async def test_a_seller_may_not_look_and_another_tenants_draw_is_not_there(api: RunningApi, arena: Arena) -> None:
    refused = await ask_exposure(api, arena, arena.seller)
    assert (refused.status, refused.code) == (403, "FORBIDDEN")
    stranger = await Arena.create(arena.owner, arena.settings)
    for person in (await arena.add_user(Role.BANCA), await arena.add_user(Role.VENTANA)):
        for sorteo_id in (stranger.sorteo_id, uuid4()):
            answer = await api.get(f"/api/v1/sorteos/{sorteo_id}/exposure", token=person.token)
            assert (answer.status, answer.code) == (404, "SORTEO_NOT_FOUND")


@pytest.mark.parametrize("query", ["?payouts=perhaps", "?payouts=true&payouts=true", "?ventanaId=7"])
async def test_a_malformed_question_is_refused(api: RunningApi, arena: Arena, query: str) -> None:
    answer = await ask_exposure(api, arena, await arena.add_user(Role.BANCA), query)
    assert (answer.status, answer.code) == (400, "VALIDATION_FAILED")


async def test_the_answer_is_as_documented(api: RunningApi, arena: Arena) -> None:
    contract = await Contract.of(api)
    await limit_banca(arena, 100_000)
    answer = await ask_exposure(api, arena, await arena.add_user(Role.BANCA))
    contract.require(answer, "GET", "/api/v1/sorteos/{sorteoId}/exposure")
