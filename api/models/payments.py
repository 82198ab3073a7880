"""Prizes as they are handed out, at the wire."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from api.models.amounts import AmountIn
from api.models.wire import AnswerModel, NoteText, RequestModel

Notes = Annotated[NoteText, StringConstraints(max_length=500)]


class PaymentMethod(StrEnum):
    CASH = "cash"
    TRANSFER = "transfer"
    CHECK = "check"
    OTHER = "other"


class PaymentIn(RequestModel):
    amount_paid: AmountIn
    method: PaymentMethod
    notes: Notes | None = None
    is_final: bool = Field(False, description="The customer waives what is left: nothing more will be paid.")


class PaymentReversalIn(RequestModel):
    reason: Annotated[NoteText, StringConstraints(min_length=5, max_length=500)] | None = None


class PaymentFinalizingIn(RequestModel):
    notes: Notes | None = None


class PaymentOut(AnswerModel):
    ordinal: int = Field(description="1, 2, … of the ticket.")
    amount_paid: str
    method: PaymentMethod
    notes: str | None
    is_final: bool
    paid_at: dt.datetime
    paid_by_id: UUID
    paid_by_role: str
    finalized_at: dt.datetime | None
    finalized_by_id: UUID | None
    finalized_notes: str | None
    is_reversed: bool
    reversed_at: dt.datetime | None
    reversed_by_id: UUID | None
    reversed_reason: str | None
    is_of_earlier_result: bool = Field(
        False, description="Paid under a result of the draw that does not stand; not there when it does."
    )


class SettledTicketOut(AnswerModel):
    """What stands of the ticket's prize after the payment, its reversal or its closing.

    totalPaid counts what was paid under earlier results, too.
    """

    ticket_id: UUID
    ticket_number: str
    sorteo_id: UUID
    status: Literal["EVALUATED", "PAID"]
    total_payout: str
    total_paid: str
    remaining_amount: str = Field(description="Still to be paid.")
    waived_amount: str = Field(description="What the customer went without, of a prize that was closed.")
    is_partial: bool
    payment: PaymentOut = Field(description="The payment that was made, reversed or closed.")
