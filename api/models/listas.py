"""Lists of a draw at the wire: what each ventana and seller sold, and what of it is excluded."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from api.models.wire import Amount, AnswerModel, Hundredths, Instant, IsoDate, NoteText, RequestModel
from api.pages import PageQuery
from core.domain.sorteo_states import SorteoStatus


class ListaIn(RequestModel):
    ventana_id: UUID = Field(description="A ventana, or its user.")
    vendedor_id: UUID | None = Field(None, description="None: all its sellers.")
    multiplier_id: UUID | None = Field(None, description="None: all bets. Else also the REVENTADO on their numbers.")


class ListaExclusionIn(ListaIn):
    reason: Annotated[NoteText, StringConstraints(min_length=3, max_length=500)] | None = None


class ListaMovedOut(AnswerModel):
    """at, by: of the exclusion; when a list was brought back, of that. tickets, jugadas, amount: what was moved."""

    exclusion_id: UUID
    sorteo_id: UUID
    ventana_id: UUID
    vendedor_id: UUID | None
    multiplier_id: UUID | None
    reason: str | None
    is_excluded: bool
    at: str
    by: UUID
    tickets: int
    jugadas: int
    amount: str


class ListasMode(StrEnum):
    FULL = "full"
    COMPACT = "compact"


class ListasQuery(RequestModel):
    """mode: compact leaves the sellers out. multiplierId: only jugadas with this one."""

    include_excluded: bool = True
    vendedor_id: UUID | None = None
    multiplier_id: UUID | None = None
    mode: ListasMode = ListasMode.FULL


class ListaLine(AnswerModel):
    """A seller's jugadas with one multiplier (null: REVENTADO, and the lottery's base) that count, or that one
    exclusion takes out; of an exclusion of all multipliers all together, as "Todos (Excluido)". totalSales, commissions: 0 when it is excluded; totalExcluded says how much then.
    """

    vendedor_id: UUID
    name: str
    code: str | None
    multiplier_id: UUID | None
    multiplier_name: str | None
    multiplier_x: Hundredths | None
    total_sales: Amount
    total_excluded: Amount
    total_tickets: int
    total_jugadas: int
    total_commission: Amount
    commission_by_number: Amount
    commission_by_reventado: Amount
    total_listero_commission: Amount
    is_excluded: bool
    exclusion_scope: Literal["ventana", "vendedor"] | None
    exclusion_id: UUID | None
    exclusion_multiplier_id: UUID | None
    exclusion_reason: str | None
    excluded_at: Instant | None


class Lista(AnswerModel):
    """isExcluded: nothing of it counts."""

    ventana_id: UUID
    name: str
    code: str
    total_sales: Amount
    total_excluded: Amount
    total_tickets: int
    total_jugadas: int
    total_commission: Amount
    commission_by_number: Amount
    commission_by_reventado: Amount
    total_listero_commission: Amount
    is_excluded: bool
    vendedores: list[ListaLine]


class ListasSorteo(AnswerModel):
    id: UUID
    name: str
    status: SorteoStatus
    scheduled_at: Instant
    has_exclusions: bool


class ListasMeta(AnswerModel):
    total_sales: Amount
    total_tickets: int
    total_commission: Amount
    total_excluded: Amount


class ListasAnswer(AnswerModel):
    sorteo: ListasSorteo
    listeros: list[Lista]
    meta: ListasMeta


class ExclusionQuery(PageQuery):
    """fromDate, toDate: business dates of the draws. includeLifted: also those that were brought back."""

    sorteo_id: UUID | None = None
    ventana_id: UUID | None = None
    vendedor_id: UUID | None = None
    multiplier_id: UUID | None = None
    loteria_id: UUID | None = None
    from_date: IsoDate | None = None
    to_date: IsoDate | None = None
    include_lifted: bool = False


class ExclusionAnswer(AnswerModel):
    """tickets, jugadas, amount: what it took out when it was made."""

    id: UUID
    sorteo_id: UUID
    sorteo_name: str
    loteria_id: UUID
    business_date: date
    scheduled_at: Instant
    ventana_id: UUID
    ventana_name: str
    vendedor_id: UUID | None
    vendedor_name: str | None
    multiplier_id: UUID | None
    multiplier_name: str | None
    reason: str | None
    tickets: int
    jugadas: int
    amount: Amount
    excluded_at: Instant
    excluded_by: UUID
    lifted_at: Instant | None
    lifted_by: UUID | None
