"""A write that says what stands already changes nothing: it makes no version, and the trail tells nothing of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from core.domain.permissions import Role
from tests.api.ruling import API, OVERRIDES, RESTRICTIONS, Ruler, limits, places, ruler, stored_rules
from tests.arena import Arena
from tests.running_api import RunningApi

POLICY = {"version": 1, "defaultPercent": "5.00", "rules": [{"id": "all", "percent": "7.50"}]}
RULES = {"digits": 2, "minBetAmount": "100.00"}
Write = tuple[str, str, Any]


async def writes(banca: Ruler, arena: Arena) -> AsyncIterator[Write]:
    rule = await banca.restrict(bancaId=str(arena.banca_id), number="07", maxTotal="9.00", message="x")
    of_rule = f"{RESTRICTIONS}/{rule['id']}"
    yield "PATCH", of_rule, {"number": "7", "maxTotal": "8.00", "maxAmount": None, "message": "y"}
    yield "PATCH", of_rule, {"isActive": False}
    yield "DELETE", of_rule, None
    yield "POST", f"{of_rule}/restore", None
    owner = {"scope": "USER", "scopeId": str(arena.seller.id), "loteriaId": str(arena.loteria_id)}
    override = await banca.write("POST", OVERRIDES, {**owner, "baseMultiplierX": 85})
    of_override = f"{OVERRIDES}/{override['id']}"
    yield "PUT", of_override, {"baseMultiplierX": "86.50"}
    yield "DELETE", of_override, None
    yield "POST", f"{of_override}/restore", None
    for whose in (f"bancas/{arena.banca_id}", f"ventanas/{arena.ventana_id}", f"users/{arena.seller.id}"):
        for policy in (POLICY, None):
            yield "PUT", f"{API}/{whose}/commission-policy", {"commissionPolicyJson": policy}
    paths = places(arena)
    yield "PATCH", paths["settings"], {"defaultMinBet": "5.00", "globalMaxPerNumber": None, "salesCutoffMinutes": 9}
    for setting in (("88.00", "9.00"), (None, None)):
        yield "PUT", paths["loteria setting"], dict(zip(("baseMultiplierX", "maxTotalPerSorteo"), setting, strict=True))
    for of_draw in (limits("9.00", n07="1.00", n13=0), limits("9.00", n13=0), limits()):
        yield "PUT", paths["limits"], of_draw
    yield "PATCH", paths["loteria"], {"name": "Nica", "isActive": False, "rulesJson": RULES}
    yield "PATCH", paths["multiplier"], {"name": "Otra", "valueX": "89.00", "appliesToDate": "2026-12-24"}


async def test_what_is_written_again_makes_no_version_and_no_row(banca: Ruler, arena: Arena) -> None:
    async for method, path, document in writes(banca, arena):
        first = await banca.write(method, path, document)
        before = await stored_rules(arena.owner)
        assert await banca.write(method, path, document) == first, (method, path)
        assert await stored_rules(arena.owner) == before, (method, path, document)


async def test_a_setting_of_nothing_is_no_setting(banca: Ruler, arena: Arena) -> None:
    before = await stored_rules(arena.owner)
    await banca.write("PUT", places(arena)["loteria setting"], {"baseMultiplierX": None, "maxTotalPerSorteo": None})
    assert await stored_rules(arena.owner) == before


async def test_what_another_says_again_stays_its_authors(api: RunningApi, banca: Ruler, arena: Arena) -> None:
    ventana = await ruler(api, arena, Role.VENTANA)
    rule = await ventana.restrict(number="07", maxTotal="9.00")
    one = f"{RESTRICTIONS}/{rule['id']}"
    assert (await banca.write("PATCH", one, {"maxTotal": "9.00"}))["updatedByRole"] is None
    assert (await ventana.write("PATCH", one, {"maxTotal": "8.00"}))["updatedByRole"] == "VENTANA"
