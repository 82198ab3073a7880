"""How many rules a banca may have in force: judged under the rules' lock, whichever way they come into force."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from core.domain.permissions import Role
from core.settings import Settings
from tests.api.ruling import API, OVERRIDES, RESTRICTIONS, Ruler, places, ruler, stored_rules
from tests.arena import Arena
from tests.running_api import Answer, RunningApi

BOUND = 4
BOUNDS = {
    "banca_restrictions_max": BOUND,
    "banca_overrides_max": 2,
    "banca_multipliers_max": 3,
    "banca_commission_rules_max": BOUND,
    # Of 4 rules 2.
    "ventana_rules_percent": 50,
}


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[RunningApi]:
    async with RunningApi(settings.model_copy(update=BOUNDS)) as running:
        yield running


@pytest.fixture
async def banca(api: RunningApi, arena: Arena) -> Ruler:
    return await ruler(api, arena)


async def refused(arena: Arena, writer: Ruler, method: str, target: str, document: Any = None) -> Answer:
    """A write that is one too many, and leaves no trace."""
    before = await stored_rules(arena.owner)
    answer = await writer.send(method, target, document)
    assert (answer.status, answer.code) == (409, "RULES_MAX_REACHED"), answer.body
    assert await stored_rules(arena.owner) == before
    return answer


def rules(arena: Arena, *numbers: str, **members: Any) -> dict[str, Any]:
    return {"bancaId": str(arena.banca_id), "number": list(numbers), "maxTotal": "10.00", **members}


def policy(count: int) -> dict[str, Any]:
    listed = [{"multiplierRange": {"min": f"{n}.00", "max": f"{n}.00"}, "percent": "5.00"} for n in range(1, count + 1)]
    return {"commissionPolicyJson": {"version": 1, "defaultPercent": "0.00", "rules": listed}}


async def test_restrictions_are_bounded_at_a_list_a_restore_and_a_change(banca: Ruler, arena: Arena) -> None:
    answer = await refused(arena, banca, "POST", RESTRICTIONS, rules(arena, "01", "02", "03", "04", "05"))
    assert answer.json()["detail"] == "The banca may have 4 restrictions in force; with these it would have 5."
    written = (await banca.write("POST", RESTRICTIONS, rules(arena, "01", "02", "03", "04")))["data"]
    await refused(arena, banca, "POST", RESTRICTIONS, rules(arena, "05"))
    # What is switched off does not count, until it is switched on again.
    off = f"{RESTRICTIONS}/{written[0]['id']}"
    await banca.write("DELETE", off)
    inactive = (await banca.write("POST", RESTRICTIONS, rules(arena, "06", isActive=False)))["data"][0]["id"]
    await banca.write("POST", RESTRICTIONS, rules(arena, "05"))
    await refused(arena, banca, "POST", f"{off}/restore")
    await refused(arena, banca, "PATCH", f"{RESTRICTIONS}/{inactive}", {"isActive": True})


async def test_what_is_above_a_bound_that_was_lowered_stands_and_may_be_changed(
    settings: Settings, arena: Arena
) -> None:
    async with RunningApi(settings.model_copy(update={"banca_restrictions_max": 3})) as roomy:
        banca = await ruler(roomy, arena)
        written = (await banca.write("POST", RESTRICTIONS, rules(arena, "01", "02", "03")))["data"]
    async with RunningApi(settings.model_copy(update={"banca_restrictions_max": 1})) as narrow:
        banca = Ruler(narrow, banca.person)
        changed = f"{RESTRICTIONS}/{written[0]['id']}"
        assert (await banca.write("PATCH", changed, {"maxTotal": "20.00"}))["maxTotal"] == "20.00"
        await refused(arena, banca, "POST", RESTRICTIONS, rules(arena, "04"))
        await banca.write("DELETE", changed)
        await refused(arena, banca, "POST", f"{changed}/restore")


async def test_of_two_writers_at_once_only_one_gets_the_last_place(banca: Ruler, arena: Arena) -> None:
    await banca.write("POST", RESTRICTIONS, rules(arena, "01", "02", "03"))
    answers = await asyncio.gather(*(banca.send("POST", RESTRICTIONS, rules(arena, f"1{n}")) for n in range(5)))
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409, 409]


async def test_overrides_multipliers_and_commission_rules_are_bounded(banca: Ruler, arena: Arena) -> None:
    def override(scope: str, scope_id: object) -> dict[str, Any]:
        loteria = str(arena.loteria_id)
        return {"scope": scope, "scopeId": str(scope_id), "loteriaId": loteria, "baseMultiplierX": "80.00"}

    first = await banca.write("POST", OVERRIDES, override("USER", arena.sellers[0].id))
    await banca.write("POST", OVERRIDES, override("USER", arena.sellers[1].id))
    await refused(arena, banca, "POST", OVERRIDES, override("VENTANA", arena.ventana_id))
    await banca.write("DELETE", f"{OVERRIDES}/{first['id']}")
    await banca.write("POST", OVERRIDES, override("VENTANA", arena.ventana_id))
    await refused(arena, banca, "POST", f"{OVERRIDES}/{first['id']}/restore")

    multipliers = places(arena)["multipliers"]
    while len(await in_force(arena)) < BOUNDS["banca_multipliers_max"]:
        name = f"M{len(await in_force(arena))}"
        await banca.write("POST", multipliers, {"name": name, "kind": "NUMERO", "valueX": "70.00"})
    await refused(arena, banca, "POST", multipliers, {"name": "another", "kind": "NUMERO", "valueX": "70.00"})

    of_banca = f"{API}/bancas/{arena.banca_id}/commission-policy"
    of_ventana = f"{API}/ventanas/{arena.ventana_id}/commission-policy"
    await refused(arena, banca, "PUT", of_banca, policy(BOUND + 1))
    await banca.write("PUT", of_banca, policy(3))
    await refused(arena, banca, "PUT", of_ventana, policy(2))
    await banca.write("PUT", of_ventana, policy(1))
    await banca.write("PUT", of_banca, policy(2))
    await refused(arena, banca, "PUT", f"{API}/users/{arena.seller.id}/commission-policy", policy(2))


async def in_force(arena: Arena) -> list[Any]:
    return await arena.owner.fetch("SELECT FROM loteria_multipliers WHERE banca_id = $1 AND is_active", arena.banca_id)


async def test_a_ventana_cannot_use_up_what_the_banca_may_have(banca: Ruler, api: RunningApi, arena: Arena) -> None:
    ventana = await ruler(api, arena, Role.VENTANA)
    own = {"bancaId": None, "ventanaId": str(arena.ventana_id)}
    answer = await refused(arena, ventana, "POST", RESTRICTIONS, rules(arena, "01", "02", "03", **own))
    assert answer.json()["detail"] == "A ventana may have 2 restrictions in force; with these it would have 3."
    of_seller = {"bancaId": None, "userId": str(arena.seller.id)}
    await ventana.write("POST", RESTRICTIONS, rules(arena, "01", **of_seller))
    await ventana.write("POST", RESTRICTIONS, rules(arena, "01", **own))
    await refused(arena, ventana, "POST", RESTRICTIONS, rules(arena, "02", **of_seller))
    # The banca may write for it, and has the rest for itself.
    await banca.write("POST", RESTRICTIONS, rules(arena, "02", **own))
    await banca.write("POST", RESTRICTIONS, rules(arena, "03"))
    await refused(arena, ventana, "PUT", f"{API}/users/{arena.seller.id}/commission-policy", policy(3))
    await ventana.write("PUT", f"{API}/users/{arena.seller.id}/commission-policy", policy(2))
