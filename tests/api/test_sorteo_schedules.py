"""A lottery's schedule over HTTP: preview and seed (§4.1.1–4.1.3, SCH of §14.7)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from core.domain.permissions import Role
from tests.api.ruling import API, Ruler, ruler
from tests.arena import Arena
from tests.running_api import RunningApi
from tests.till.state import findings

TWICE_A_WEEK = {"frequency": "semanal", "daysOfWeek": [1, 4], "times": ["12:55", "19:30"]}
WEEK = "start=2026-01-15T10:00&days=7"
SCH_1 = ["2026-01-15T18:55", "2026-01-16T01:30", "2026-01-19T18:55", "2026-01-20T01:30"]


async def schedule(banca: Ruler, arena: Arena, **rules: Any) -> str:
    """The lottery's address."""
    path = f"{API}/loterias/{arena.loteria_id}"
    await banca.write("PATCH", path, {"rulesJson": rules})
    return path


async def minutes(arena: Arena) -> list[str]:
    rows = await arena.owner.fetch(
        "SELECT scheduled_at FROM sorteos WHERE id <> $1 ORDER BY scheduled_at", arena.sorteo_id
    )
    return [row["scheduled_at"].strftime("%Y-%m-%dT%H:%M") for row in rows]


async def test_sch_1_is_previewed_and_nothing_made(banca: Ruler, arena: Arena) -> None:
    path = await schedule(banca, arena, drawSchedule=TWICE_A_WEEK)
    shown = (await banca.get(f"{path}/preview_schedule?{WEEK}&allowPast=true"))["data"]
    assert [one["scheduledAt"][:16] for one in shown] == SCH_1
    assert [one["name"] for one in shown] == ["Tica 12:55", "Tica 19:30"] * 2
    assert (await banca.get(f"{path}/preview_schedule?{WEEK}"))["data"] == []
    assert len((await banca.get(f"{path}/preview_schedule?{WEEK}&allowPast=true&limit=3"))["data"]) == 3
    assert await minutes(arena) == []


async def test_a_preview_begins_today_and_shows_what_is_to_come(banca: Ruler, arena: Arena) -> None:
    path = await schedule(banca, arena, drawSchedule={"frequency": "diario", "times": ["00:00", "12:00", "23:59"]})
    shown = [one["scheduledAt"] for one in (await banca.get(f"{path}/preview_schedule?days=2"))["data"]]
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    assert 4 <= len(shown) <= 7
    assert all(at > now for at in shown)


async def test_sch_3_and_4_the_same_range_is_seeded_once(banca: Ruler, arena: Arena) -> None:
    path = await schedule(banca, arena)
    nothing = {"created": 0, "skipped": 0, "alreadyExists": 0, "processed": 0, "dryRun": False, "sorteoIds": []}
    assert await banca.write("POST", f"{path}/seed_sorteos?{WEEK}") == nothing
    await schedule(banca, arena, drawSchedule=TWICE_A_WEEK, autoCreateSorteos=False, digits=3)
    dry = await banca.write("POST", f"{path}/seed_sorteos?{WEEK}&dryRun=true")
    assert dry == {**nothing, "created": 4, "processed": 4, "dryRun": True}
    assert await minutes(arena) == []
    first = await banca.write("POST", f"{path}/seed_sorteos?{WEEK}")
    made = first.pop("sorteoIds")
    assert first == {"created": 4, "skipped": 0, "alreadyExists": 0, "processed": 4, "dryRun": False}
    again = await banca.write("POST", f"{path}/seed_sorteos?{WEEK}")
    assert again == {**nothing, "alreadyExists": 4, "processed": 4}
    assert await minutes(arena) == SCH_1
    drawn = [await banca.get(f"{API}/sorteos/{sorteo_id}") for sorteo_id in made]
    assert [(one["name"], one["status"], one["digits"], one["dailyOrdinal"]) for one in drawn] == [
        ("Tica 12:55", "SCHEDULED", 3, 1), ("Tica 19:30", "SCHEDULED", 3, 2),
    ] * 2  # fmt: skip
    [state] = (await banca.get(f"{API}/sorteos/{made[0]}/states"))["data"]
    assert (state["fromStatus"], state["toStatus"], state["ticketsSold"]) == (None, "SCHEDULED", 0)
    assert await findings(arena.owner, arena.banca_id) == []


