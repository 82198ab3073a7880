"""What a banca sets of its jobs: who may, from when on it holds, and what is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from core.domain.jobs import JobName
from core.domain.permissions import Role
from tests.api.ruling import API, Ruler, ruler
from tests.api.test_jobs import written
from tests.arena import Arena
from tests.running_api import RunningApi

JOBS = f"{API}/admin/jobs"


@pytest.fixture
async def admin(api: RunningApi, arena: Arena) -> Ruler:
    return await ruler(api, arena, Role.ADMIN)


async def test_settings_are_changed_and_told(admin: Ruler, arena: Arena) -> None:
    change = {"enabled": True, "cronSchedule": "05 4 * * *", "settlementAgeDays": 10, "batchSize": 5_000}
    job = await admin.write("PATCH", f"{JOBS}/settlement", change)
    assert (job["enabled"], job["schedule"], job["settlementAgeDays"], job["batchSize"]) == (
        True,
        "5 4 * * *",
        10,
        2_000,
    )
    assert job["nextRun"][10:] == "T04:05:00.000Z"
    told = json.loads(await arena.owner.fetchval("SELECT payload::jsonb FROM outbox"))
    assert (told["action"], told["actorId"]) == ("JOB_SETTINGS_UPDATE", str(admin.person.id))
    assert told["before"] == {
        "job": "settlement", "enabled": False, "schedule": "0 3 * * *", "settlement_age_days": 7, "batch_size": 1000
    }  # fmt: skip
    # The same again is no change, and null is the default.
    await admin.write("PATCH", f"{JOBS}/settlement", change)
    assert (await written(arena))[2] == 1
    back = await admin.write("PATCH", f"{JOBS}/settlement", {"cronSchedule": None, "batchSize": None})
    assert (back["enabled"], back["schedule"], back["settlementAgeDays"], back["batchSize"]) == (
        True,
        "0 3 * * *",
        10,
        1_000,
    )


async def test_what_was_due_before_a_job_was_on_or_had_its_hour_does_not_count(admin: Ruler, arena: Arena) -> None:
    async def since(**change: Any) -> Any:
        await admin.write("PATCH", f"{JOBS}/settlement", change)
        return await arena.owner.fetchval("SELECT nullif(since, '-infinity') FROM job_settings")

    assert await since(batchSize=10) is None
    enabled = await since(enabled=True)
    assert timedelta(0) <= datetime.now(UTC) - enabled < timedelta(minutes=1)
    assert await since(settlementAgeDays=3) == enabled
    moved = await since(cronSchedule="0 4 * * *")
    assert moved > enabled
    assert await since(enabled=False) == moved


async def test_a_job_that_is_on_is_shown_after_any_change(admin: Ruler) -> None:
    """Also when nothing was ever switched on, so that nothing begins to count."""
    job = await admin.write("PATCH", f"{JOBS}/activity-log-cleanup", {"retentionDays": 60})
    assert (job["retentionDays"], job["healthy"]) == (60, True)
    assert await admin.get(f"{JOBS}/activity-log-cleanup") == job
    assert len((await admin.get(JOBS))["data"]) == len(JobName)


async def test_a_closing_that_moves_leaves_out_no_month(admin: Ruler, arena: Arena) -> None:
    """From the 15th to the 1st, on a day between: the month before would be closed on neither."""
    path = f"{JOBS}/monthly-closing"
    for schedule in ("0 8 15 * *", "0 6 1 * *", "0 3 2 * *"):
        assert (await admin.write("PATCH", path, {"cronSchedule": schedule}))["schedule"] == schedule
        assert await arena.owner.fetchval("SELECT since = '-infinity' FROM job_settings")


async def test_a_month_that_goes_on_is_no_time_for_its_closing(admin: Ruler, arena: Arena) -> None:
    answer = await admin.send("PATCH", f"{JOBS}/monthly-closing", {"cronSchedule": "0 3 1 * *"})
    [violation] = answer.json()["violations"]
    assert (answer.status, violation["code"], violation["field"]) == (400, "JOB_MONTH_NOT_OVER", "cronSchedule")
    with pytest.raises(asyncpg.CheckViolationError, match="follow_their_month"):
        await arena.owner.execute(
            "INSERT INTO job_settings (banca_id, job, schedule, since, updated_at)"
            " VALUES ($1, 'monthly-closing', '59 5 1 * *', now(), now())",
            arena.banca_id,
        )


@pytest.mark.parametrize(
    ("name", "change", "field"),
    [
        ("settlement", {}, None),
        ("settlement", {"cronSchedule": "0 25 * * *"}, "cronSchedule"),
        ("settlement", {"cronSchedule": "0 8 1 * *"}, "cronSchedule"),
        ("monthly-closing", {"cronSchedule": "0 8 * * *"}, "cronSchedule"),
        ("settlement", {"batchSize": 0}, "batchSize"),
        ("settlement", {"settlementAgeDays": -1}, "settlementAgeDays"),
        ("settlement", {"retentionDays": 45}, "retentionDays"),
        ("sorteos-auto-open", {"batchSize": 10}, "batchSize"),
        ("idempotency-cleanup", {"retentionDays": 34}, "retentionDays"),
        ("activity-log-cleanup", {"retentionDays": 0}, "retentionDays"),
        ("settlement", {"enabled": "yes"}, "enabled"),
        ("monthly-closing", {"cronSchedule": "59 5 1 * *"}, "cronSchedule"),
        ("job-runs-cleanup", {"retentionDays": 399}, "retentionDays"),
    ],
)
async def test_bad_settings_change_nothing(admin: Ruler, arena: Arena, name: str, change: Any, field: str) -> None:
    answer = await admin.send("PATCH", f"{JOBS}/{name}", change)
    assert (answer.status, answer.code) == (400, "VALIDATION_FAILED")
    assert [violation.get("field") for violation in answer.json()["violations"]] == [field]
    assert await written(arena) == (0, 0, 0)
