from __future__ import annotations

from datetime import date
from uuid import UUID

from api.models.wire import AnswerModel, Instant, IsoDate
from api.pages import PageQuery
from core.domain.sorteo_states import SorteoStatus


class SorteoQuery(PageQuery):
    """date: Costa Rica's day of the draw."""

    status: SorteoStatus | None = None
    loteria_id: UUID | None = None
    date: IsoDate | None = None


class SorteoAnswer(AnswerModel):
    """A draw.

    nameIsChosen: whether a person chose the name; else it is the lottery's with the time, and follows it. opensAt: when
    it opens by itself; null: a person opens it. slotAt: the slot of the lottery's schedule that the draw was made
    for, which it keeps when it is moved; null: made by hand beside the draw of its slot. The result: null while none
    stands.
    """

    id: UUID
    loteria_id: UUID
    loteria_name: str
    name: str
    digits: int
    status: SorteoStatus
    is_active: bool
    name_is_chosen: bool
    scheduled_at: Instant
    slot_at: Instant | None
    opens_at: Instant | None
    business_date: date
    daily_ordinal: int
    created_at: Instant
    winning_number: str | None
    extra_outcome_code: str | None
    has_winner: bool | None
