"""What a banca sets for all sales and for a lottery; and what all such writes have in common: who, what, how often."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from core.domain.permissions import Role
from tests.api.ruling import API, Ruler, limits, offered, places, ruler, stored_rules, version_of
from tests.api.selling import Contract, sell, ticket
from tests.arena import Arena
from tests.pos import Pos
from tests.running_api import RunningApi


async def test_the_bancas_settings_hold_for_the_next_sale(api: RunningApi, banca: Ruler, arena: Arena) -> None:
    path, version = places(arena)["settings"], await version_of(arena.owner, arena.banca_id)
    first = await banca.get(path)
    assert first == {
        "bancaId": str(arena.banca_id), "defaultMinBet": "0.00", "globalMaxPerNumber": None, "salesCutoffMinutes": 1,
        "maxPayoutPerNumber": "1000000000000.00",
        "ventanaMaxMultiplierX": None, "ventanaMaxCommissionPercent": "20.00",
        "ventanaWrites": ["LIMIT", "BLOCK", "OVERRIDE", "COMMISSION_POLICY", "MOVEMENT"],
    }  # fmt: skip
    changed = await banca.write("PATCH", path, {"defaultMinBet": 100, "globalMaxPerNumber": "500"})
    settings = {**first, "defaultMinBet": "100.00", "globalMaxPerNumber": "500.00"}
    assert changed == {**settings, "rulebookVersion": version + 1}
    assert await banca.get(path) == settings
    assert await offered(api, arena, "99.99") == "BET_MIN_VIOLATION"
    assert await offered(api, arena, "500.01") == "NUMBER_MAXTOTAL_EXCEEDED"
    assert await offered(api, arena, "500.00") == "SOLD"
    await banca.write("PATCH", path, {"globalMaxPerNumber": None})
    assert await offered(api, arena, "500.01") == "SOLD"
    soon = await arena.add_sorteo(minutes=20)
    assert await offered_for(api, arena, soon) == "SOLD"
    await banca.write("PATCH", path, {"salesCutoffMinutes": 30})
    assert await offered_for(api, arena, soon) == "SALES_CUTOFF_REACHED"


async def offered_for(api: RunningApi, arena: Arena, sorteo_id: Any) -> str:
    arena.sorteo_ids.insert(0, sorteo_id)
    return await offered(api, arena, "100.00")


async def test_a_lotterys_setting_holds_for_the_next_sale(api: RunningApi, banca: Ruler, arena: Arena) -> None:
    path, version = places(arena)["loteria setting"], await version_of(arena.owner, arena.banca_id)
    nothing = {"loteriaId": str(arena.loteria_id), "baseMultiplierX": None, "maxTotalPerSorteo": None}
    assert await banca.get(path) == nothing
    document = {"baseMultiplierX": "70.25", "maxTotalPerSorteo": 900}
    written = await banca.write("PUT", path, document)
    assert written == {
        **nothing, "baseMultiplierX": "70.25", "maxTotalPerSorteo": "900.00", "rulebookVersion": version + 1,
    }  # fmt: skip
    assert await offered(api, arena, "900.01") == "SORTEO_MAXTOTAL_EXCEEDED"
    [line] = (await sell(Pos(api, arena.seller), ticket(arena)))["jugadas"]
    assert line["finalMultiplierX"] == "70.25"
    assert await offered(api, arena, "400.01", number="99") == "SORTEO_MAXTOTAL_EXCEEDED"
    # A setting that storage has switched off is none, and one that is written is on.
    await arena.owner.execute("UPDATE banca_loteria_settings SET is_active = false")
    assert await banca.get(path) == nothing
    await banca.write("PUT", path, document)
    assert await offered(api, arena, "400.01", number="99") == "SORTEO_MAXTOTAL_EXCEEDED"
    await banca.write("PUT", path, {"baseMultiplierX": None, "maxTotalPerSorteo": None})
    assert await banca.get(path) == nothing
    assert await offered(api, arena, "9000.00") == "SOLD"


BAD: list[tuple[str, str, Any, str | None]] = [
    ("PATCH", "settings", {}, None),
    ("PATCH", "settings", {"defaultMinBet": None}, "defaultMinBet"),
    ("PATCH", "settings", {"defaultMinBet": "-1"}, "defaultMinBet"),
    ("PATCH", "settings", {"globalMaxPerNumber": "1000000000.01"}, "globalMaxPerNumber"),
    ("PATCH", "settings", {"salesCutoffMinutes": 31}, "salesCutoffMinutes"),
    ("PATCH", "settings", {"salesCutoffMinutes": "5"}, "salesCutoffMinutes"),
    ("PATCH", "settings", {"name": "x"}, "name"),
    ("PUT", "loteria setting", {"baseMultiplierX": 0, "maxTotalPerSorteo": None}, "baseMultiplierX"),
    ("PUT", "loteria setting", {"baseMultiplierX": None}, "maxTotalPerSorteo"),
    ("PUT", "loteria setting", {"baseMultiplierX": None, "maxTotalPerSorteo": 0.005}, "maxTotalPerSorteo"),
    ("PUT", "limits", {"numberLimits": []}, "globalLimit"),
    ("PUT", "limits", {"globalLimit": None}, "numberLimits"),
    ("PUT", "limits", {"globalLimit": -1, "numberLimits": []}, "globalLimit"),
    ("PUT", "limits", {"globalLimit": None, "numberLimits": [{"number": "07"}]}, "numberLimits[0].maxAmount"),
    ("PUT", "limits", limits(None, n07=1) | {"numberLimits": [{"number": "07", "maxAmount": 1}] * 2},
     "numberLimits[1].number"),
    ("PUT", "limits", limits(None, **{f"n{n}": 1 for n in range(1_001)}), "numberLimits"),
    ("PATCH", "loteria", {}, None),
    ("PATCH", "loteria", {"name": " x "}, "name"),
    ("PATCH", "loteria", {"name": None}, "name"),
    ("PATCH", "loteria", {"isActive": "no"}, "isActive"),
    ("PATCH", "loteria", {"rulesJson": None}, "rulesJson"),
    ("PATCH", "loteria", {"rulesJson": {"digits": 4}}, "rulesJson.digits"),
    ("PATCH", "loteria", {"rulesJson": {"minBetAmount": 2, "maxBetAmount": 1}}, "rulesJson.maxBetAmount"),
    ("PATCH", "loteria", {"rulesJson": {"colour": 1}}, "rulesJson.colour"),
    ("POST", "multipliers", {"name": "Banda"}, "valueX"),
    ("POST", "multipliers", {"name": "B", "valueX": 1}, "name"),
    ("POST", "multipliers", {"name": "Banda", "valueX": "9999.01"}, "valueX"),
    ("POST", "multipliers", {"name": "Banda", "valueX": 1, "kind": "BOTH"}, "kind"),
    ("POST", "multipliers", {"name": "Banda", "valueX": 1, "appliesToDate": "2026-02-30"}, "appliesToDate"),
    ("POST", "multipliers", {"name": "Banda", "valueX": 1, "appliesToDate": "1999-12-31"}, "appliesToDate"),
    ("PATCH", "multiplier", {}, None),
    ("PATCH", "multiplier", {"valueX": None}, "valueX"),
    ("PATCH", "multiplier", {"kind": "REVENTADO"}, "kind"),
]  # fmt: skip


async def test_what_is_malformed_is_refused_and_changes_nothing(banca: Ruler, arena: Arena) -> None:
    before = await stored_rules(arena.owner)
    for method, place, document, field in BAD:
        answer = await banca.send(method, places(arena)[place], document)
        assert (answer.status, answer.code) == (400, "VALIDATION_FAILED"), (place, document, answer.body)
        assert [violation.get("field") for violation in answer.json()["violations"]] == [field], (place, document)
    assert await stored_rules(arena.owner) == before


GOOD: dict[str, tuple[str, Any]] = {
    "settings": ("PATCH", {"salesCutoffMinutes": 7}),
    "loteria setting": ("PUT", {"baseMultiplierX": "80.00", "maxTotalPerSorteo": None}),
    "limits": ("PUT", limits("7.00", n07="1.00", n08="2.00")),
    "loteria": ("PATCH", {"name": "Otra", "isActive": False, "rulesJson": {}}),
    "multipliers": ("POST", {"name": "Banda", "valueX": "85.00"}),
    "multiplier": ("PATCH", {"name": "Otra", "valueX": 1}),
}
READ = ("settings", "loteria setting", "limits")


async def test_only_administrators_of_the_banca_write_and_read_them(api: RunningApi, arena: Arena) -> None:
    stranger = await Arena.create(arena.owner, arena.settings)
    for role in Role:
        who = Ruler(api, arena.seller) if role is Role.VENDEDOR else await ruler(api, arena, role)
        is_allowed = role in (Role.ADMIN, Role.BANCA)
        for place, (method, document) in GOOD.items():
            if is_allowed:
                continue
            before = await stored_rules(arena.owner)
            answer = await who.send(method, places(arena)[place], document)
            assert (answer.status, answer.code) == (403, "FORBIDDEN"), (role, place)
            assert await stored_rules(arena.owner) == before
        for place in READ:
            assert (await who.send("GET", places(arena)[place])).status == (200 if is_allowed else 403)
        for place, (method, document) in GOOD.items():
            before = await stored_rules(arena.owner)
            methods = [(method, document), *([("GET", None)] if place in READ else [])]
            for each, body in methods:
                answer = await who.send(each, places(stranger)[place], body)
                assert answer.status == (404 if is_allowed else 403), (role, place)
                assert answer.code in ("FORBIDDEN", "BANCA_NOT_FOUND", "LOTERIA_NOT_FOUND", "SORTEO_NOT_FOUND",
                                       "MULTIPLIER_NOT_FOUND")  # fmt: skip
            assert await stored_rules(arena.owner) == before


@pytest.mark.parametrize("role", [Role.ADMIN, Role.BANCA])
async def test_one_request_makes_one_version(api: RunningApi, arena: Arena, role: Role) -> None:
    who = await ruler(api, arena, role)
    stranger = await Arena.create(arena.owner, arena.settings)
    elsewhere = await version_of(arena.owner, stranger.banca_id)
    for place, (method, document) in GOOD.items():
        before = await version_of(arena.owner, arena.banca_id)
        answer = await who.write(method, places(arena)[place], document)
        after = await version_of(arena.owner, arena.banca_id)
        assert (answer["rulebookVersion"], after) == (before + 1, before + 1), place
    assert await version_of(arena.owner, stranger.banca_id) == elsewhere


async def test_requests_at_once_each_make_their_version(api: RunningApi, banca: Ruler, arena: Arena) -> None:
    before = await version_of(arena.owner, arena.banca_id)
    answers = await asyncio.gather(
        *(banca.write(method, places(arena)[place], document) for place, (method, document) in GOOD.items())
    )
    versions = sorted(answer["rulebookVersion"] for answer in answers)
    assert versions == list(range(before + 1, before + 1 + len(GOOD)))


async def test_changes_at_once_of_different_members_are_all_kept(banca: Ruler, arena: Arena) -> None:
    rule = await banca.restrict(bancaId=str(arena.banca_id), maxTotal="1.00")
    one, settings = f"{API}/restrictions/{rule['id']}", places(arena)["settings"]
    for amount in ("2.00", "3.00", "4.00"):
        await asyncio.gather(
            *(banca.write("PATCH", one, {member: amount}) for member in ("maxTotal", "maxAmount", "baseAmount")),
            *(banca.write("PATCH", settings, {name: amount}) for name in ("defaultMinBet", "globalMaxPerNumber")),
        )
        kept = {**await banca.get(one), **await banca.get(settings)}
        members = ("maxTotal", "maxAmount", "baseAmount", "defaultMinBet", "globalMaxPerNumber")
        assert {kept[member] for member in members} == {amount}


async def test_every_answer_is_as_documented(api: RunningApi, banca: Ruler, arena: Arena) -> None:
    contract = await Contract.of(api)
    described = {
        "settings": "/bancas/{bancaId}/settings",
        "loteria setting": "/loterias/{loteriaId}/banca-settings",
        "limits": "/sorteos/{sorteoId}/limits",
        "loteria": "/loterias/{loteriaId}",
        "multipliers": "/loterias/{loteriaId}/multipliers",
        "multiplier": "/multipliers/{multiplierId}",
    }
    for place, (method, document) in GOOD.items():
        path = places(arena)[place]
        contract.require(await banca.send(method, path, document), method, API + described[place])
        contract.require(await banca.send(method, path, {"x": 1}), method, API + described[place])
        if place in READ:
            contract.require(await banca.send("GET", path), "GET", API + described[place])
