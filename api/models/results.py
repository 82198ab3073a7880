from __future__ import annotations

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import Field

from api.models.evaluations import OutcomeMembers
from api.models.payments import PaymentMethod
from api.models.wire import Amount, AnswerModel, Hundredths, Instant, IsoDate, RequestModel
from api.pages import PageMeta, PageQuery
from core.domain.rulebook import JugadaType
from core.domain.statement_events import EventType


class SummaryQuery(RequestModel):
    """Costa Rican days: one (`date`), or from `fromDate` to `toDate`, 31 at most; today unless told.

    summaryOnly: without what is told by multiplier. vendedorId, ventanaId: within what the user may see. ignoreReset: as if
    the seller's balance had never been reset; not for sellers.
    """

    date: IsoDate | None = None
    from_date: IsoDate | None = None
    to_date: IsoDate | None = None
    loteria_id: UUID | None = None
    is_active: bool | None = None
    vendedor_id: UUID | None = None
    ventana_id: UUID | None = None
    summary_only: bool = False
    ignore_reset: bool = False


class MultiplierSummary(AnswerModel):
    """Of NUMERO what was sold under a multiplier; of REVENTADO everything, whatever the result paid for it.

    multiplierX: of today's multiplier; of REVENTADO the result's; absent: it lost, or there is none.
    """

    type: JugadaType
    multiplier_id: UUID | None = None
    multiplier_name: str | None = None
    multiplier_x: Hundredths | None = None
    total_sales: Amount
    total_commission: Amount
    total_prizes: Amount
    subtotal: Amount
    ticket_count: int
    winning_jugadas_count: int


class EvaluatedDraw(AnswerModel):
    sorteo_id: UUID
    loteria_id: UUID
    loteria_name: str
    name: str
    scheduled_at: Instant
    business_date: date
    is_reventado: bool
    settled_at: Instant


class EvaluatedSorteo(EvaluatedDraw):
    """subtotal: sales − commission − prizes; the commission is the seller's, of any origin.

    accumulated: of one seller with all its draws what it owed after this one, as its statement tells it; else the subtotals
    from the list's earliest draw to this one. chronologicalIndex: 1 is the earliest.
    """

    type: Literal["sorteo"] = "sorteo"
    is_active: bool
    winning_number: str
    extra_outcome_code: str | None = None
    total_sales: Amount
    total_commission: Amount
    commission_by_number: Amount | None
    commission_by_reventado: Amount | None
    total_prizes: Amount
    subtotal: Amount
    accumulated: Amount
    ticket_count: int
    winning_tickets_count: int
    paid_tickets_count: int
    unpaid_tickets_count: int
    chronological_index: int
    by_multiplier: list[MultiplierSummary] | None = None


class SummaryMovement(AnswerModel):
    """What else changed what the seller owed: a movement; a write-off; a correction of an earlier day, or of this one told on
    a later day; on the first of a month, where the list begins there, what the month before left. And cash that is out over
    a corrected result, which changes nothing.
    """

    sorteo_id: str = Field(description='"mov-…", "off-…", "cor-…", "later-…", "memo-…".')
    type: EventType
    scheduled_at: Instant
    business_date: date
    amount: str | None = None
    method: PaymentMethod | None = None
    notes: str | None = None
    is_reversed: bool | None = None
    balance: Amount
    accumulated: Amount
    chronological_index: int


class SummaryTotals(AnswerModel):
    from_date: date
    to_date: date
    count: int
    total_sales: Amount
    total_commission: Amount
    total_prizes: Amount
    subtotal: Amount


class EvaluatedSummary(AnswerModel):
    """The latest first. meta: of the draws in the list. monthlyAccumulated: of the whole month of the last day."""

    data: list[EvaluatedSorteo | SummaryMovement]
    meta: SummaryTotals
    monthly_accumulated: SummaryTotals


class WinnersQuery(PageQuery):
    """vendedorId: within what the user may see."""

    vendedor_id: UUID | None = None


class WinningJugada(AnswerModel):
    line: int
    type: JugadaType
    number: str
    amount: Amount
    multiplier_id: UUID | None = None
    multiplier_x: Hundredths
    payout: Amount


class Winner(AnswerModel):
    """isFinal: the customer waived what remains."""

    ticket_id: UUID
    ticket_number: str
    ventana_id: UUID
    vendedor_id: UUID
    vendedor_name: str | None = None
    cliente_nombre: str
    total_payout: Amount
    total_paid: Amount
    remaining_amount: Amount
    is_final: bool
    jugadas: list[WinningJugada]


class TypeTotals(AnswerModel):
    jugadas_count: int
    winning_amount: Amount
    payout: Amount


class WinnersTotals(AnswerModel):
    """Of all the tickets that won, not only of the page. winningAmount: what was staked on what won."""

    tickets_count: int
    winning_amount: Amount
    payout: Amount
    numero: TypeTotals
    reventado: TypeTotals


class WinnersSorteo(EvaluatedDraw, OutcomeMembers):
    evaluation: int


class WinnersList(AnswerModel):
    sorteo: WinnersSorteo
    totals: WinnersTotals
    data: list[Winner]
    meta: PageMeta
