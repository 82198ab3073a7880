"""Draws are made and changed over HTTP; the first sale fixes what tickets rest on."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.api.auditing import audited, told
from tests.api.ruling import API, Ruler, offered, somebody_waits
from tests.api.selling import SALE, jugada, ticket
from tests.arena import Arena
from tests.pos import Pos, new_key
from tests.running_api import RunningApi
from tests.till.state import findings
from tests.workers.pipeline import eventually
from workers.audit import Auditor

SORTEOS = f"{API}/sorteos"
AT = "2030-01-16T01:30:00.000Z"


def draw(arena: Arena, **members: Any) -> dict[str, Any]:
    return {"loteriaId": str(arena.loteria_id), "scheduledAt": AT, **members}


async def count(arena: Arena) -> int:
    """Of all that a refusal must leave alone."""
    return int(
        await arena.owner.fetchval(
            "SELECT (SELECT count(*) FROM sorteos) + (SELECT count(*) FROM sorteo_states)"
            " + (SELECT count(*) FROM outbox)"
        )
    )


async def test_a_draw_is_made_by_its_lottery_unless_told_otherwise(banca: Ruler, arena: Arena) -> None:
    plain = await banca.write("POST", SORTEOS, draw(arena))
    assert plain == await banca.get(f"{SORTEOS}/{plain['id']}")
    assert (plain["name"], plain["digits"], plain["status"]) == ("Tica 19:30", 2, "SCHEDULED")
    assert (plain["isActive"], plain["opensAt"], plain["businessDate"]) == (True, None, "2030-01-15")
    assert plain["scheduledAt"] == AT
    special = await banca.write(
        "POST",
        SORTEOS,
        draw(
            arena, scheduledAt="2030-01-15T20:00", name=" Gordo ", digits=3, isActive=False,
            opensAt="2030-01-15T06:00", globalLimit="500.00",
        ),
    )  # fmt: skip
    assert (special["name"], special["digits"], special["isActive"]) == ("Gordo", 3, False)
    assert (special["scheduledAt"], special["opensAt"]) == ("2030-01-16T02:00:00.000Z", "2030-01-15T12:00:00.000Z")
    assert special["dailyOrdinal"] == 2
    limits = await banca.get(f"{SORTEOS}/{special['id']}/limits")
    assert limits["globalLimit"] == "500.00"
    assert await findings(arena.owner, arena.banca_id) == []


@pytest.mark.parametrize(
    ("members", "code", "field"),
    [
        ({"scheduledAt": "tomorrow"}, "FIELD_INVALID", "scheduledAt"),
        ({"scheduledAt": 1800000000}, "FIELD_INVALID", "scheduledAt"),
        ({"scheduledAt": "2101-01-01T00:00:00Z"}, "FIELD_OUT_OF_RANGE", "scheduledAt"),
        ({"scheduledAt": None}, "FIELD_INVALID", "scheduledAt"),
        ({"digits": 4}, "FIELD_OUT_OF_RANGE", "digits"),
        ({"digits": "2"}, "FIELD_INVALID", "digits"),
        ({"name": " "}, "FIELD_LENGTH_INVALID", "name"),
        ({"name": "x" * 121}, "FIELD_LENGTH_INVALID", "name"),
        ({"opensAt": AT}, "FIELD_INVALID", "opensAt"),
        ({"isActive": 1}, "FIELD_INVALID", "isActive"),
        ({"globalLimit": "-1"}, "FIELD_OUT_OF_RANGE", "globalLimit"),
        ({"status": "OPEN"}, "FIELD_UNKNOWN", "status"),
        ({"loteriaId": "x"}, "FIELD_INVALID", "loteriaId"),
    ],
)
async def test_a_bad_draw_is_not_made(
    banca: Ruler, arena: Arena, members: dict[str, Any], code: str, field: str
) -> None:
    before = await count(arena)
    answer = await banca.send("POST", SORTEOS, draw(arena, **members))
    assert (answer.status, answer.code) == (400, "VALIDATION_FAILED"), answer.body
    assert [(violation["code"], violation["field"]) for violation in answer.json()["violations"]] == [(code, field)]
    assert await count(arena) == before


async def test_a_lottery_that_is_not_there_gets_no_draw(banca: Ruler, arena: Arena) -> None:
    stranger = await Arena.create(arena.owner, arena.settings)
    before = await count(arena)
    for loteria_id in (stranger.loteria_id, uuid4()):
        answer = await banca.send("POST", SORTEOS, draw(arena, loteriaId=str(loteria_id)))
        assert (answer.status, answer.code) == (404, "LOTERIA_NOT_FOUND")
        answer = await banca.send("PATCH", f"{SORTEOS}/{arena.sorteo_id}", {"loteriaId": str(loteria_id)})
        assert (answer.status, answer.code) == (404, "LOTERIA_NOT_FOUND")
    await arena.owner.execute("UPDATE loterias SET is_active = false WHERE id = $1", arena.loteria_id)
    answer = await banca.send("POST", SORTEOS, draw(arena))
    assert (answer.status, answer.code) == (404, "LOTERIA_INACTIVE")
    assert await count(arena) == before


async def test_fifty_make_the_same_draw_at_once_and_there_is_one(banca: Ruler, arena: Arena) -> None:
    answers = await asyncio.gather(*(banca.send("POST", SORTEOS, draw(arena)) for _ in range(50)))
    assert Counter((answer.status, answer.code) for answer in answers) == {(201, None): 1, (409, "SORTEO_EXISTS"): 49}
    assert await arena.owner.fetchval("SELECT count(*) FROM sorteos WHERE scheduled_at = $1",
                                      datetime(2030, 1, 16, 1, 30, tzinfo=UTC)) == 1  # fmt: skip


async def test_a_draw_is_changed_until_its_first_sale_fixes_it(api: RunningApi, banca: Ruler, arena: Arena) -> None:
    path = f"{SORTEOS}/{arena.sorteo_id}"
    before = await banca.get(path)
    moved = await banca.write("PATCH", path, {"scheduledAt": AT, "name": "Moved", "digits": 3})
    assert moved == {**before, "scheduledAt": AT, "name": "Moved", "digits": 3, "businessDate": "2030-01-15"}
    await banca.write("PATCH", path, {"digits": 2})
    assert await offered(api, arena, "1.00") == "SOLD"
    for change in ({"scheduledAt": "2030-01-17T00:00:00Z"}, {"digits": 3}, {"name": "Late", "digits": 3}):
        answer = await banca.send("PATCH", path, change)
        assert (answer.status, answer.code) == (409, "SORTEO_HAS_SALES")
    named = await banca.write("PATCH", path, {"name": "Renamed", "scheduledAt": AT, "digits": 2})
    assert named == {**moved, "name": "Renamed", "digits": 2}
    assert await offered(api, arena, "1.00") == "SOLD"
    assert await findings(arena.owner, arena.banca_id) == []


async def test_only_a_scheduled_draw_gets_another_lottery_or_opening(banca: Ruler, arena: Arena) -> None:
    other = uuid4()
    await arena.owner.execute(
        "INSERT INTO loterias (banca_id, id, name) VALUES ($1, $2, 'Nica')", arena.banca_id, other
    )
    scheduled = await banca.write("POST", SORTEOS, draw(arena))
    path = f"{SORTEOS}/{scheduled['id']}"
    changed = await banca.write("PATCH", path, {"loteriaId": str(other), "opensAt": "2030-01-15T06:00"})
    assert (changed["loteriaName"], changed["opensAt"]) == ("Nica", "2030-01-15T12:00:00.000Z")
    # No person chose the name, so it follows.
    assert (scheduled["name"], changed["name"]) == ("Tica 19:30", "Nica 19:30")
    assert (await banca.write("PATCH", path, {"opensAt": None}))["opensAt"] is None
    await banca.write("POST", f"{path}/open")
    for change in ({"loteriaId": str(arena.loteria_id)}, {"opensAt": "2030-01-15T06:00"}):
        answer = await banca.send("PATCH", path, change)
        assert (answer.status, answer.code) == (409, "SORTEO_NOT_SCHEDULED")
    await banca.write("POST", f"{path}/close")
    for change in ({"name": "Late"}, {"scheduledAt": AT}):
        answer = await banca.send("PATCH", path, change)
        assert (answer.status, answer.code) == (409, "SORTEO_CLOSED")
    assert (await banca.get(path))["name"] == changed["name"]


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"name": None},
        {"scheduledAt": None},
        {"digits": None},
        {"isActive": False},
        {"opensAt": "2035-01-01T00:00Z"},
    ],
)
async def test_a_bad_change_changes_nothing(banca: Ruler, arena: Arena, change: dict[str, Any]) -> None:
    path, before = f"{SORTEOS}/{arena.sorteo_id}", await count(arena)
    shown = await banca.get(path)
    answer = await banca.send("PATCH", path, change)
    assert (answer.status, answer.code) == (400, "VALIDATION_FAILED")
    assert (await banca.get(path), await count(arena)) == (shown, before)


async def test_two_draws_of_a_lottery_cannot_be_moved_to_one_instant(banca: Ruler, arena: Arena) -> None:
    await banca.write("POST", SORTEOS, draw(arena))
    answer = await banca.send("PATCH", f"{SORTEOS}/{arena.sorteo_id}", {"scheduledAt": AT})
    assert (answer.status, answer.code) == (409, "SORTEO_EXISTS")


async def test_a_change_waits_for_the_sale_in_flight_and_then_finds_the_draw_fixed(banca: Ruler, arena: Arena) -> None:
    async with arena.owner.transaction():
        await arena.owner.execute("UPDATE sorteos SET last_sequence = 1 WHERE id = $1", arena.sorteo_id)
        change = asyncio.create_task(banca.send("PATCH", f"{SORTEOS}/{arena.sorteo_id}", {"scheduledAt": AT}))
        await eventually(lambda: somebody_waits(arena.owner))
    answer = await change
    assert (answer.status, answer.code) == (409, "SORTEO_HAS_SALES")


async def test_what_the_api_knows_of_a_draw_that_moved_is_forgotten(
    api: RunningApi, banca: Ruler, arena: Arena
) -> None:
    made = await banca.write("POST", SORTEOS, draw(arena))
    await banca.write("POST", f"{SORTEOS}/{made['id']}/open")
    refused = ticket(arena, jugada("0x"), sorteoId=made["id"])
    assert (await Pos(api, arena.seller).post(SALE, refused, key=new_key())).status == 400
    soon = (datetime.now(UTC) + timedelta(seconds=20)).isoformat(timespec="milliseconds")
    await banca.write("PATCH", f"{SORTEOS}/{made['id']}", {"scheduledAt": soon})
    answer = await Pos(api, arena.seller).post(SALE, ticket(arena, sorteoId=made["id"]), key=new_key())
    assert (answer.status, answer.code) == (409, "SALES_CUTOFF_REACHED")


async def test_the_trail_tells_what_changed(api: RunningApi, banca: Ruler, arena: Arena, auditor: Auditor) -> None:
    path = f"{SORTEOS}/{arena.sorteo_id}"
    name = (await banca.get(path))["name"]
    for _ in range(2):
        await banca.write("PATCH", path, {"name": "Other"})
    await audited(arena, auditor)
    [row] = await told(api, banca.person, "?action=SORTEO_UPDATE")
    assert row["details"] == {"before": {"name": name}, "after": {"name": "Other"}}
