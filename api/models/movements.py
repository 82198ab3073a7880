"""Money handed over between the bank and those who sell for it, at the wire."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from api.models.amounts import AmountIn
from api.models.decimals import DayIn
from api.models.payments import Notes, PaymentMethod
from api.models.statements import DimensionName, StatementFigures
from api.models.wire import AnswerModel, NoteText, RequestModel, Text
from api.pages import PageMeta, PageQuery


class MovementType(StrEnum):
    """payment: the bank hands money out. collection: money comes in."""

    PAYMENT = "payment"
    COLLECTION = "collection"


class MovementIn(RequestModel):
    """Costa Rica's day and time. Whose money it is: vendedorId, ventanaId, or bancaId alone; with one of the others
    bancaId is checked.
    """

    date: DayIn
    time: Text = Field("00:00", description="HH:MM.", max_length=20)
    vendedor_id: UUID | None = None
    ventana_id: UUID | None = None
    banca_id: UUID | None = None
    amount: AmountIn
    type: MovementType
    method: PaymentMethod
    notes: Notes | None = None
    is_final: Annotated[bool, Field(strict=True)] = False


class MovementReversalIn(RequestModel):
    payment_id: UUID
    reason: Annotated[NoteText, StringConstraints(min_length=5, max_length=500)] | None = None


class MovementOut(AnswerModel):
    """ventanaId: of a seller, where it belonged then."""

    id: UUID
    dimension: DimensionName
    vendedor_id: UUID | None
    ventana_id: UUID | None
    banca_id: UUID
    date: dt.date
    time: str = Field(description="HH:MM in Costa Rica.")
    occurred_at: dt.datetime
    amount: str
    type: MovementType
    method: PaymentMethod
    notes: str | None
    is_final: bool
    paid_by_id: UUID
    paid_by_role: str
    paid_by_name: str
    created_at: dt.datetime
    is_reversed: bool
    reversed_at: dt.datetime | None
    reversed_by_id: UUID | None
    reversed_reason: str | None


class MovedStatementOut(StatementFigures):
    """The day as it stood when this was answered."""

    id: str
    date: dt.date
    month: str
    is_settled: bool


class MovedOut(AnswerModel):
    """statement: null after the reversal of a movement of a closed day that has no row."""

    payment: MovementOut
    statement: MovedStatementOut | None


class RegisteredOut(MovedOut):
    possible_duplicate_of: UUID | None = Field(
        None,
        description="An equal movement (same entity, day, type and amount) registered in the ten minutes before, which"
        " stands. This one is booked all the same: if it is the same money, take it back with reverse-payment.",
    )


class MovementsQuery(PageQuery):
    """date: today unless told. vendedorId, ventanaId (with its sellers): within what the user may see."""

    date: DayIn | None = None
    vendedor_id: UUID | None = None
    ventana_id: UUID | None = None


class MovementsMeta(PageMeta):
    date: dt.date
    total: int = Field(description="On all pages.")


class MovementPageOut(AnswerModel):
    data: list[MovementOut]
    meta: MovementsMeta
