"""A slot of a lottery's schedule is made once, whatever became of its draw; names follow the time unless chosen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from core.domain.jobs import JobName
from tests.api.ruling import API, Ruler, somebody_waits
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.evaluating import open_evaluator
from tests.job_desk import Desk, open_desk, set_clock
from tests.till.state import findings
from tests.workers.pipeline import eventually

SORTEOS = f"{API}/sorteos"
# 07:30 UTC on the 15th, when draws are made.
NIGHT = datetime(2030, 1, 15, 7, 30, tzinfo=UTC)
TIMES = ["12:00", "19:30"]
DAILY = {"drawSchedule": {"frequency": "diario", "times": TIMES}, "autoCreateEnabled": True}
WEEK = "start=2030-01-15&days=7"
# Noon of the 16th in Costa Rica.
SLOT = "2030-01-16T18:00:00.000Z"


@pytest.fixture
async def desk(arena: Arena, database: TestDatabase) -> AsyncIterator[Desk]:
    await set_clock(arena)
    await arena.owner.execute("DELETE FROM sorteos")
    async with open_desk(arena, database) as opened:
        await opened.enable(JobName.SORTEOS_AUTO_CREATE)
        yield opened


def loteria(arena: Arena) -> str:
    return f"{API}/loterias/{arena.loteria_id}"


async def schedule(banca: Ruler, arena: Arena, **rules: Any) -> None:
    await banca.write("PATCH", loteria(arena), {"rulesJson": {"digits": 2, **DAILY, **rules}})


async def slot_of(banca: Ruler, arena: Arena, at: str = SLOT) -> dict[str, Any]:
    """The slot's draw, found by the preview of the schedule."""
    shown = (await banca.get(f"{loteria(arena)}/preview_schedule?{WEEK}"))["data"]
    [sorteo_id] = [one["sorteoId"] for one in shown if one["scheduledAt"] == at]
    found: dict[str, Any] = await banca.get(f"{SORTEOS}/{sorteo_id}")
    return found


async def count(arena: Arena) -> int:
    return int(await arena.owner.fetchval("SELECT count(*) FROM sorteos"))


async def nica(arena: Arena) -> str:
    loteria_id = uuid4()
    await arena.owner.execute(
        "INSERT INTO loterias (banca_id, id, name) VALUES ($1, $2, 'Nica')", arena.banca_id, loteria_id
    )
    return str(loteria_id)


Fate = Callable[[Ruler, Arena, str], Awaitable[None]]


def changed(**change: Any) -> Fate:
    async def change_it(banca: Ruler, _: Arena, path: str) -> None:
        await banca.write("PATCH", path, change)

    return change_it


def acted(*actions: str) -> Fate:
    async def act(banca: Ruler, _: Arena, path: str) -> None:
        for action in actions:
            await banca.write("POST", f"{path}/{action}")

    return act


async def evaluated(_: Ruler, arena: Arena, path: str) -> None:
    """When its time has come, which the test's clock says."""
    outcome = await arena.owner.fetchval(
        "SELECT outcome FROM request_evaluation($1, $2, ARRAY['CLOSED'::sorteo_status], ARRAY[true], '07', NULL, NULL,"
        " $3, 'request', $4)",
        arena.banca_id, path.rpartition("/")[2], arena.seller.id, NIGHT + timedelta(days=2),
    )  # fmt: skip
    assert outcome == "REQUESTED"
    async with open_evaluator(TestDatabase(arena.settings.database_url).worker_url) as evaluator:
        await evaluator.finish()


def each(*fates: Fate) -> Fate:
    async def one_by_one(banca: Ruler, arena: Arena, path: str) -> None:
        for fate in fates:
            await fate(banca, arena, path)

    return one_by_one


async def given_to_another_lottery(banca: Ruler, arena: Arena, path: str) -> None:
    await banca.write("PATCH", path, {"loteriaId": await nica(arena)})


async def moved_and_the_schedule_edited_there_and_back(banca: Ruler, arena: Arena, path: str) -> None:
    await banca.write("PATCH", path, {"scheduledAt": "2030-01-16T17:00:00Z"})
    await schedule(banca, arena, drawSchedule={"frequency": "diario", "times": ["19:30"]})
    await banca.write("POST", f"{loteria(arena)}/seed_sorteos?{WEEK}")
    await schedule(banca, arena)


EARLIER = changed(scheduledAt="2030-01-16T17:00:00Z")
FATES: dict[str, Fate] = {
    "moved an hour earlier": EARLIER,
    "moved an hour later": changed(scheduledAt="2030-01-16T19:00:00Z"),
    "moved to another day": changed(scheduledAt="2030-02-01T18:00:00Z"),
    "moved and named": each(EARLIER, changed(name="Gordo")),
    "moved, and the schedule edited there and back": moved_and_the_schedule_edited_there_and_back,
    "given to another lottery": given_to_another_lottery,
    "switched off": acted("deactivate"),
    "opened": acted("open"),
    "closed": acted("open", "close"),
    "evaluated": each(acted("open", "close"), evaluated),
    "moved and switched off": each(EARLIER, acted("deactivate")),
    "moved and closed": each(EARLIER, acted("open", "close")),
    "moved and evaluated": each(EARLIER, acted("open", "close"), evaluated),
}


