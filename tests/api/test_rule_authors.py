"""What the banca set for a ventana or its sellers, the ventana neither changes nor lifts."""

from __future__ import annotations

from typing import Any

import pytest

from core.domain.permissions import Role
from tests.api.ruling import API, OVERRIDES, RESTRICTIONS, Ruler, ruler, stored_rules
from tests.arena import Arena
from tests.running_api import RunningApi

OF_THE_BANCA = (403, "RULE_OF_THE_BANCA")


@pytest.fixture
async def ventana(api: RunningApi, arena: Arena) -> Ruler:
    return await ruler(api, arena, Role.VENTANA)


def rules(arena: Arena) -> dict[str, dict[str, Any]]:
    """What a ventana may write, by its address."""
    owner = {"scope": "VENTANA", "scopeId": str(arena.ventana_id), "loteriaId": str(arena.loteria_id)}
    return {
        RESTRICTIONS: {"ventanaId": str(arena.ventana_id), "number": "07", "maxTotal": "5.00"},
        OVERRIDES: {**owner, "baseMultiplierX": "85.00"},
    }


CHANGES = {RESTRICTIONS: ("PATCH", {"maxTotal": "500.00"}), OVERRIDES: ("PUT", {"baseMultiplierX": "89.00"})}


async def made(who: Ruler, address: str, document: dict[str, Any]) -> str:
    answer = await who.write("POST", address, document)
    rule = answer["data"][0] if address == RESTRICTIONS else answer
    assert (rule["createdBy"], rule["createdByRole"]) == (str(who.person.id), who.person.role)
    return f"{address}/{rule['id']}"


async def require_untouchable(ventana: Ruler, arena: Arena, one: str, change: tuple[str, Any]) -> None:
    before = await stored_rules(arena.owner)
    for method, target, body in ((change[0], one, change[1]), ("DELETE", one, None), ("POST", f"{one}/restore", None)):
        answer = await ventana.send(method, target, body)
        assert (answer.status, answer.code) == OF_THE_BANCA, (method, target)
    assert await stored_rules(arena.owner) == before


@pytest.mark.parametrize("address", CHANGES)
@pytest.mark.parametrize("role", [Role.ADMIN, Role.BANCA])
async def test_a_ventana_leaves_alone_what_the_banca_wrote(
    api: RunningApi, ventana: Ruler, arena: Arena, address: str, role: Role
) -> None:
    above = await ruler(api, arena, role)
    one = await made(above, address, rules(arena)[address])
    await require_untouchable(ventana, arena, one, CHANGES[address])
    await above.write("DELETE", one)
    await require_untouchable(ventana, arena, one, CHANGES[address])


@pytest.mark.parametrize("address", CHANGES)
async def test_what_a_ventana_wrote_is_the_bancas_once_the_banca_has_changed_it(
    banca: Ruler, ventana: Ruler, arena: Arena, address: str
) -> None:
    one = await made(ventana, address, rules(arena)[address])
    method, body = CHANGES[address]
    for change in ((method, one, body), ("DELETE", one, None), ("POST", f"{one}/restore", None)):
        written = await ventana.write(*change)
        assert (written["updatedBy"], written["updatedByRole"]) == (str(ventana.person.id), "VENTANA")
    await banca.write("DELETE", one)
    await require_untouchable(ventana, arena, one, CHANGES[address])


async def test_a_colleague_of_the_same_ventana_changes_its_rules(api: RunningApi, ventana: Ruler, arena: Arena) -> None:
    one = await made(ventana, RESTRICTIONS, rules(arena)[RESTRICTIONS])
    colleague = await ruler(api, arena, Role.VENTANA)
    assert (await colleague.write("DELETE", one))["updatedBy"] == str(colleague.person.id)


async def test_a_rule_without_an_author_is_the_bancas(banca: Ruler, ventana: Ruler, arena: Arena) -> None:
    for address, table in ((RESTRICTIONS, "restriction_rules"), (OVERRIDES, "multiplier_overrides")):
        one = await made(ventana, address, rules(arena)[address])
        await arena.owner.execute(f"UPDATE {table} SET created_by = NULL, created_by_role = NULL")
        assert (await ventana.get(one))["createdBy"] is None
        await require_untouchable(ventana, arena, one, CHANGES[address])
        assert (await banca.write("DELETE", one))["updatedByRole"] == "BANCA"


async def test_what_a_ventana_earns_itself_it_does_not_set(ventana: Ruler, arena: Arena) -> None:
    before = await stored_rules(arena.owner)
    policy = {"commissionPolicyJson": {"version": 1, "defaultPercent": "20.00", "rules": []}}
    for whose, code in (
        (f"users/{ventana.person.id}", "RULE_OF_THE_BANCA"), (f"ventanas/{arena.ventana_id}", "FORBIDDEN"),
    ):  # fmt: skip
        path = f"{API}/{whose}/commission-policy"
        for document in (policy, {"commissionPolicyJson": None}):
            answer = await ventana.send("PUT", path, document)
            assert (answer.status, answer.code) == (403, code), whose
        # It reads it.
        assert await ventana.get(path) == {"commissionPolicyJson": None}
    assert await stored_rules(arena.owner) == before
    await ventana.write("PUT", f"{API}/users/{arena.seller.id}/commission-policy", policy)
