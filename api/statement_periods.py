"""The days that a statement is asked for."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from api.models.statements import PeriodQuery
from api.validation import validation_failed
from core.domain.calendar import costa_rica_date
from core.domain.violations import Violation

DAYS_MAX = 92


@dataclass(frozen=True, slots=True)
class Period:
    """Both ends included; month_first and month_last: of the month of the last day."""

    first: date
    last: date

    @property
    def month_first(self) -> date:
        return self.last.replace(day=1)

    @property
    def month_last(self) -> date:
        return month_of(self.last).last


def period_of(query: PeriodQuery) -> Period:
    """Raises ProblemError VALIDATION_FAILED."""
    ends = (query.from_date, query.to_date)
    if sum((query.month is not None, query.date is not None, ends != (None, None))) > 1:
        message = "Send a month, a day, or from when to when."
        raise validation_failed([Violation("FIELD_INVALID", message, "month" if query.month else "date")])
    if query.month is not None:
        return month_of(date.fromisoformat(f"{query.month}-01"))
    if query.date is not None:
        return Period(query.date, query.date)
    if query.from_date is not None and query.to_date is not None:
        if not timedelta() <= query.to_date - query.from_date < timedelta(days=DAYS_MAX):
            message = f"From fromDate to toDate are 1 to {DAYS_MAX} days."
            raise validation_failed([Violation("FIELD_OUT_OF_RANGE", message, "toDate")])
        return Period(query.from_date, query.to_date)
    if ends == (None, None):
        return month_of(costa_rica_date(datetime.now(UTC)))
    missing = "fromDate" if query.from_date is None else "toDate"
    raise validation_failed([Violation("FIELD_REQUIRED", "Both ends of the days are needed.", missing)])


def month_of(day: date) -> Period:
    return Period(day.replace(day=1), day.replace(day=monthrange(day.year, day.month)[1]))