@pytest.mark.parametrize("fate", FATES)
async def test_whatever_became_of_a_slots_draw_the_slot_is_not_made_again(
    banca: Ruler, arena: Arena, desk: Desk, fate: str
) -> None:
    await schedule(banca, arena)
    await desk.pass_time(NIGHT)
    assert await count(arena) == 14
    made = await slot_of(banca, arena)
    assert (made["scheduledAt"], made["slotAt"]) == (SLOT, SLOT)
    await FATES[fate](banca, arena, f"{SORTEOS}/{made['id']}")
    # By the job, that night and the next; by the schedule; by dates that a person read from the preview.
    await desk.ask(JobName.SORTEOS_AUTO_CREATE)
    await desk.work()
    assert await count(arena) == 14
    await desk.pass_time(NIGHT + timedelta(days=1))
    assert await count(arena) == 16
    seed = f"{loteria(arena)}/seed_sorteos"
    dry = await banca.write("POST", f"{seed}?{WEEK}&dryRun=true")
    assert (dry["created"], dry["alreadyExists"]) == (0, 14)
    assert (await banca.write("POST", f"{seed}?{WEEK}"))["created"] == 0
    dates = await banca.write("POST", seed, {"scheduledDates": [SLOT]})
    assert (dates["created"], dates["alreadyExists"]) == (0, 1)
    assert await count(arena) == 16
    assert (await slot_of(banca, arena))["id"] == made["id"]
    assert await findings(arena.owner, arena.banca_id) == []


async def test_a_slot_that_is_made_and_moved_while_another_request_waits_to_make_it_is_made_once(
    banca: Ruler, arena: Arena, desk: Desk
) -> None:
    await schedule(banca, arena)
    async with arena.owner.transaction():
        # Draws are numbered under this lock: both wait with what they found missing.
        await arena.owner.execute("SELECT 1 FROM bancas WHERE id = $1 FOR UPDATE", arena.banca_id)
        seeding = asyncio.create_task(banca.write("POST", f"{loteria(arena)}/seed_sorteos?{WEEK}"))
        night = asyncio.create_task(desk.pass_time(NIGHT))
        await eventually(lambda: somebody_waits(arena.owner))
        sorteo_id = uuid4()
        await arena.owner.execute(
            "SELECT create_sorteos($1, $2, 2::smallint, NULL, NULL, true, NULL, 'other', ARRAY[$3::uuid],"
            " ARRAY[$4::timestamptz], ARRAY['Tica 12:00'], false, false)",
            arena.banca_id, arena.loteria_id, sorteo_id, datetime(2030, 1, 16, 18, tzinfo=UTC),
        )  # fmt: skip
        await arena.owner.execute(
            "UPDATE sorteos SET scheduled_at = scheduled_at - interval '1 hour' WHERE id = $1", sorteo_id
        )
    answer = await seeding
    await night
    assert answer["created"] + answer["skipped"] == answer["processed"] == 14
    assert await count(arena) == 14
    assert (await slot_of(banca, arena))["id"] == str(sorteo_id)
    assert await findings(arena.owner, arena.banca_id) == []


async def test_a_draw_made_by_hand_at_a_slots_time_is_the_slots(banca: Ruler, arena: Arena, desk: Desk) -> None:
    await schedule(banca, arena)
    made = await banca.write("POST", SORTEOS, {"loteriaId": str(arena.loteria_id), "scheduledAt": SLOT})
    assert made["slotAt"] == SLOT
    await banca.write("PATCH", f"{SORTEOS}/{made['id']}", {"scheduledAt": "2030-01-16T17:00:00Z"})
    await desk.pass_time(NIGHT)
    assert await count(arena) == 14
    assert (await slot_of(banca, arena))["id"] == made["id"]


async def test_by_hand_a_draw_is_made_where_a_slots_draw_was_moved_away(banca: Ruler, arena: Arena, desk: Desk) -> None:
    await schedule(banca, arena)
    await desk.pass_time(NIGHT)
    moved = await slot_of(banca, arena)
    by_hand = {"loteriaId": str(arena.loteria_id), "scheduledAt": SLOT}
    answer = await banca.send("POST", SORTEOS, by_hand)
    assert (answer.status, answer.code) == (409, "SORTEO_EXISTS")
    await banca.write("PATCH", f"{SORTEOS}/{moved['id']}", {"scheduledAt": "2030-01-16T17:00:00Z"})
    second = await banca.write("POST", SORTEOS, by_hand)
    assert (second["slotAt"], second["scheduledAt"], second["name"]) == (None, SLOT, "Tica 12:00")
    assert (await slot_of(banca, arena))["id"] == moved["id"]
    shown = await banca.get(f"{loteria(arena)}/preview_schedule?{WEEK}")
    assert [one["id"] for one in shown["unscheduled"]] == [second["id"]]
    answer = await banca.send("POST", SORTEOS, by_hand)
    assert (answer.status, answer.code) == (409, "SORTEO_EXISTS")
    await desk.pass_time(NIGHT + timedelta(days=1))
    assert await count(arena) == 17
    assert await findings(arena.owner, arena.banca_id) == []


