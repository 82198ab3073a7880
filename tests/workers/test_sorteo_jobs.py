"""Draws made, opened and closed by jobs: of which lotteries, of which day, and no others."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from core.domain.jobs import JobName
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.job_desk import Desk, open_desk, set_clock
from tests.till.state import findings
from workers import sorteo_jobs

# 07:00 UTC is 01:00 in Costa Rica, whose day ends at 06:00 UTC.
OPENING = datetime(2030, 1, 15, 7, 0, tzinfo=UTC)
DAY = timedelta(days=1)
DAILY = {"drawSchedule": {"frequency": "diario", "times": ["12:00", "19:30"]}}


@pytest.fixture
async def desk(arena: Arena, database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    # So that a handful of draws takes several steps.
    monkeypatch.setattr(sorteo_jobs, "SORTEOS_PER_STEP", 2)
    await set_clock(arena)
    await arena.owner.execute("DELETE FROM sorteos")
    async with open_desk(arena, database) as opened:
        yield opened


async def rule(arena: Arena, **rules: Any) -> None:
    await arena.owner.execute("UPDATE loterias SET rules = $1", json.dumps({"digits": 2, **rules}))


async def draw(arena: Arena, at: datetime, *, status: str = "SCHEDULED", tickets: int = 0, active: bool = True) -> UUID:
    sorteo_id = uuid4()
    await arena.owner.execute(
        "INSERT INTO sorteos (banca_id, id, loteria_id, name, digits, status, scheduled_at, last_sequence, is_active)"
        " VALUES ($1, $2, $3, 'Tica', 2, $4, $5, $6, $7)",
        arena.banca_id, sorteo_id, arena.loteria_id, status, at, tickets, active,
    )  # fmt: skip
    return sorteo_id


async def statuses(arena: Arena, ids: list[UUID]) -> list[str]:
    rows = await arena.owner.fetch("SELECT id, status::text FROM sorteos")
    known = {row["id"]: row["status"] for row in rows}
    return [known[sorteo_id] for sorteo_id in ids]


async def test_the_draws_of_the_day_open(desk: Desk, arena: Arena) -> None:
    await rule(arena, autoOpenEnabled=True)
    await desk.enable(JobName.SORTEOS_AUTO_OPEN)
    start, end = datetime(2030, 1, 15, 6, 0, tzinfo=UTC), datetime(2030, 1, 16, 6, 0, tzinfo=UTC)
    opened = [await draw(arena, OPENING + n * timedelta(hours=1)) for n in range(1, 5)]
    opened.append(await draw(arena, end - timedelta(milliseconds=1)))
    left = [await draw(arena, end), await draw(arena, start + timedelta(minutes=1))]
    left.append(await draw(arena, OPENING + timedelta(minutes=1), active=False))
    left.append(await draw(arena, OPENING + timedelta(minutes=2)))
    await arena.owner.execute(
        "UPDATE sorteos SET opens_at = $2 WHERE id = $1", left[-1], OPENING + timedelta(seconds=1)
    )
    await desk.pass_time(OPENING)
    assert await statuses(arena, opened + left) == ["OPEN"] * 5 + ["SCHEDULED"] * 4
    assert (await desk.only_run(JobName.SORTEOS_AUTO_OPEN))["counts"] == {
        "success": True, "openedCount": 5, "errorsCount": 0, "executedAt": "2030-01-15T07:00:00.000Z"
    }  # fmt: skip
    [told] = await arena.owner.fetch(
        "SELECT DISTINCT payload->>'layer' AS layer, payload->>'actorId' AS actor, payload->>'reason' AS reason"
        " FROM outbox WHERE type = 'sorteos.moved'"
    )
    assert tuple(told) == ("job", None, "sorteos-auto-open")
    assert await findings(arena.owner, arena.banca_id) == []


@pytest.mark.parametrize("rules", [{}, {"autoOpenEnabled": False}, {"autoCreateEnabled": True}])
async def test_draws_of_a_lottery_whose_rules_do_not_say_so_stay(desk: Desk, arena: Arena, rules: Any) -> None:
    await rule(arena, **rules)
    await desk.enable(JobName.SORTEOS_AUTO_OPEN)
    sorteo_id = await draw(arena, OPENING + timedelta(hours=1))
    await desk.pass_time(OPENING)
    assert await statuses(arena, [sorteo_id]) == ["SCHEDULED"]
    assert (await desk.only_run(JobName.SORTEOS_AUTO_OPEN))["counts"]["openedCount"] == 0


async def test_draws_are_made_for_seven_days_and_the_next_night_for_one_more(desk: Desk, arena: Arena) -> None:
    await rule(arena, autoCreateEnabled=True, **DAILY)
    await desk.enable(JobName.SORTEOS_AUTO_CREATE)
    await draw(arena, datetime(2030, 1, 15, 18, 0, tzinfo=UTC))
    at = OPENING + timedelta(minutes=30)
    await desk.pass_time(at)
    await desk.pass_time(at + DAY)
    first, second = [run["counts"] for run in await desk.runs(JobName.SORTEOS_AUTO_CREATE)]
    assert (first["createdCount"], first["skippedCount"], first["success"]) == (13, 1, True)
    assert (second["createdCount"], second["skippedCount"], second["errorsCount"]) == (2, 12, 0)
    made = await arena.owner.fetch("SELECT scheduled_at, status::text, name FROM sorteos ORDER BY scheduled_at")
    assert [row["scheduled_at"] for row in made[:2]] == [at.replace(hour=18, minute=0), at.replace(hour=1) + DAY]
    assert made[-1]["scheduled_at"] == datetime(2030, 1, 23, 1, 30, tzinfo=UTC)
    assert {(row["status"], row["name"]) for row in made[1:]} == {
        ("SCHEDULED", "Tica 12:00"),
        ("SCHEDULED", "Tica 19:30"),
    }
    told = await arena.owner.fetchval(
        "SELECT jsonb_agg(payload::jsonb->'layer') FROM outbox WHERE payload->>'action' = 'SORTEO_CREATE'"
    )
    assert json.loads(told) == ["job", "job"]
    assert await findings(arena.owner, arena.banca_id) == []


@pytest.mark.parametrize(
    ("flags", "made"),
    [
        ({}, 0),
        ({"autoCreateEnabled": False, "autoCreateSorteos": True}, 0),
        ({"autoCreateSorteos": True}, 14),
        ({"autoCreateEnabled": True}, 14),
    ],
)
async def test_a_lottery_says_itself_whether_its_draws_are_made(
    desk: Desk, arena: Arena, flags: Any, made: int
) -> None:
    await rule(arena, **flags, **DAILY)
    await desk.enable(JobName.SORTEOS_AUTO_CREATE)
    await desk.pass_time(OPENING + timedelta(minutes=30))
    assert (await desk.only_run(JobName.SORTEOS_AUTO_CREATE))["counts"]["createdCount"] == made


async def test_draws_of_another_country_are_made_by_its_own_clock(desk: Desk, arena: Arena) -> None:
    daily = {"frequency": "diario", "times": ["14:30"], "timeZone": "America/New_York"}
    await rule(arena, autoCreateEnabled=True, drawSchedule=daily)
    await desk.enable(JobName.SORTEOS_AUTO_CREATE)
    # New York's clock goes forward on 10 March 2030: of the week's draws the last five are an hour earlier here.
    await desk.pass_time(datetime(2030, 3, 8, 7, 30, tzinfo=UTC))
    made = await arena.owner.fetch("SELECT scheduled_at, name FROM sorteos ORDER BY scheduled_at")
    assert [row["scheduled_at"].hour for row in made] == [19, 19] + [18] * 5
    assert [row["name"] for row in made] == ["Tica 13:30"] * 2 + ["Tica 12:30"] * 5


BAD_ZONES: list[Any] = ["Mars/Base", "", 7, [], {"a": 1}]


@pytest.mark.parametrize(
    "schedule",
    [
        *({"times": ["noon"]}, {"times": [12]}, {"times": 12}, "daily", 7),
        *({"times": ["12:00"], "timeZone": zone} for zone in BAD_ZONES),
    ],
)
async def test_rules_that_nobody_can_read_are_an_error_of_their_lottery_alone(
    desk: Desk, arena: Arena, schedule: Any
) -> None:
    await rule(arena, autoCreateEnabled=True, **DAILY)
    broken = json.dumps({"autoCreateEnabled": True, "drawSchedule": schedule})
    await arena.owner.execute(
        "INSERT INTO loterias (banca_id, id, name, rules) VALUES ($1, $2, 'Broken', $3)",
        arena.banca_id,
        uuid4(),
        broken,
    )
    await desk.enable(JobName.SORTEOS_AUTO_CREATE)
    await desk.pass_time(OPENING + timedelta(minutes=30))
    counts = (await desk.only_run(JobName.SORTEOS_AUTO_CREATE))["counts"]
    assert (counts["success"], counts["createdCount"], counts["errorsCount"]) == (False, 14, 1)


async def test_draws_that_nobody_sold_close_opened_or_not(desk: Desk, arena: Arena) -> None:
    await desk.enable(JobName.SORTEOS_AUTO_CLOSE)
    closing = OPENING.replace(hour=4)
    over = closing - timedelta(minutes=5)
    closed = [await draw(arena, over), await draw(arena, over - DAY, status="OPEN"), await draw(arena, over - 9 * DAY)]
    left = [
        await draw(arena, over + timedelta(seconds=1)),
        await draw(arena, over - timedelta(hours=1), status="OPEN", tickets=1),
        await draw(arena, over - timedelta(hours=2), active=False),
        await draw(arena, over - timedelta(hours=3), status="EVALUATED"),
    ]
    await desk.pass_time(closing)
    assert await statuses(arena, closed) == ["CLOSED"] * 3
    assert await statuses(arena, left) == ["SCHEDULED", "OPEN", "SCHEDULED", "EVALUATED"]
    assert (await desk.only_run(JobName.SORTEOS_AUTO_CLOSE))["counts"] == {
        "success": True, "closedCount": 3, "errorsCount": 0, "executedAt": "2030-01-15T04:00:00.000Z"
    }  # fmt: skip


async def test_a_draw_that_was_sold_meanwhile_is_not_closed(
    desk: Desk, arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.enable(JobName.SORTEOS_AUTO_CLOSE)
    closing = OPENING.replace(hour=4)
    sorteo_id = await draw(arena, closing - DAY, status="OPEN")
    move = sorteo_jobs.move

    async def sold_first(connection: Any, run: Any, row: Any, action: Any) -> str:
        await arena.owner.execute("UPDATE sorteos SET last_sequence = 1 WHERE id = $1", sorteo_id)
        return await move(connection, run, row, action)

    monkeypatch.setattr(sorteo_jobs, "move", sold_first)
    await desk.pass_time(closing)
    assert await statuses(arena, [sorteo_id]) == ["OPEN"]
    assert (await desk.only_run(JobName.SORTEOS_AUTO_CLOSE))["counts"]["closedCount"] == 0


async def test_a_draw_that_fails_does_not_stop_the_others(
    desk: Desk, arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rule(arena, autoOpenEnabled=True)
    await desk.enable(JobName.SORTEOS_AUTO_OPEN)
    ids = [await draw(arena, OPENING + n * timedelta(hours=1)) for n in range(1, 6)]
    await arena.owner.execute(
        f"ALTER TABLE sorteos ADD CONSTRAINT one_stays CHECK (id <> '{ids[2]}' OR status = 'SCHEDULED')"
    )
    await desk.pass_time(OPENING)
    assert await statuses(arena, ids) == ["OPEN", "OPEN", "SCHEDULED", "OPEN", "OPEN"]
    counts = (await desk.only_run(JobName.SORTEOS_AUTO_OPEN))["counts"]
    assert (counts["success"], counts["openedCount"], counts["errorsCount"]) == (False, 4, 1)


async def test_a_draw_that_somebody_holds_keeps_no_other_waiting_and_opens_later(
    desk: Desk, arena: Arena, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sorteo_jobs, "LOCK_TIMEOUT", "50ms")
    await rule(arena, autoOpenEnabled=True)
    await desk.enable(JobName.SORTEOS_AUTO_OPEN)
    ids = sorted([await draw(arena, OPENING + n * timedelta(hours=1)) for n in range(1, 6)])
    holder = await asyncpg.connect(database.owner_url)
    holding = holder.transaction()
    await holding.start()
    await holder.execute("SELECT FROM sorteos WHERE id = $1 FOR UPDATE", ids[0])
    await desk.pass_time(OPENING)
    assert await statuses(arena, ids) == ["SCHEDULED"] + ["OPEN"] * 4
    run = await desk.only_run(JobName.SORTEOS_AUTO_OPEN)
    assert (run["state"], run["counts"]["openedCount"]) == ("RUNNING", 4)
    await holding.rollback()
    await holder.close()
    await desk.pass_time(OPENING + sorteo_jobs.FIRST_REST)
    run = await desk.only_run(JobName.SORTEOS_AUTO_OPEN)
    assert (run["state"], run["counts"]["openedCount"], run["counts"]["errorsCount"]) == ("DONE", 5, 0)
    assert await statuses(arena, ids) == ["OPEN"] * 5


async def test_a_draw_that_somebody_holds_for_ever_is_given_up_until_the_next_day(
    desk: Desk, arena: Arena, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sorteo_jobs, "LOCK_TIMEOUT", "10ms")
    await desk.enable(JobName.SORTEOS_AUTO_CLOSE)
    closing = OPENING.replace(hour=4)
    sorteo_id = await draw(arena, closing - DAY)
    holder = await asyncpg.connect(database.owner_url)
    async with holder.transaction():
        await holder.execute("SELECT FROM sorteos WHERE id = $1 FOR UPDATE", sorteo_id)
        for minutes in range(10):
            await desk.pass_time(closing + timedelta(minutes=minutes))
    await holder.close()
    run = await desk.only_run(JobName.SORTEOS_AUTO_CLOSE)
    assert (run["state"], run["counts"]["closedCount"], run["counts"]["errorsCount"]) == ("DONE", 0, 1)
    await desk.pass_time(closing + DAY)
    assert await statuses(arena, [sorteo_id]) == ["CLOSED"]
