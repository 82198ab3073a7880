from __future__ import annotations

from datetime import date
from enum import StrEnum
from uuid import UUID

from api.models.wire import AnswerModel, Instant, IsoDate
from api.pages import PageQuery


class SorteoStatus(StrEnum):
    SCHEDULED = "SCHEDULED"
    OPEN = "OPEN"
    CLOSED = "CLOSED"
    EVALUATED = "EVALUATED"


class SorteoQuery(PageQuery):
    """date: Costa Rica's day of the draw."""

    status: SorteoStatus | None = None
    loteria_id: UUID | None = None
    date: IsoDate | None = None


class SorteoAnswer(AnswerModel):
    id: UUID
    loteria_id: UUID
    loteria_name: str
    name: str
    digits: int
    status: SorteoStatus
    is_active: bool
    scheduled_at: Instant
    business_date: date
    daily_ordinal: int
    created_at: Instant
