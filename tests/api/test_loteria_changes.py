"""A lottery's name, rules and multipliers over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from core.domain.calendar import costa_rica_date
from tests.api.ruling import API, Ruler, offered, places, stored_rules, version_of
from tests.arena import Arena
from tests.running_api import RunningApi


async def test_a_lottery_is_changed_member_by_member(api: RunningApi, banca: Ruler, arena: Arena) -> None:
    path, version = places(arena)["loteria"], await version_of(arena.owner, arena.banca_id)
    first = await banca.get(path)
    assert (await banca.write("PATCH", path, {"name": "  Tica Nueva "}))["rulebookVersion"] == version + 1
    rules = {"digits": 2, "minBetAmount": 150.5, "maxBetAmount": "200", "allowedBetTypes": ["NUMERO"]}
    written = await banca.write("PATCH", path, {"rulesJson": rules})
    assert written["rulesJson"] == {**rules, "minBetAmount": "150.50", "maxBetAmount": "200.00"}
    assert await banca.get(path) == {**first, "name": "Tica Nueva", "rulesJson": written["rulesJson"]}
    assert await offered(api, arena, "150.49") == "BET_MIN_VIOLATION"
    assert await offered(api, arena, "150.50") == "SOLD"
    off = await banca.write("PATCH", path, {"isActive": False})
    assert (off["isActive"], off["rulesJson"]) == (False, written["rulesJson"])
    assert await offered(api, arena, "150.50") == "LOTERIA_INACTIVE"


async def test_a_multiplier_is_sold_as_soon_as_it_is_made_and_no_longer_than_it_is_active(
    api: RunningApi, banca: Ruler, arena: Arena
) -> None:
    version = await version_of(arena.owner, arena.banca_id)
    made = await banca.write("POST", places(arena)["multipliers"], {"name": "Banda 85", "valueX": 85})
    one = f"{API}/multipliers/{made['id']}"
    assert made == {
        "id": made["id"], "loteriaId": str(arena.loteria_id), "name": "Banda 85", "kind": "NUMERO", "valueX": "85.00",
        "isActive": True, "appliesToDate": None, "rulebookVersion": version + 1,
    }  # fmt: skip

    async def offered_at() -> str:
        return await offered(api, arena, "1.00", multiplierId=made["id"])

    assert await offered_at() == "SOLD"
    assert (await banca.write("PATCH", one, {"isActive": False}))["valueX"] == "85.00"
    assert await offered_at() == "INACTIVE_MULTIPLIER"
    tomorrow = (costa_rica_date(datetime.now(UTC)) + timedelta(days=1)).isoformat()
    changed = await banca.write("PATCH", one, {"isActive": True, "valueX": "84.50", "appliesToDate": tomorrow})
    assert (changed["valueX"], changed["appliesToDate"]) == ("84.50", tomorrow)
    assert await offered_at() != "SOLD"
    assert (await banca.write("PATCH", one, {"appliesToDate": None}))["valueX"] == "84.50"
    assert await offered_at() == "SOLD"


async def test_a_name_is_there_once(banca: Ruler, arena: Arena) -> None:
    other = uuid4()
    await arena.owner.execute(
        "INSERT INTO loterias (banca_id, id, name) VALUES ($1, $2, 'Nica')", arena.banca_id, other
    )
    band = await banca.write("POST", places(arena)["multipliers"], {"name": "Banda", "valueX": 85})
    before = await stored_rules(arena.owner)
    table: list[tuple[str, str, dict[str, Any], str]] = [
        ("PATCH", f"{API}/loterias/{other}", {"name": "Tica"}, "LOTERIA_EXISTS"),
        ("POST", places(arena)["multipliers"], {"name": "Base", "valueX": 1}, "MULTIPLIER_EXISTS"),
        ("PATCH", f"{API}/multipliers/{band['id']}", {"name": "Base"}, "MULTIPLIER_EXISTS"),
    ]
    for method, path, document, code in table:
        answer = await banca.send(method, path, document)
        assert (answer.status, answer.code) == (409, code)
    assert await stored_rules(arena.owner) == before
    # Of another lottery, and in place of one that is switched off.
    await banca.write("POST", f"{API}/loterias/{other}/multipliers", {"name": "Base", "valueX": 1})
    await banca.write("PATCH", places(arena)["multiplier"], {"isActive": False})
    await banca.write("PATCH", f"{API}/multipliers/{band['id']}", {"name": "Base"})
    answer = await banca.send("PATCH", places(arena)["multiplier"], {"isActive": True})
    assert (answer.status, answer.code) == (409, "MULTIPLIER_EXISTS")
