"""Tickets at the wire: what a POS sends, and what it is answered."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, RootModel, StringConstraints

from api.models.amounts import AmountIn
from api.models.cash_memos import CashMemoOut
from api.models.payments import PaymentMethod, PaymentOut
from api.models.wire import AnswerModel, IsoDate, RequestModel, Text, TrimmedText
from core.domain.money import Cents
from core.domain.rulebook import JugadaType
from core.domain.ticket import CLIENTE_DEFAULT, JugadaRequest, TicketRequest

# More lines than any slip has; the batch is bounded by jugadas as well.
JUGADAS_PER_TICKET_MAX = 200
TICKETS_PER_BATCH_MAX = 500
# Longer is no number of any game; shorter ones are judged with the draw's width.
NUMBER_LENGTH_MAX = 8


NumberIn = Annotated[Text, StringConstraints(min_length=1, max_length=NUMBER_LENGTH_MAX)]


# ACTIVE: its draw has no result yet. EVALUATED: it has; a winner is not paid in full yet. PAID: it is, or what was left was
# waived. EXCLUDED: its whole list is, or all of its bets.
TicketStatus = Literal["ACTIVE", "EVALUATED", "PAID", "CANCELLED", "EXCLUDED"]


class JugadaIn(RequestModel):
    type: JugadaType
    number: NumberIn = Field(description="As wide as the draw's digits: 07, 007.", examples=["07"])
    reventado_number: NumberIn | None = Field(None, description="REVENTADO only; the same number.")
    amount: AmountIn
    multiplier_id: UUID | None = Field(None, description="NUMERO only; none: the lottery's base multiplier.")


class TicketIn(RequestModel):
    sorteo_id: UUID
    loteria_id: UUID | None = Field(None, description="Checked against the draw's when given.")
    ventana_id: UUID | None = Field(None, description="Checked against the seller's when given.")
    vendedor_id: UUID | None = Field(
        None, description="The seller: none or itself for a VENDEDOR; one of its own for others."
    )
    cliente_nombre: Annotated[TrimmedText, StringConstraints(max_length=100)] | None = None
    jugadas: Annotated[list[JugadaIn], Field(min_length=1, max_length=JUGADAS_PER_TICKET_MAX)]

    def to_request(self) -> TicketRequest:
        return TicketRequest(
            sorteo_id=self.sorteo_id,
            loteria_id=self.loteria_id,
            vendedor_id=self.vendedor_id,
            cliente_nombre=self.cliente_nombre or CLIENTE_DEFAULT,
            jugadas=tuple(
                JugadaRequest(
                    jugada.type, jugada.number, jugada.reventado_number, Cents(jugada.amount), jugada.multiplier_id
                )
                for jugada in self.jugadas
            ),
            ventana_id=self.ventana_id,
        )


class BatchTicketIn(TicketIn):
    idempotency_key: Annotated[Text, StringConstraints(min_length=8, max_length=100, pattern=r"^[\x21-\x7e]+$")]


class TicketBatchIn(RequestModel):
    """Each ticket is judged by itself: one that is malformed is that ticket's problem."""

    tickets: Annotated[list[BatchTicketIn], Field(min_length=1, max_length=TICKETS_PER_BATCH_MAX)]


class CancelBySaleKeyIn(RequestModel):
    sale_key: Annotated[Text, StringConstraints(min_length=8, max_length=100, pattern=r"^[\x21-\x7e]+$")]


class TicketsQuery(RequestModel):
    sorteo_id: UUID | None = None
    vendedor_id: UUID | None = None
    status: TicketStatus | None = None
    date: IsoDate | None = Field(None, description="Business date: Costa Rica's day of the draw.")
    cursor: UUID | None = Field(None, description="`meta.nextCursor` of the page before.")
    page: Annotated[int, Field(ge=1, le=1000)] = 1
    page_size: Annotated[int, Field(ge=1, le=100)] = 20


class JugadaOut(AnswerModel):
    line: int
    type: JugadaType
    number: str
    amount: str
    multiplier_id: UUID | None
    final_multiplier_x: str
    commission_percent: str
    commission_amount: str
    commission_origin: Literal["USER", "VENTANA", "BANCA"] | None
    commission_rule_id: str | None
    listero_commission_amount: str


class SoldTicket(AnswerModel):
    """Amounts, multipliers and percents are text with two decimals."""

    id: UUID
    ticket_number: str
    banca_id: UUID
    ventana_id: UUID
    vendedor_id: UUID
    loteria_id: UUID
    sorteo_id: UUID
    business_date: dt.date
    cliente_nombre: str
    total_amount: str
    total_commission: str
    total_listero_commission: str
    created_at: dt.datetime
    created_by: UUID
    created_by_role: str
    terminal_id: UUID
    rulebook_version: int
    cancelled_at: dt.datetime | None
    warnings: list[Mapping[str, Any]] = Field([], description="What was let pass; not there when nothing was.")


class TicketOut(SoldTicket):
    """As it was sold or cancelled."""

    status: Literal["ACTIVE", "CANCELLED"]
    jugadas: list[JugadaOut]


class ReadJugadaOut(JugadaOut):
    """isWinner, payout: once its draw is evaluated; finalMultiplierX of a REVENTADO that won is then the draw's."""

    is_winner: bool | None = None
    payout: str | None = None
    is_excluded: bool = Field(False, description="Of a list that is excluded from the draw; not there when it is not.")


class ReadTicketOut(SoldTicket):
    """As it is now. What the draw's result and the payments of a prize make of it is there once there is a result."""

    status: TicketStatus
    jugadas: list[ReadJugadaOut]
    restored_at: dt.datetime | None = Field(None, description="Its cancel was taken back; not there when never.")
    is_winner: bool | None = None
    total_payout: str | None = None
    total_paid: str | None = None
    remaining_amount: str | None = None
    waived_amount: str | None = None
    last_payment_at: dt.datetime | None = None
    paid_by_id: UUID | None = None
    payment_method: PaymentMethod | None = None
    payment_notes: str | None = None
    payment_history: list[PaymentOut] | None = None
    cash_memo: CashMemoOut | None = Field(
        None, description="Cash above the prize that stands, after a correction; not there where there never was any."
    )


class CancelledUnsoldOut(AnswerModel):
    """No sale had come with that key; should it come now, it is refused with CANCELLED_BEFORE_SALE."""

    sale_key: str
    status: Literal["CANCELLED_BEFORE_SALE"]
    cancelled_at: dt.datetime


class CancelOut(RootModel[TicketOut | CancelledUnsoldOut]):
    """The cancelled ticket, or that there was none yet."""


class BatchResultOut(AnswerModel):
    """Exactly one of ticket and problem is there; neither depends on whether it is a replay."""

    idempotency_key: str | None
    status: int = Field(description="What the ticket alone would have been answered.")
    replayed: bool
    ticket: TicketOut | None = None
    problem: Mapping[str, Any] | None = None


class TicketBatchOut(AnswerModel):
    results: list[BatchResultOut]


class TicketPageMeta(AnswerModel):
    page_size: int
    next_cursor: UUID | None


class TicketPageOut(AnswerModel):
    data: list[ReadTicketOut]
    meta: TicketPageMeta
