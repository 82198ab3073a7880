"""Base multipliers of single sellers and ventanas over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

from core.domain.permissions import Role
from tests.api.ruling import OVERRIDES, Ruler, ruler, stored_rules, version_of
from tests.api.selling import Contract, sell, ticket
from tests.arena import Arena
from tests.pos import Pos
from tests.running_api import RunningApi


def override(arena: Arena, scope: str = "USER", scope_id: UUID | None = None, **others: Any) -> dict[str, Any]:
    owner_id = scope_id or (arena.seller.id if scope == "USER" else arena.ventana_id)
    return {
        "scope": scope, "scopeId": str(owner_id), "loteriaId": str(arena.loteria_id), "baseMultiplierX": "85.00",
        **others,
    }  # fmt: skip


async def sold_at(api: RunningApi, arena: Arena) -> str:
    sold = await sell(Pos(api, arena.seller), ticket(arena))
    return str(sold["jugadas"][0]["finalMultiplierX"])


async def test_an_override_holds_for_the_next_sale_and_ends_when_it_is_switched_off(
    api: RunningApi, banca: Ruler, arena: Arena
) -> None:
    before = await version_of(arena.owner, arena.banca_id)
    for_all = await banca.write("POST", OVERRIDES, override(arena, "VENTANA", baseMultiplierX=80.5))
    assert (for_all["baseMultiplierX"], for_all["rulebookVersion"]) == ("80.50", before + 1)
    assert await sold_at(api, arena) == "80.50"
    own = await banca.write("POST", OVERRIDES, override(arena))
    assert await sold_at(api, arena) == "85.00"
    one = f"{OVERRIDES}/{own['id']}"
    changed = await banca.write("PUT", one, {"baseMultiplierX": "70.00"})
    assert changed == {
        **own, "baseMultiplierX": "70.00", "updatedAt": changed["updatedAt"], "rulebookVersion": before + 3,
        "updatedBy": str(banca.person.id), "updatedByRole": "BANCA",
    }  # fmt: skip
    assert await sold_at(api, arena) == "70.00"
    assert (await banca.write("DELETE", one))["isActive"] is False
    assert await sold_at(api, arena) == "80.50"
    assert (await banca.write("POST", f"{one}/restore"))["isActive"] is True
    assert await sold_at(api, arena) == "70.00"
    version = await version_of(arena.owner, arena.banca_id)
    assert (await banca.write("POST", f"{one}/restore"))["rulebookVersion"] == version


async def test_of_ten_overrides_for_one_seller_at_once_one_is_written(banca: Ruler, arena: Arena) -> None:
    answers = await asyncio.gather(*(banca.send("POST", OVERRIDES, override(arena)) for _ in range(10)))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 9
    assert {answer.code for answer in answers} == {None, "OVERRIDE_EXISTS"}


async def test_an_override_is_not_restored_beside_its_successor(banca: Ruler, arena: Arena) -> None:
    first = await banca.write("POST", OVERRIDES, override(arena))
    await banca.write("DELETE", f"{OVERRIDES}/{first['id']}")
    await banca.write("POST", OVERRIDES, override(arena, baseMultiplierX="70.00"))
    before = await stored_rules(arena.owner)
    answer = await banca.send("POST", f"{OVERRIDES}/{first['id']}/restore")
    assert (answer.status, answer.code) == (409, "OVERRIDE_EXISTS")
    assert await stored_rules(arena.owner) == before


async def test_a_malformed_override_is_refused_and_changes_nothing(banca: Ruler, arena: Arena) -> None:
    table: list[tuple[dict[str, Any], str]] = [
        ({"baseMultiplierX": 0}, "baseMultiplierX"),
        ({"baseMultiplierX": "10000"}, "baseMultiplierX"),
        ({"baseMultiplierX": "85.001"}, "baseMultiplierX"),
        ({"baseMultiplierX": None}, "baseMultiplierX"),
        ({"baseMultiplierX": True}, "baseMultiplierX"),
        ({"scope": "BANCA"}, "scope"),
        ({"scopeId": "me"}, "scopeId"),
        ({"multiplierType": "REVENTADO"}, "multiplierType"),
        ({"isActive": False}, "isActive"),
    ]
    before = await stored_rules(arena.owner)
    for change, field in table:
        answer = await banca.send("POST", OVERRIDES, override(arena) | change)
        assert (answer.status, answer.code) == (400, "VALIDATION_FAILED"), change
        assert [violation["field"] for violation in answer.json()["violations"]] == [field]
    assert await stored_rules(arena.owner) == before


async def test_who_may_give_a_multiplier_to_whom(api: RunningApi, arena: Arena) -> None:
    stranger, other = await Arena.create(arena.owner, arena.settings), await arena.add_ventana()
    other_seller = (await arena.add_seller(ventana_id=other)).id
    listero = await arena.add_user(Role.VENTANA)
    done, no_seller, no_ventana = (201, None), (404, "SELLER_NOT_FOUND"), (404, "VENTANA_NOT_FOUND")
    table = [
        (override(arena), done, done, done),
        (override(arena, "VENTANA"), done, done, done),
        (override(arena, "USER", other_seller), done, done, no_seller),
        (override(arena, "VENTANA", other), done, done, no_ventana),
        (override(arena, "USER", stranger.seller.id), no_seller, no_seller, no_seller),
        (override(arena, "USER", listero.id), no_seller, no_seller, no_seller),
        (override(arena, "USER", arena.ventana_id), no_seller, no_seller, no_seller),
        (override(arena, "VENTANA", stranger.ventana_id), no_ventana, no_ventana, no_ventana),
        (override(arena, "VENTANA", uuid4()), no_ventana, no_ventana, no_ventana),
        (override(arena, loteriaId=str(stranger.loteria_id)), *[(404, "LOTERIA_NOT_FOUND")] * 3),
    ]
    by_role = [await ruler(api, arena, role) for role in (Role.ADMIN, Role.BANCA, Role.VENTANA)]
    for document, *outcomes in table:
        for who, wanted in zip(by_role, outcomes, strict=True):
            answer = await who.send("POST", OVERRIDES, document)
            assert (answer.status, answer.code) == wanted, (who.person.role, document)
            if answer.status == 201:
                await who.write("DELETE", f"{OVERRIDES}/{answer.json()['id']}")


async def test_everybody_sees_the_overrides_of_their_place_and_changes_no_others(api: RunningApi, arena: Arena) -> None:
    other = await arena.add_ventana()
    admin = await ruler(api, arena, Role.ADMIN)
    made = {
        name: (await admin.write("POST", OVERRIDES, document))["id"]
        for name, document in {
            "own": override(arena),
            "colleague": override(arena, "USER", arena.sellers[1].id),
            "ventana": override(arena, "VENTANA"),
            "other": override(arena, "VENTANA", other),
        }.items()
    }
    foreign = await ruler(api, await Arena.create(arena.owner, arena.settings))
    table = [
        (admin, set(made), 200),
        # The banca's are not the ventana's to change.
        (await ruler(api, arena, Role.VENTANA), {"own", "colleague", "ventana"}, 403),
        (Ruler(api, arena.seller), {"own", "ventana"}, 403),
        (foreign, set(), 404),
    ]
    for who, wanted, writes in table:
        listed = (await who.get(OVERRIDES))["data"]
        assert {row["id"] for row in listed} == {made[name] for name in wanted}
        for name, override_id in made.items():
            one = f"{OVERRIDES}/{override_id}"
            assert (await who.send("GET", one)).status == (200 if name in wanted else 404)
            for method, target, body in (
                ("PUT", one, {"baseMultiplierX": "60.00"}),
                ("DELETE", one, None),
                ("POST", f"{one}/restore", None),
            ):
                before = await stored_rules(arena.owner)
                answer = await who.send(method, target, body)
                status = writes if name in wanted or who.person.role is Role.VENDEDOR else 404
                assert answer.status == status, (who.person.role, name, method)
                assert status == 200 or await stored_rules(arena.owner) == before


async def test_overrides_are_found_by_whose_they_are(banca: Ruler, arena: Arena) -> None:
    own = await banca.write("POST", OVERRIDES, override(arena))
    whole = await banca.write("POST", OVERRIDES, override(arena, "VENTANA"))
    await banca.write("DELETE", f"{OVERRIDES}/{whole['id']}")
    table = {
        "": [whole["id"], own["id"]],
        f"scopeId={arena.seller.id}": [own["id"]],
        "isActive=false": [whole["id"]],
        f"loteriaId={uuid4()}": [],
        "pageSize=1": [whole["id"]],
    }
    for query, wanted in table.items():
        assert [row["id"] for row in (await banca.get(f"{OVERRIDES}?{query}"))["data"]] == wanted, query


async def test_every_answer_is_as_documented(api: RunningApi, banca: Ruler, arena: Arena) -> None:
    contract, one = await Contract.of(api), f"{OVERRIDES}/{{overrideId}}"
    made = contract.require(await banca.send("POST", OVERRIDES, override(arena)), "POST", OVERRIDES)
    path = f"{OVERRIDES}/{made['id']}"
    for method, target, described, body in (
        ("GET", OVERRIDES, OVERRIDES, None),
        ("GET", path, one, None),
        ("PUT", path, one, {"baseMultiplierX": 1}),
        ("DELETE", path, one, None),
        ("POST", f"{path}/restore", f"{one}/restore", None),
        ("POST", OVERRIDES, OVERRIDES, override(arena)),
    ):
        contract.require(await banca.send(method, target, body), method, described)