async def test_dates_that_are_given_take_the_place_of_the_schedule(banca: Ruler, arena: Arena) -> None:
    path = await schedule(banca, arena, drawSchedule=TWICE_A_WEEK)
    dates = ["2026-01-15T18:55:00Z", "2026-01-15T12:55", "2027-01-16T12:55"]
    seeded = await banca.write("POST", f"{path}/seed_sorteos", {"scheduledDates": dates})
    assert (seeded["created"], seeded["processed"]) == (2, 2)
    assert await minutes(arena) == ["2026-01-15T18:55", "2027-01-16T18:55"]
    rest = await banca.write("POST", f"{path}/seed_sorteos?{WEEK}")
    assert (rest["created"], rest["alreadyExists"]) == (3, 1)


async def test_many_seed_the_same_month_at_once_and_each_draw_is_made_once(banca: Ruler, arena: Arena) -> None:
    path = await schedule(banca, arena, drawSchedule={"frequency": "diario", "times": ["12:55", "16:30", "19:30"]})
    target = f"{path}/seed_sorteos?start=2031-03-01&days=31"
    answers = await asyncio.gather(*(banca.write("POST", target) for _ in range(10)))
    assert sum(answer["created"] for answer in answers) == 31 * 3
    assert {answer["processed"] for answer in answers} == {31 * 3}
    assert all(answer["created"] + answer["skipped"] + answer["alreadyExists"] == 93 for answer in answers)
    assert len(await minutes(arena)) == 93
    ordinals = await arena.owner.fetch(
        "SELECT business_date, array_agg(daily_ordinal ORDER BY scheduled_at) AS places FROM sorteos"
        " WHERE scheduled_at > '2031-01-01' GROUP BY 1"
    )
    assert {tuple(row["places"]) for row in ordinals} == {(1, 2, 3)}
    told = await arena.owner.fetch("SELECT payload FROM outbox WHERE type = 'activities.recorded'")
    assert told
    assert await findings(arena.owner, arena.banca_id) == []


@pytest.mark.parametrize(
    ("query", "field"),
    [("days=0", "days"), ("days=32", "days"), ("start=soon", "start"), ("start=2026-02-30", "start"),
     ("weeks=1", "weeks"), ("dryRun=perhaps", "dryRun")],
)  # fmt: skip
async def test_a_bad_range_makes_nothing(banca: Ruler, arena: Arena, query: str, field: str) -> None:
    path = await schedule(banca, arena, drawSchedule=TWICE_A_WEEK)
    answer = await banca.send("POST", f"{path}/seed_sorteos?{query}")
    assert [violation["field"] for violation in answer.json()["violations"]] == [field]
    assert await minutes(arena) == []


@pytest.mark.parametrize(
    "dates",
    [[], ["soon"], ["2026-01-15T12:55"] * 1_001, [7], "2026-01-15T12:55",
     # Each month takes tables of its own.
     ["2026-01-15T12:55", "2026-03-15T12:55", "2027-01-17T12:55"]],
)  # fmt: skip
async def test_bad_dates_make_nothing(banca: Ruler, arena: Arena, dates: Any) -> None:
    answer = await banca.send("POST", f"{API}/loterias/{arena.loteria_id}/seed_sorteos", {"scheduledDates": dates})
    assert (answer.status, answer.code) == (400, "VALIDATION_FAILED")
    assert await minutes(arena) == []


async def test_only_who_administers_the_banca_seeds_its_own_lotteries(
    api: RunningApi, banca: Ruler, arena: Arena
) -> None:
    stranger = await Arena.create(arena.owner, arena.settings)
    for loteria_id in (stranger.loteria_id, uuid4()):
        for method, target in (("GET", "preview_schedule"), ("POST", "seed_sorteos")):
            answer = await banca.send(method, f"{API}/loterias/{loteria_id}/{target}")
            assert (answer.status, answer.code) == (404, "LOTERIA_NOT_FOUND")
    answer = await (await ruler(api, arena, Role.VENDEDOR)).send(
        "POST", f"{API}/loterias/{arena.loteria_id}/seed_sorteos"
    )
    assert (answer.status, answer.code) == (403, "FORBIDDEN")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%d")
    await arena.owner.execute("UPDATE loterias SET is_active = false WHERE id = $1", arena.loteria_id)
    answer = await banca.send("POST", f"{API}/loterias/{arena.loteria_id}/seed_sorteos?start={tomorrow}")
    assert (answer.status, answer.code) == (404, "LOTERIA_INACTIVE")