async def test_a_draw_that_stands_at_another_slots_time_takes_its_place_until_it_moves_on(
    banca: Ruler, arena: Arena, desk: Desk
) -> None:
    await schedule(banca, arena, drawSchedule={"frequency": "diario", "times": ["12:00"]})
    await desk.pass_time(NIGHT)
    path = f"{SORTEOS}/{(await slot_of(banca, arena))['id']}"
    await banca.write("PATCH", path, {"scheduledAt": "2030-01-16T19:30:00-06:00"})
    await schedule(banca, arena)
    await desk.ask(JobName.SORTEOS_AUTO_CREATE)
    await desk.work()
    assert await count(arena) == 13
    await banca.write("PATCH", path, {"scheduledAt": "2030-01-16T20:00:00-06:00"})
    await desk.ask(JobName.SORTEOS_AUTO_CREATE)
    await desk.work()
    assert await count(arena) == 14
    answer = await banca.send("PATCH", path, {"scheduledAt": "2030-01-16T19:30:00-06:00"})
    assert (answer.status, answer.code) == (409, "SORTEO_EXISTS")


async def test_draws_that_an_edited_schedule_no_longer_describes_are_shown_beside_it(
    banca: Ruler, arena: Arena, desk: Desk
) -> None:
    await schedule(banca, arena)
    await desk.pass_time(NIGHT)
    left = await slot_of(banca, arena)
    await schedule(
        banca, arena, drawSchedule={"frequency": "semanal", "daysOfWeek": [0, 1, 2, 4, 5, 6], "times": TIMES}
    )
    shown = await banca.get(f"{loteria(arena)}/preview_schedule?{WEEK}")
    assert all(one["sorteoId"] for one in shown["data"])
    assert [one["scheduledAt"] for one in shown["unscheduled"]] == [SLOT, "2030-01-17T01:30:00.000Z"]
    assert shown["unscheduled"][0] == {
        "id": left["id"], "name": "Tica 12:00", "status": "SCHEDULED", "scheduledAt": SLOT, "slotAt": SLOT,
    }  # fmt: skip
    await banca.write("POST", f"{SORTEOS}/{left['id']}/deactivate")
    shown = await banca.get(f"{loteria(arena)}/preview_schedule?{WEEK}")
    assert len(shown["unscheduled"]) == 1


async def test_a_name_follows_the_time_unless_a_person_chose_it(banca: Ruler, arena: Arena) -> None:
    body = {"loteriaId": str(arena.loteria_id), "scheduledAt": SLOT}
    made = await banca.write("POST", SORTEOS, body)
    path = f"{SORTEOS}/{made['id']}"
    assert (made["name"], made["nameIsChosen"]) == ("Tica 12:00", False)

    async def change(**members: Any) -> tuple[str, bool]:
        answer = await banca.write("PATCH", path, members)
        return answer["name"], answer["nameIsChosen"]

    assert await change(scheduledAt="2030-01-16T17:15:00Z") == ("Tica 11:15", False)
    # Another day has the same hour; what is no move leaves the name alone, also when its lottery is called otherwise.
    assert await change(scheduledAt="2030-01-17T17:15:00Z") == ("Tica 11:15", False)
    await banca.write("PATCH", loteria(arena), {"name": "Tica Real"})
    assert await change(digits=3) == ("Tica 11:15", False)
    assert await change(scheduledAt="2030-01-17T17:30:00Z") == ("Tica Real 11:30", False)
    assert await change(name="Gordo") == ("Gordo", True)
    assert await change(scheduledAt="2030-01-17T18:00:00Z") == ("Gordo", True)
    assert await change(loteriaId=await nica(arena)) == ("Gordo", True)
    # The name that it would have by itself is no choice.
    assert await change(name="Nica 12:00") == ("Nica 12:00", False)
    assert await change(scheduledAt="2030-01-17T19:00:00Z", name="Nica 13:00") == ("Nica 13:00", False)
    assert await change(scheduledAt="2030-01-17T20:00:00Z") == ("Nica 14:00", False)
    named = await banca.write("POST", SORTEOS, {**body, "name": "Gordo"})
    assert (named["name"], named["nameIsChosen"]) == ("Gordo", True)
