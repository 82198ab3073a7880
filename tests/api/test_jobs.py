"""Jobs over HTTP: read, set, asked for; by whom, and what is refused."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from core.domain.calendar import costa_rica_date
from core.domain.jobs import JobName, month_before
from core.domain.permissions import Role
from tests.api.ruling import API, Ruler, ruler
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.job_desk import Desk, open_desk
from tests.running_api import RunningApi

JOBS = f"{API}/admin/jobs"


@pytest.fixture
async def admin(api: RunningApi, arena: Arena) -> Ruler:
    return await ruler(api, arena, Role.ADMIN)


@pytest.fixture
async def desk(arena: Arena, database: TestDatabase) -> AsyncIterator[Desk]:
    async with open_desk(arena, database) as opened:
        yield opened


async def refusal(who: Ruler, method: str, path: str, document: Any = None) -> tuple[int, str]:
    answer = await who.send(method, path, document)
    return answer.status, str(answer.code)


async def written(arena: Arena) -> tuple[int, ...]:
    row = await arena.owner.fetchrow(
        "SELECT (SELECT count(*) FROM job_settings), (SELECT count(*) FROM job_runs), (SELECT count(*) FROM outbox)"
    )
    assert row is not None
    return tuple(row)


async def test_a_fresh_banca_has_the_documents_jobs(admin: Ruler) -> None:
    jobs = {job["name"]: job for job in (await admin.get(JOBS))["data"]}
    assert list(jobs) == list(JobName)
    assert jobs["settlement"] == {
        "name": "settlement", "enabled": False, "schedule": "0 3 * * *", "settlementAgeDays": 7, "batchSize": 1000,
        "retentionDays": None, "lastRun": None, "lastSuccessAt": None, "nextRun": None, "count": 0, "healthy": True,
    }  # fmt: skip
    cleanup = jobs["activity-log-cleanup"]
    assert (cleanup["enabled"], cleanup["retentionDays"]) == (True, 45)
    assert cleanup["nextRun"][10:] == "T02:00:00.000Z"
    assert jobs["monthly-closing"]["nextRun"][7:] == "-01T08:00:00.000Z"


async def test_who_asks_for_a_run_gets_it_done_and_it_is_told(admin: Ruler, arena: Arena, desk: Desk) -> None:
    answer = await admin.send("POST", f"{JOBS}/restrictions-auto-date/run", {"reason": "to see"})
    assert answer.status == 202
    run = answer.json()
    assert (run["state"], run["trigger"], run["requestedBy"]) == ("REQUESTED", "MANUAL", str(admin.person.id))
    # Asked again before it is done, it is the same.
    assert (await admin.send("POST", f"{JOBS}/restrictions-auto-date/trigger")).json()["id"] == run["id"]
    await desk.work()
    job = await admin.get(f"{JOBS}/restrictions-auto-date")
    assert (job["count"], job["healthy"], job["lastRun"]["id"]) == (1, True, run["id"])
    assert job["lastRun"]["counts"]["activeRules"] == 0
    health = await admin.get(f"{API}/restrictions/cron-health")
    today = costa_rica_date(datetime.now(UTC))
    assert (health["healthy"], health["activeRules"], health["numberInForce"]) == (True, 0, f"{today.day:02d}")
    events = await arena.owner.fetch("SELECT type, payload::jsonb AS told FROM outbox ORDER BY id")
    asked, ended = (json.loads(row["told"]) for row in events)
    assert (asked["job"], asked["reason"], asked["actorId"]) == (
        "restrictions-auto-date",
        "to see",
        str(admin.person.id),
    )
    assert (ended["action"], ended["targetType"], ended["after"]["state"]) == ("SYSTEM_ACTION", "CRON_JOB", "DONE")
    assert (await admin.send("POST", f"{JOBS}/restrictions-auto-date/run")).json()["id"] != run["id"]


async def test_a_run_for_another_day_is_another_run(admin: Ruler, arena: Arena) -> None:
    path = f"{JOBS}/sorteos-auto-open/run"
    today = costa_rica_date(datetime.now(UTC))

    async def asked(document: Any = None) -> str:
        return str((await admin.send("POST", path, document)).json()["id"])

    tomorrows = await asked({"day": str(today + timedelta(days=1))})
    todays = await asked()
    assert tomorrows != todays
    assert await asked() == todays
    assert await asked({"day": str(today + timedelta(days=1))}) == tomorrows


async def test_the_note_of_auto_date_rules_is_made_by_its_old_address(admin: Ruler, banca: Ruler) -> None:
    path = f"{API}/restrictions/cron-health/execute"
    answer = await admin.send("POST", path, {"reason": "to see"})
    assert (answer.status, answer.json()["job"], answer.json()["trigger"]) == (202, "restrictions-auto-date", "MANUAL")
    assert await refusal(banca, "POST", path) == (403, "FORBIDDEN")
    assert await refusal(admin, "POST", path, {"month": "2026-01"}) == (400, "VALIDATION_FAILED")


async def test_runs_are_listed_the_newest_first(admin: Ruler, desk: Desk) -> None:
    ids = []
    for _ in range(3):
        ids.append((await admin.send("POST", f"{JOBS}/restrictions-auto-date/run")).json()["id"])
        await desk.work()
    path = f"{JOBS}/restrictions-auto-date/runs?pageSize=2"
    first = await admin.get(path)
    rest = await admin.get(f"{path}&cursor={first['meta']['nextCursor']}")
    assert [run["id"] for run in first["data"] + rest["data"]] == ids[::-1]
    assert (await admin.get(f"{JOBS}/restrictions-auto-date/runs?state=FAILED"))["data"] == []
    assert (await admin.get(f"{JOBS}/settlement/runs"))["data"] == []


async def test_a_banca_runs_the_jobs_of_its_draws_and_no_others(banca: Ruler, arena: Arena) -> None:
    for name in JobName:
        status = (await banca.send("POST", f"{JOBS}/{name}/run")).status
        assert status == (202 if name.startswith("sorteos") else 403), name
    assert await refusal(banca, "PATCH", f"{JOBS}/sorteos-auto-open", {"enabled": True}) == (403, "FORBIDDEN")
    assert (
        await banca.send("POST", f"{API}/sorteos/auto-open/execute", {"day": f"{costa_rica_date(datetime.now(UTC))}"})
    ).status == 202
    assert await refusal(banca, "POST", f"{API}/account-statements/execute") == (403, "FORBIDDEN")
    assert len((await banca.get(JOBS))["data"]) == len(JobName)


async def test_a_month_is_closed_when_it_is_over(admin: Ruler, arena: Arena) -> None:
    last = month_before(costa_rica_date(datetime.now(UTC)))
    path = f"{JOBS}/monthly-closing/run"
    assert (await admin.send("POST", path)).json()["period"] == last
    assert (await admin.send("POST", path, {"month": "2024-11"})).json()["period"] == "2024-11"
    before = await written(arena)
    this = f"{costa_rica_date(datetime.now(UTC)):%Y-%m}"
    assert await refusal(admin, "POST", path, {"month": this}) == (422, "JOB_MONTH_NOT_OVER")
    assert await refusal(admin, "POST", path, {"month": "2099-12"}) == (422, "JOB_MONTH_NOT_OVER")
    assert await written(arena) == before


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("monthly-closing/run", {"month": "2026-13"}),
        ("monthly-closing/run", {"month": "26-1"}),
        ("monthly-closing/run", {"month": 202601}),
        ("monthly-closing/run", {"day": "2026-01-15"}),
        ("settlement/run", {"month": "2026-01"}),
        ("settlement/trigger", {"day": "2026-01-15"}),
        ("sorteos-auto-open/run", {"day": "2026-02-30"}),
        ("sorteos-auto-create/run", {"day": "2099-01-15"}),
        ("sorteos-auto-open/run", {"reason": ""}),
        ("sorteos-auto-open/run", {"unknown": 1}),
    ],
)
async def test_what_a_job_does_not_take_is_refused(admin: Ruler, arena: Arena, path: str, document: Any) -> None:
    before = await written(arena)
    assert await refusal(admin, "POST", f"{JOBS}/{path}", document) == (400, "VALIDATION_FAILED")
    assert await written(arena) == before


async def test_a_name_that_is_no_jobs_is_not_found(admin: Ruler) -> None:
    for method, path in (("GET", ""), ("PATCH", ""), ("GET", "/runs"), ("POST", "/run"), ("POST", "/trigger")):
        document = {"enabled": True} if method == "PATCH" else None
        assert await refusal(admin, method, f"{JOBS}/nothing{path}", document) == (404, "JOB_NOT_FOUND")


async def test_another_bancas_jobs_are_its_own(api: RunningApi, admin: Ruler, arena: Arena) -> None:
    other = await Arena.create(arena.owner, arena.settings)
    there = Ruler(api, await arena.add_user(Role.ADMIN, has_banca=False), other.banca_id)
    await there.write("PATCH", f"{JOBS}/settlement", {"enabled": True})
    await there.send("POST", f"{JOBS}/settlement/run")
    here = await admin.get(f"{JOBS}/settlement")
    assert (here["enabled"], here["lastRun"]) == (False, None)
    assert (await admin.get(f"{JOBS}/settlement/runs"))["data"] == []
    nowhere = Ruler(api, there.person, uuid4())
    assert (await nowhere.send("GET", JOBS)).status in (403, 404)


async def test_a_job_that_is_due_and_was_not_done_is_not_well(admin: Ruler, arena: Arena) -> None:
    await arena.owner.execute("UPDATE instance SET jobs_since = now() - interval '3 days'")
    await arena.owner.execute("UPDATE bancas SET created_at = now() - interval '3 days'")
    path = f"{JOBS}/activity-log-cleanup"
    assert (await admin.get(path))["healthy"] is False
    done = datetime.now(UTC)
    for age, healthy in ((timedelta(hours=31), False), (timedelta(hours=29), True)):
        await arena.owner.execute(
            "INSERT INTO job_runs (banca_id, id, job, period, trigger, state, due_at, day, next_attempt_at, requested_at,"
            " started_at, finished_at) VALUES ($1, gen_random_uuid(), 'activity-log-cleanup', '2026-01-01', 'MANUAL',"
            " 'DONE', $2, $2::timestamptz::date, $2, $2, $2, $2)",
            arena.banca_id, done - age,
        )  # fmt: skip
        assert (await admin.get(path))["healthy"] is healthy