async def test_a_schedule_of_another_country_is_previewed_by_both_clocks(banca: Ruler, arena: Arena) -> None:
    # Its clock goes forward on 10 March 2030.
    daily = {"frequency": "diario", "times": ["14:30"], "timeZone": "America/New_York"}
    path = await schedule(banca, arena, drawSchedules=[daily, {"frequency": "diario", "times": ["19:30"]}])
    assert (await banca.get(path))["rulesJson"]["drawSchedules"][0] == daily
    week = "start=2030-03-09&days=2"
    shown = (await banca.get(f"{path}/preview_schedule?{week}"))["data"]
    assert shown == [
        {
            "scheduledAt": f"{instant}.000Z", "name": name, "timeZone": zone, "localTime": local,
            "costaRicaTime": here, "sorteoId": None,
        }
        for instant, name, zone, local, here in (
            ("2030-03-09T19:30:00", "Tica 13:30", "America/New_York", "2030-03-09T14:30:00-05:00",
             "2030-03-09T13:30:00-06:00"),
            ("2030-03-10T01:30:00", "Tica 19:30", "America/Costa_Rica", "2030-03-09T19:30:00-06:00",
             "2030-03-09T19:30:00-06:00"),
            ("2030-03-10T18:30:00", "Tica 12:30", "America/New_York", "2030-03-10T14:30:00-04:00",
             "2030-03-10T12:30:00-06:00"),
            ("2030-03-11T01:30:00", "Tica 19:30", "America/Costa_Rica", "2030-03-10T19:30:00-06:00",
             "2030-03-10T19:30:00-06:00"),
        )
    ]  # fmt: skip
    # What is seeded is what was shown, and its day is Costa Rica's.
    seeded = await banca.write("POST", f"{path}/seed_sorteos?{week}")
    drawn = [await banca.get(f"{API}/sorteos/{sorteo_id}") for sorteo_id in seeded["sorteoIds"]]
    assert [(one["scheduledAt"], one["name"]) for one in drawn] == [(one["scheduledAt"], one["name"]) for one in shown]
    assert [one["businessDate"] for one in drawn] == ["2030-03-09"] * 2 + ["2030-03-10"] * 2
    assert await findings(arena.owner, arena.banca_id) == []


@pytest.mark.parametrize("zone", ["Mars/Base", "america/new_york", "../zones", "UTC-5"])
async def test_a_time_zone_that_there_is_not_is_refused_by_its_code(banca: Ruler, arena: Arena, zone: str) -> None:
    path, block = f"{API}/loterias/{arena.loteria_id}", {"frequency": "diario", "times": ["14:30"], "timeZone": zone}
    before = await banca.get(path)
    answer = await banca.send("PATCH", path, {"rulesJson": {"drawSchedules": [{"times": []}, block]}})
    assert (answer.status, answer.code) == (400, "VALIDATION_FAILED")
    [violation] = answer.json()["violations"]
    assert (violation["code"], violation["field"]) == ("TIME_ZONE_UNKNOWN", "rulesJson.drawSchedules[1].timeZone")
    assert await banca.get(path) == before


async def test_a_zone_that_is_edited_leaves_no_draw_unseen(banca: Ruler, arena: Arena) -> None:
    daily = {"frequency": "diario", "times": ["14:30"]}
    path = await schedule(banca, arena, drawSchedule=daily)
    target = "start=2030-03-10&days=1"
    [old] = (await banca.write("POST", f"{path}/seed_sorteos?{target}"))["sorteoIds"]
    await schedule(banca, arena, drawSchedule={**daily, "timeZone": "America/New_York"})
    shown = await banca.get(f"{path}/preview_schedule?{target}")
    assert [one["sorteoId"] for one in shown["data"]] == [None]
    assert [(one["id"], one["scheduledAt"]) for one in shown["unscheduled"]] == [(old, "2030-03-10T20:30:00.000Z")]
