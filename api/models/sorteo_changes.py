from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, WithJsonSchema
from pydantic_core import PydanticCustomError

from api.models.decimals import LimitIn
from api.models.wire import AnswerModel, Instant, NoteText, RequestModel, TrimmedText
from core.domain.calendar import COSTA_RICA, InstantError, day_bounds, parse_date, parse_instant
from core.domain.sorteo_states import SorteoStatus

# Days far away have no partition to come.
EARLIEST, END = day_bounds(date(2000, 1, 1))[0], day_bounds(date(2099, 12, 31))[1]
DAYS_MAX = 31
PREVIEW = 200
PREVIEW_MAX = 1_000
SEEDED_MAX = 1_000
# From the earliest date that is given to the latest: tickets of each month take tables of their own.
SEEDED_DAYS_MAX = 366


def _instant(value: Any) -> datetime:
    try:
        instant = parse_instant(value)
    except InstantError as error:
        raise PydanticCustomError("FIELD_INVALID", "{reason}", {"reason": str(error)}) from None
    if not EARLIEST <= instant < END:
        raise PydanticCustomError("FIELD_OUT_OF_RANGE", "Input should be an instant from 2000 to 2099")
    # As fine as instants are shown.
    return instant.replace(microsecond=instant.microsecond // 1_000 * 1_000)


def _within_a_year(instants: list[datetime]) -> list[datetime]:
    if max(instants) - min(instants) > timedelta(days=SEEDED_DAYS_MAX):
        raise PydanticCustomError("FIELD_OUT_OF_RANGE", f"The dates lie within {SEEDED_DAYS_MAX} days of each other")
    return instants


def _day_or_instant(value: Any) -> datetime:
    if isinstance(value, str) and len(value) == len("2026-01-15"):
        try:
            return datetime.combine(parse_date(value), time(), COSTA_RICA).astimezone(UTC)
        except InstantError as error:
            raise PydanticCustomError("FIELD_INVALID", "{reason}", {"reason": str(error)}) from None
    return _instant(value)


_INSTANT_SCHEMA = WithJsonSchema(
    {
        "type": "string",
        "format": "date-time",
        "description": "Without an offset Costa Rica's time.",
        "examples": ["2026-11-21T19:30:00-06:00"],
    },
    mode="validation",
)
InstantIn = Annotated[datetime, BeforeValidator(_instant), _INSTANT_SCHEMA]
StartIn = Annotated[datetime, BeforeValidator(_day_or_instant), _INSTANT_SCHEMA]
SorteoName = Annotated[TrimmedText, Field(min_length=1, max_length=120)]
Digits = Annotated[int, Field(strict=True, ge=2, le=3)]


class NewSorteo(RequestModel):
    """SCHEDULED. name: by default the lottery's and the time of the draw; digits: the lottery's."""

    loteria_id: UUID
    scheduled_at: InstantIn
    name: SorteoName | None = None
    digits: Digits | None = None
    is_active: StrictBool = True
    opens_at: InstantIn | None = Field(None, description="When it opens by itself; before scheduledAt.")
    global_limit: LimitIn | None = Field(None, description="Of each number; 0 blocks; null: none.")


class SorteoChange(RequestModel):
    """What is absent stays; its default is never read. The first sale fixes all but the name."""

    loteria_id: UUID = Field(default_factory=lambda: UUID(int=0))
    name: SorteoName = Field(default_factory=str)
    digits: Digits = Field(default_factory=int)
    scheduled_at: InstantIn = Field(default_factory=lambda: datetime.now(UTC))
    opens_at: InstantIn | None = None


class ReasonIn(RequestModel):
    reason: Annotated[NoteText, Field(min_length=3, max_length=200)] | None = None


class SorteoState(AnswerModel):
    """A change of a draw's state. fromStatus: null where it was made; actorId: null where it went by itself.

    ticketsSold: up to then.
    """

    ordinal: int
    from_status: SorteoStatus | None
    to_status: SorteoStatus
    is_active: bool
    tickets_sold: int
    at: Instant
    actor_id: UUID | None
    reason: str | None
    request_id: str | None


class ScheduleQuery(RequestModel):
    """From Costa Rica's midnight before start to midnight `days` later, both included. start: now unless told."""

    start: StartIn | None = None
    days: Annotated[int, Field(ge=1, le=DAYS_MAX)] = 1


class PreviewQuery(ScheduleQuery):
    """allowPast: also what was before now."""

    limit: Annotated[int, Field(ge=1, le=PREVIEW_MAX)] = PREVIEW
    allow_past: bool = False


class SeedQuery(ScheduleQuery):
    """dryRun: say what would be made, and make nothing."""

    dry_run: bool = False


class SeedIn(RequestModel):
    """scheduledDates: these instants instead of the lottery's schedule, within 366 days of each other."""

    scheduled_dates: (
        Annotated[list[InstantIn], Field(min_length=1, max_length=SEEDED_MAX), AfterValidator(_within_a_year)] | None
    ) = None


class OccurrenceAnswer(AnswerModel):
    """A slot of the schedule.

    timeZone: of the schedule. localTime: what the clock shows there; costaRicaTime: what it shows in Costa Rica at that
    instant. sorteoId: its draw, wherever that was moved, or the draw that stands there; null: none.
    """

    scheduled_at: Instant
    name: str
    time_zone: str
    local_time: str = Field(examples=["2026-11-21T14:30:00-05:00"])
    costa_rica_time: str = Field(examples=["2026-11-21T13:30:00-06:00"])
    sorteo_id: UUID | None


class UnscheduledSorteo(AnswerModel):
    """A draw still to come that the schedule does not describe."""

    id: UUID
    name: str
    status: SorteoStatus
    scheduled_at: Instant
    slot_at: Instant | None


class Preview(AnswerModel):
    """What the schedule describes, and beside it the lottery's active draws of the range that it does not.

    unscheduled: made by hand, or by the schedule as it was before it was edited: these are still sold.
    """

    data: list[OccurrenceAnswer]
    unscheduled: list[UnscheduledSorteo]


class Seeded(AnswerModel):
    """How many draws.

    alreadyExists: the slot's draw was made, wherever it is now, or another stands at that instant; skipped: it was made
    by another request meanwhile. processed: all of them together; sorteoIds: of those that were created.
    """

    created: int
    skipped: int
    already_exists: int
    processed: int
    dry_run: bool
    sorteo_ids: list[UUID]
