from __future__ import annotations

from datetime import date
from uuid import UUID

from api.models.wire import Amount, AnswerModel, Hundredths, Instant, IsoDate, RequestModel
from api.pages import PageMeta, PageQuery
from core.domain.rulebook import JugadaType


class SummaryQuery(RequestModel):
    """Costa Rican days: one (`date`), or from `fromDate` to `toDate`, 31 at most; today unless told.

    summaryOnly: without byMultiplier. vendedorId, ventanaId: within what the user may see.
    """

    date: IsoDate | None = None
    from_date: IsoDate | None = None
    to_date: IsoDate | None = None
    loteria_id: UUID | None = None
    is_active: bool | None = None
    vendedor_id: UUID | None = None
    ventana_id: UUID | None = None
    summary_only: bool = False


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


class EvaluatedSorteo(AnswerModel):
    """subtotal: sales − commission − prizes. accumulated: the subtotals of the list from its earliest draw to this one.

    chronologicalIndex: 1 is the earliest. Commission is the seller's, of any origin.
    """

    sorteo_id: UUID
    loteria_id: UUID
    loteria_name: str
    name: str
    is_active: bool
    scheduled_at: Instant
    business_date: date
    winning_number: str
    is_reventado: bool
    extra_outcome_code: str | None = None
    settled_at: Instant
    total_sales: Amount
    total_commission: Amount
    commission_by_number: Amount
    commission_by_reventado: Amount
    total_prizes: Amount
    subtotal: Amount
    accumulated: Amount
    ticket_count: int
    winning_tickets_count: int
    paid_tickets_count: int
    unpaid_tickets_count: int
    chronological_index: int
    by_multiplier: list[MultiplierSummary] | None = None


class SummaryTotals(AnswerModel):
    from_date: date
    to_date: date
    count: int
    total_sales: Amount
    total_commission: Amount
    total_prizes: Amount
    subtotal: Amount


class EvaluatedSummary(AnswerModel):
    """The latest draw first."""

    data: list[EvaluatedSorteo]
    meta: SummaryTotals


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


class WinnersSorteo(AnswerModel):
    sorteo_id: UUID
    loteria_id: UUID
    loteria_name: str
    name: str
    scheduled_at: Instant
    business_date: date
    evaluation: int
    winning_number: str
    is_reventado: bool
    extra_multiplier_id: UUID | None = None
    extra_multiplier_x: Hundredths | None = None
    extra_outcome_code: str | None = None
    settled_at: Instant


class WinnersList(AnswerModel):
    sorteo: WinnersSorteo
    totals: WinnersTotals
    data: list[Winner]
    meta: PageMeta
