"""Settlement and monthly closing as jobs: at the hours and with the criteria of document 003."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from core.domain.jobs import JobName
from tests.databases import TestDatabase
from tests.job_desk import Desk, open_desk, set_clock
from tests.statements.office import Office
from tests.statements.test_trouble import CURE, NO_MORE_THAN_FIVE, poison
from tests.workers.test_jobs import told
from workers import statement_jobs

DAY = timedelta(days=1)
AGE_DAYS = 7


@pytest.fixture
async def sold(office: Office) -> date:
    """Two sellers of one ventana sold on this day; it is computed."""
    await office.sell(("15", 10_000))
    await office.sell(("15", 20_000), seller=office.arena.sellers[1])
    await office.evaluate("07")
    await office.compute()
    return await office.day_of_draw()


@pytest.fixture
async def desk(office: Office, sold: date, database: TestDatabase) -> AsyncIterator[Desk]:
    # The day before, so that nothing is made up at first.
    await set_clock(office.arena, born=at_settlement(sold) + timedelta(minutes=1))
    async with open_desk(office.arena, database) as opened:
        yield opened


def at_settlement(day: date) -> datetime:
    """21:00 of the day in Costa Rica."""
    return datetime.combine(day + DAY, time(3), UTC)


async def settled(office: Office, day: date) -> int:
    count: int = await office.arena.owner.fetchval(
        "SELECT count(*) FROM statements WHERE settled_at IS NOT NULL AND business_date = $1", day
    )
    return count


async def carried(office: Office, day: date) -> set[Any]:
    rows = await office.arena.owner.fetch(
        "SELECT entity_id, opening_cents, closing_cents, ticket_count FROM statements WHERE business_date = $1", day
    )
    assert all(row["opening_cents"] == row["closing_cents"] and row["ticket_count"] == 0 for row in rows)
    return {row["entity_id"] for row in rows}


async def test_days_are_settled_when_they_are_older_than_the_age_and_balances_are_carried(
    office: Office, desk: Desk, sold: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statement_jobs, "CARRIED_PER_STEP", 1)
    arena = office.arena
    await desk.enable(JobName.SETTLEMENT)
    last_of_youth = sold + AGE_DAYS * DAY
    await desk.pass_time(at_settlement(last_of_youth))
    assert await settled(office, sold) == 0
    everybody = {arena.seller.id, arena.sellers[1].id, arena.ventana_id, arena.banca_id}
    assert await carried(office, last_of_youth) == everybody
    await desk.pass_time(at_settlement(last_of_youth + DAY))
    assert await settled(office, sold) == 4
    _, run = await desk.runs(JobName.SETTLEMENT)
    executed_at = run["counts"].pop("executedAt")
    assert executed_at == f"{last_of_youth + 2 * DAY}T03:00:00.000Z"
    assert run["counts"] == {
        "cutoffDateCR": str(sold + DAY), "settlementAgeDays": AGE_DAYS, "batchSize": 1_000, "totalProcessed": 4,
        "settledCount": 4, "skippedCount": 0, "errorCount": 0, "remainingCount": 0,
        "carryForward": {"createdCount": 4, "skippedCount": 0, "errorCount": 0},
    }  # fmt: skip
    # What was carried has no tickets, and stays as it is.
    await desk.pass_time(at_settlement(last_of_youth + 20 * DAY))
    assert await settled(office, last_of_youth) == 0
    assert await office.findings() == []


@pytest.mark.parametrize("per_step", [1, 2, 3, 250])
async def test_a_batch_is_as_large_as_the_banca_says_and_the_rest_is_told(
    office: Office,
    desk: Desk,
    sold: date,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    per_step: int,
) -> None:
    monkeypatch.setattr(statement_jobs, "SETTLED_PER_STEP", per_step)
    caplog.set_level(logging.INFO, "banca.job")
    await desk.enable(JobName.SETTLEMENT, batch_size=3)
    day = sold + 8 * DAY
    await desk.pass_time(at_settlement(day))
    assert await settled(office, sold) == 3
    [line] = told(caplog, "SETTLEMENT_MORE_RECORDS_AVAILABLE")
    assert line["payload"].items() >= {
        "batchSize": 3, "totalPending": 4, "message": "Processed 3 records. 1 remaining for next execution."
    }.items()  # fmt: skip
    await desk.pass_time(at_settlement(day + DAY))
    assert await settled(office, sold) == 4
    assert len(told(caplog, "SETTLEMENT_MORE_RECORDS_AVAILABLE")) == 1


async def test_what_is_off_settles_nothing_and_who_asks_is_named(office: Office, desk: Desk, sold: date) -> None:
    await desk.pass_time(at_settlement(sold + 8 * DAY))
    assert await settled(office, sold) == 0
    await desk.ask(JobName.SETTLEMENT)
    await desk.work()
    assert await settled(office, sold) == 4
    by = await office.arena.owner.fetchval("SELECT DISTINCT settled_by FROM statements WHERE settled_at IS NOT NULL")
    assert by == office.arena.seller.id


async def test_a_month_is_closed_on_the_first_and_again_when_asked(
    office: Office, desk: Desk, sold: date, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "banca.job")
    monkeypatch.setattr(statement_jobs, "CLOSED_PER_STEP", 1)
    next_month = (sold.replace(day=28) + 4 * DAY).replace(day=1)
    closing = datetime.combine(next_month, time(8), UTC)
    await desk.pass_time(closing - timedelta(seconds=1))
    assert await desk.runs(JobName.MONTHLY_CLOSING) == []
    await desk.pass_time(closing)
    run = await desk.only_run(JobName.MONTHLY_CLOSING)
    month = f"{sold:%Y-%m}"
    expected = {
        "closingMonth": month, "totalSuccess": 4, "totalErrors": 0, "vendedores": {"success": 2, "errors": 0},
        "ventanas": {"success": 1, "errors": 0}, "bancas": {"success": 1, "errors": 0}, "executedBy": "SYSTEM",
        "executedAt": f"{next_month}T08:00:00.000Z",
    }  # fmt: skip
    assert (run["period"], run["counts"]) == (month, expected)
    [line] = told(caplog, "MONTHLY_CLOSING_COMPLETE")
    assert line["payload"].items() >= expected.items()
    rows = await office.arena.owner.fetch("SELECT month, sales_cents FROM monthly_closings ORDER BY sales_cents")
    assert [row["sales_cents"] for row in rows] == [10_000, 20_000, 30_000, 30_000]
    await desk.ask(JobName.MONTHLY_CLOSING, month)
    await desk.work()
    assert [run["state"] for run in await desk.runs(JobName.MONTHLY_CLOSING)] == ["DONE", "DONE"]
    assert await office.arena.owner.fetchval("SELECT count(*) FROM monthly_closings") == 4
    assert await office.findings() == []


async def test_a_day_that_cannot_be_settled_fails_alone_and_is_settled_the_next_night(
    office: Office, desk: Desk, sold: date, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "banca.job")
    monkeypatch.setattr(statement_jobs, "SETTLED_PER_STEP", 2)
    poisonous = office.arena.seller.id
    await desk.enable(JobName.SETTLEMENT, batch_size=4)
    await poison(office, poisonous, code="23514", where="AND NEW.settled_at IS NOT NULL")
    night = sold + (AGE_DAYS + 1) * DAY
    await desk.pass_time(at_settlement(night))
    assert await settled(office, sold) == 3
    counts = (await desk.only_run(JobName.SETTLEMENT))["counts"]
    assert (counts["settledCount"], counts["errorCount"], counts["totalProcessed"]) == (3, 1, 4)
    [line] = told(caplog, "SETTLEMENT_ERRORS")
    assert line["payload"].items() >= {
        "dimension": "VENDEDOR", "entityId": str(poisonous), "date": str(sold), "errorType": "DB_CONSTRAINT",
        "errorCode": "23514", "error": "too large for a row",
    }.items()  # fmt: skip
    # A larger batch would not help it.
    assert told(caplog, "SETTLEMENT_MORE_RECORDS_AVAILABLE") == []
    await office.arena.owner.execute(CURE)
    await desk.pass_time(at_settlement(night + DAY))
    assert await settled(office, sold) == 4
    assert (await desk.runs(JobName.SETTLEMENT))[1]["counts"]["errorCount"] == 0


async def test_a_balance_that_cannot_be_carried_fails_alone(office: Office, desk: Desk, sold: date) -> None:
    poisonous = office.arena.ventana_id
    await desk.enable(JobName.SETTLEMENT)
    await poison(office, poisonous)
    await desk.pass_time(at_settlement(sold + DAY))
    run = await desk.only_run(JobName.SETTLEMENT)
    assert (run["state"], run["counts"]["carryForward"]) == (
        "DONE",
        {"createdCount": 3, "skippedCount": 0, "errorCount": 1},
    )
    everybody = {office.arena.seller.id, office.arena.sellers[1].id, poisonous, office.arena.banca_id}
    assert await carried(office, sold + DAY) == everybody - {poisonous}


async def test_who_cannot_be_closed_fails_alone_and_is_closed_when_that_is_mended(
    office: Office, desk: Desk, sold: date, caplog: pytest.LogCaptureFixture
) -> None:
    poisonous = office.arena.seller.id
    await poison(office, poisonous, table="monthly_closings")
    next_month = (sold.replace(day=28) + 4 * DAY).replace(day=1)
    await desk.pass_time(datetime.combine(next_month, time(8), UTC))
    run = await desk.only_run(JobName.MONTHLY_CLOSING)
    assert run["state"] == "DONE"
    assert run["counts"].items() >= {
        "totalSuccess": 3, "totalErrors": 1, "vendedores": {"success": 1, "errors": 1},
        "ventanas": {"success": 1, "errors": 0}, "bancas": {"success": 1, "errors": 0},
    }.items()  # fmt: skip
    [line] = told(caplog, "MONTHLY_CLOSING_ERRORS")
    assert line["payload"].items() >= {"entityId": str(poisonous), "errorCode": "22003"}.items()
    await office.arena.owner.execute(CURE)
    await office.compute()
    assert await office.arena.owner.fetchval("SELECT count(*) FROM monthly_closings") == 4
    assert await office.findings() == []


@pytest.mark.parametrize("job", [JobName.SETTLEMENT, JobName.MONTHLY_CLOSING])
async def test_what_takes_too_long_is_tried_with_fewer(
    office: Office, desk: Desk, sold: date, monkeypatch: pytest.MonkeyPatch, job: JobName
) -> None:
    """As many at once as before would take as long as before, every time."""
    for name in ("SETTLED_PER_STEP", "CARRIED_PER_STEP", "CLOSED_PER_STEP"):
        monkeypatch.setattr(statement_jobs, name, 8)
    table, event = ("statements", "UPDATE") if job is JobName.SETTLEMENT else ("monthly_closings", "INSERT")
    await office.arena.owner.execute(
        NO_MORE_THAN_FIVE.replace("> 5", "> 1").replace(
            "AFTER DELETE ON statement_work REFERENCING OLD", f"AFTER {event} ON {table} REFERENCING NEW"
        )
    )
    if job is JobName.SETTLEMENT:
        await desk.enable(job)
    now = datetime.combine((sold.replace(day=28) + 4 * DAY).replace(day=15), time(8), UTC)
    for minutes in range(20):
        await desk.pass_time(now + timedelta(minutes=minutes))
    run = await desk.only_run(job)
    assert (run["state"], run["counts"].get("settledCount", 4), run["counts"].get("totalSuccess", 4)) == ("DONE", 4, 4)
