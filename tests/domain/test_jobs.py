"""When jobs are due (document 003, MCL-2): table and properties."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.jobs import (
    DAY_OF_MONTH_MAX,
    JOBS,
    RUN_RETENTION_DAYS_MIN,
    Job,
    JobName,
    JobSettings,
    MonthNotOverError,
    Schedule,
    ScheduleError,
    due,
    first_of_month,
    is_before_the_month_is_over,
    is_healthy,
    month_before,
    parse_schedule,
    period_by_hand,
    settings_of,
)

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
CLOSING, OPENING = JOBS[JobName.MONTHLY_CLOSING], JOBS[JobName.SORTEOS_AUTO_OPEN]
# Of this century, but its ends.
INSTANTS = st.integers(10**9, 4 * 10**9).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
SCHEDULES = st.builds(
    Schedule,
    st.integers(0, 59),
    st.integers(0, 23),
    st.none() | st.integers(1, DAY_OF_MONTH_MAX),
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def periods(job: Job, *, since: datetime = LONG_AGO, now: str, row: dict[str, object] | None = None) -> list[str]:
    return [one.period for one in due(job, settings_of(job, row), since=since, at=at(now))]


def test_the_hours_are_those_of_the_document() -> None:
    assert {name.value: str(job.schedule) for name, job in JOBS.items()} == {
        "sorteos-auto-open": "0 7 * * *",
        "sorteos-auto-create": "30 7 * * *",
        "sorteos-auto-close": "0 4 * * *",
        "settlement": "0 3 * * *",
        "monthly-closing": "0 8 1 * *",
        "activity-log-cleanup": "0 2 * * *",
        "idempotency-cleanup": "30 2 * * *",
        "job-runs-cleanup": "45 2 * * *",
        "restrictions-auto-date": "0 6 * * *",
    }
    assert {job.name for job in JOBS.values() if not job.is_enabled} == {
        JobName.SORTEOS_AUTO_OPEN, JobName.SORTEOS_AUTO_CREATE, JobName.SORTEOS_AUTO_CLOSE, JobName.SETTLEMENT,
    }  # fmt: skip
    assert OPENING.log_prefix == "SORTEOS_AUTO_OPEN"
    assert CLOSING.log_prefix == "MONTHLY_CLOSING"
    settled = settings_of(JOBS[JobName.SETTLEMENT], None)
    assert (settled.settlement_age_days, settled.batch_size) == (7, 1_000)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        # MCL-2.
        ("2026-03-01T08:00", "2026-02"),
        ("2026-01-01T08:00", "2025-12"),
        # A minute before it is the month before's.
        ("2026-03-01T07:59", "2026-01"),
        # What was missed on the 1st is made up whenever.
        ("2026-03-31T23:59", "2026-02"),
        ("2028-03-01T08:00", "2028-02"),
        ("2028-02-29T12:00", "2028-01"),
    ],
)
def test_a_closing_closes_the_month_before(now: str, expected: str) -> None:
    assert periods(CLOSING, now=now)[0] == expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-01-25T07:00", "2026-01-25"),
        ("2026-01-25T06:59", "2026-01-24"),
        ("2028-02-29T07:00", "2028-02-29"),
        ("2028-03-01T06:59", "2028-02-29"),
        ("2026-03-01T00:00", "2026-02-28"),
        ("2027-01-01T06:00", "2026-12-31"),
    ],
)
def test_of_a_daily_job_only_the_newest_day_is_made_up(now: str, expected: str) -> None:
    assert periods(OPENING, now=now) == [expected]


def test_every_month_that_was_missed_is_made_up_but_no_more_than_a_year() -> None:
    assert periods(CLOSING, since=at("2025-11-20T00:00"), now="2026-03-01T08:00") == [
        "2026-02",
        "2026-01",
        "2025-12",
        "2025-11",
    ]
    assert len(periods(CLOSING, now="2026-03-01T08:00")) == 12


def test_nothing_is_due_of_before_there_was_a_banca_or_before_it_was_switched_on() -> None:
    born = at("2026-01-25T07:01")
    assert periods(OPENING, since=born, now="2026-01-26T06:59") == []
    assert periods(OPENING, since=born, now="2026-01-26T07:00") == ["2026-01-26"]
    # Of just then it is due.
    assert periods(OPENING, since=at("2026-01-26T07:00"), now="2026-01-26T07:00") == ["2026-01-26"]
    row = {"schedule": "0 5 * * *", "since": at("2026-01-25T06:00")}
    assert periods(OPENING, now="2026-01-25T23:00", row=row) == []
    assert periods(OPENING, now="2026-01-26T05:00", row=row) == ["2026-01-26"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0 3 * *",
        "0 3 * * 1",
        "60 3 * * *",
        "0 24 * * *",
        "*/5 3 * * *",
        "0 3 1 * *",
        "0,5 3 * * *",
        "0 3 * * * *",
        "-1 3 * * *",
        "٣ 3 * * *",
    ],
)
def test_what_is_no_time_of_a_day_is_no_schedule(text: str) -> None:
    with pytest.raises(ScheduleError):
        parse_schedule(text, monthly=False)


@pytest.mark.parametrize("text", ["0 8 * * *", "0 8 0 * *", "0 8 29 * *", "0 8 1 1 *"])
def test_a_monthly_schedule_names_a_day_that_every_month_has(text: str) -> None:
    with pytest.raises(ScheduleError):
        parse_schedule(text, monthly=True)


@given(SCHEDULES)
def test_a_schedule_reads_as_it_is_written(schedule: Schedule) -> None:
    assert parse_schedule(str(schedule), monthly=schedule.day is not None) == schedule


@given(SCHEDULES, INSTANTS)
def test_now_lies_between_the_last_time_and_the_next(schedule: Schedule, now: datetime) -> None:
    latest, following = schedule.latest(now), schedule.next(now)
    assert latest <= now < following
    assert schedule.latest(following) == following
    assert schedule.next(latest) == following
    longest = timedelta(days=1 if schedule.day is None else 31)
    assert following - latest <= longest


@given(SCHEDULES, INSTANTS)
def test_times_go_back_one_by_one(schedule: Schedule, now: datetime) -> None:
    times = [time for time, _ in zip(schedule.backwards(now), range(15), strict=False)]
    assert all(schedule.next(older) == newer for newer, older in pairwise(times))


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (None, False),
        ("2026-01-24T07:00", True),
        ("2026-01-24T05:59", False),
        ("2026-01-24T06:00", False),
        ("2026-01-25T11:59", True),
    ],
)
def test_a_job_is_healthy_for_thirty_hours_after_it_was_done(last: str | None, *, expected: bool) -> None:
    on = settings_of(OPENING, {"is_enabled": True})
    done = None if last is None else at(last)
    now = at("2026-01-25T12:00")
    assert is_healthy(OPENING, on, since=LONG_AGO, last_success=done, at=now) is expected
    # What need not have run yet, or not at all, is not ill.
    assert is_healthy(OPENING, on, since=at("2026-01-25T07:01"), last_success=done, at=now)
    assert is_healthy(OPENING, settings_of(OPENING, None), since=LONG_AGO, last_success=done, at=now)


def test_a_month_begins_on_its_first_day() -> None:
    assert first_of_month("2026-11") == date(2026, 11, 1)
    assert [month_before(date(2026, 3, day)) for day in (1, 31)] == ["2026-02", "2026-02"]
    assert month_before(date(2026, 1, 1)) == "2025-12"


def test_by_hand_a_daily_job_runs_for_the_day_of_utc() -> None:
    assert period_by_hand(OPENING, None, at("2026-03-01T23:59")) == "2026-03-01"
    assert period_by_hand(OPENING, None, at("2026-03-02T00:00")) == "2026-03-02"
    elsewhere = at("2026-03-02T00:00").astimezone(timezone(timedelta(hours=-9)))
    assert period_by_hand(OPENING, None, elsewhere) == "2026-03-02"


@pytest.mark.parametrize("text", ["2026-13", "2026-1", "1999-12", "2026-01-01", "", "2026-00"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="month"):
        first_of_month(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("59 5 1 * *", True), ("0 6 1 * *", False), ("0 8 1 * *", False), ("0 3 2 * *", False), ("0 0 28 * *", False)],
)
def test_a_closing_comes_after_its_month(text: str, *, expected: bool) -> None:
    schedule = parse_schedule(text, monthly=True)
    assert is_before_the_month_is_over(schedule) is expected
    [newest, *_] = periods(CLOSING, now="2026-03-28T12:00", row={"schedule": text})
    assert (newest == "2026-02") is not expected


@given(SCHEDULES, INSTANTS)
def test_what_is_made_up_is_younger_than_what_is_forgotten(schedule: Schedule, now: datetime) -> None:
    """Else a period whose run was deleted would be found due again."""
    for job in JOBS.values():
        if job.is_monthly is (schedule.day is not None):
            settings = settings_of(job, {"schedule": str(schedule)})
            oldest = due(job, settings, since=LONG_AGO - timedelta(days=10_000), at=now)[-1]
            assert oldest.due_at > now - timedelta(days=RUN_RETENTION_DAYS_MIN)


@pytest.mark.parametrize(
    ("month", "now", "expected"),
    [
        (None, "2026-03-01T06:00", "2026-02"),
        (None, "2026-03-01T05:59", "2026-01"),
        ("2026-02", "2026-03-01T06:00", "2026-02"),
        ("2024-11", "2026-03-01T06:00", "2024-11"),
    ],
)
def test_by_hand_the_last_month_is_closed_or_an_older_one(month: str | None, now: str, expected: str) -> None:
    assert period_by_hand(CLOSING, month, at(now)) == expected


def test_by_hand_no_month_is_closed_that_goes_on() -> None:
    for month in ("2026-02", "2099-01"):
        with pytest.raises(MonthNotOverError, match="2026-01 is the last"):
            period_by_hand(CLOSING, month, at("2026-03-01T05:59"))
    with pytest.raises(ValueError, match="has no month to close"):
        period_by_hand(OPENING, "2026-01", at("2026-03-01T05:59"))


SINCE = datetime(2026, 1, 1, tzinfo=UTC)
ROW = {
    "is_enabled": True,
    "schedule": "5 4 * * *",
    "settlement_age_days": 9,
    "batch_size": 12,
    "retention_days": 77,
    "since": SINCE,
}


def test_what_is_stored_of_a_job_holds_and_else_its_default() -> None:
    assert settings_of(OPENING, ROW) == JobSettings(True, Schedule(5, 4), 9, 12, 77, SINCE)
    cleanup = JOBS[JobName.ACTIVITY_LOG_CLEANUP]
    default = JobSettings(True, cleanup.schedule, 7, 1_000, 45, None)
    assert settings_of(cleanup, None) == settings_of(cleanup, {}) == default
    assert settings_of(cleanup, dict.fromkeys(ROW)) == default
    assert not settings_of(cleanup, ROW | {"is_enabled": False}).is_enabled
    assert [settings_of(cleanup, {"batch_size": size}).batch_size for size in (2_000, 2_001)] == [2_000, 2_000]
