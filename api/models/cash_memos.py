"""Cash that is out over a corrected result, at the wire."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from api.models.amounts import AmountIn
from api.models.decimals import DayIn
from api.models.movements import MovedStatementOut
from api.models.payments import PaymentMethod
from api.models.wire import AnswerModel, RequestModel, TrimmedText
from api.pages import PageMeta, PageQuery


class MemoState(StrEnum):
    """open: something is still out. all: those that ended, too."""

    OPEN = "open"
    ALL = "all"


class CashMemosQuery(PageQuery):
    """Days of the draws, both included. vendedorId, ventanaId: within what the user may see."""

    state: MemoState = MemoState.OPEN
    vendedor_id: UUID | None = None
    ventana_id: UUID | None = None
    sorteo_id: UUID | None = None
    from_date: DayIn | None = None
    to_date: DayIn | None = None


class MemoEndingIn(RequestModel):
    amount: AmountIn | None = Field(None, description="All that is open unless told.")
    reason: Annotated[TrimmedText, StringConstraints(min_length=5, max_length=500)]


class PaidOut(AnswerModel):
    """A payment that stands, and who handed the cash out."""

    ordinal: int
    amount_paid: str
    method: PaymentMethod
    paid_at: dt.datetime
    paid_by_id: UUID
    paid_by_name: str | None
    paid_by_role: str
    evaluation: int = Field(description="Of which of the draw's results it was a prize.")


class MemoEntryOut(AnswerModel):
    """settlement: cash came back. write_off: the banca bears it; reversedAt: the result that it was about was taken back."""

    id: UUID
    kind: Literal["settlement", "write_off"]
    amount: str
    reason: str
    posted_on: dt.date | None = Field(description="Of a write-off: the day of the statement.")
    created_at: dt.datetime
    created_by_id: UUID
    created_by_name: str
    created_by_role: str
    reversed_at: dt.datetime | None


class CashMemoOut(AnswerModel):
    """openAmount = cashAmount − returnedAmount − prizeAmount − writtenOffAmount, or nothing when that is less.

    It stands beside the seller who sold the ticket, and moves no account.
    """

    ticket_id: UUID
    ticket_number: str
    sorteo_id: UUID
    sorteo_name: str
    business_date: dt.date
    vendedor_id: UUID
    vendedor_name: str | None
    ventana_id: UUID
    cash_amount: str = Field(description="What was handed out, under all results.")
    returned_amount: str
    prize_amount: str = Field(description="Of the result that stands; 0.00 while there is none.")
    written_off_amount: str
    open_amount: str
    created_at: dt.datetime
    paid_out: list[PaidOut]
    entries: list[MemoEntryOut]


class EndedMemoOut(AnswerModel):
    """statement: of a write-off the seller's day that it is posted on, as it stood when this was answered."""

    memo: CashMemoOut
    entry: MemoEntryOut
    statement: MovedStatementOut | None


class CashMemosMeta(PageMeta):
    """On all pages, of those that are open."""

    open_count: int
    open_amount: str


class CashMemoPageOut(AnswerModel):
    data: list[CashMemoOut]
    meta: CashMemosMeta
