"""A day of a statement, event by event, at the wire."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from pydantic import Field

from api.models.cash_memos import CashMemoOut
from api.models.payments import PaymentMethod
from api.models.statements import CorrectionOut, DimensionName, PlaceMembers
from api.models.wire import AnswerModel
from core.domain.statement_events import EventType


class StatementEventOut(AnswerModel):
    """A draw (sales to ticketCount), a movement (amount to isReversed), a write-off (amount, notes, isReversed, the ticket),
    a correction of an earlier day, what is told of this day on a later one, or cash that is out over a corrected result
    (the ticket, cashMemo). balance: by how much the event changed what is owed; accumulated: what was owed after it.
    """

    sorteo_id: str = Field(description='The draw\'s, or "mov-…", "off-…", "cor-…", "later-…", "memo-…".')
    type: EventType
    scheduled_at: dt.datetime
    date: dt.date = Field(description="Of the statement that tells it.")
    time: str = Field(description="HH:MM in Costa Rica.")
    sorteo_name: str | None = None
    loteria_id: UUID | None = None
    loteria_name: str | None = None
    sales: str | None = None
    payouts: str | None = None
    listero_commission: str | None = None
    vendedor_commission: str | None = None
    ticket_count: int | None = None
    amount: str | None = None
    method: PaymentMethod | None = None
    notes: str | None = None
    is_reversed: bool | None = None
    correction: CorrectionOut | None = None
    posted_on: dt.date | None = None
    ticket_id: UUID | None = None
    ticket_number: str | None = None
    cash_memo: CashMemoOut | None = None
    balance: str
    accumulated: str
    chronological_index: int = Field(description="1 is the earliest.")


class StatementBySorteoOut(PlaceMembers):
    """The latest event first. On the first of a month what the month before left is an event of its own."""

    date: dt.date
    dimension: DimensionName
    opening_balance: str
    closing_balance: str
    by_sorteo: list[StatementEventOut]
