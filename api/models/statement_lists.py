"""Who has statements, and how months ended, at the wire."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from pydantic import Field

from api.models.statements import DimensionName, Month, TargetQuery
from api.models.wire import Amount, AnswerModel, Instant


class HistoricalEntity(AnswerModel):
    """isActive: it sells, now. ventanaId: of a seller the one that it belongs to now."""

    dimension: DimensionName
    id: UUID
    name: str
    code: str | None
    is_active: bool
    ventana_id: UUID | None
    ventana_name: str | None
    first_date: dt.date
    last_date: dt.date


class HistoricalEntities(AnswerModel):
    data: list[HistoricalEntity]


class MonthlyClosingsQuery(TargetQuery):
    month: Month


class MonthlyClosing(AnswerModel):
    """closingBalance = openingBalance + movement + resetAmount (what a reset left out).

    movement = totalSales − totalPayouts − totalCommission + totalCorrections + totalPaid − totalCollected. Commission: the
    seller's own for a seller, the listero's for the others.
    """

    entity_id: UUID
    name: str
    code: str | None
    opening_balance: Amount
    total_sales: Amount
    total_payouts: Amount
    total_commission: Amount
    total_corrections: Amount
    total_paid: Amount
    total_collected: Amount
    movement: Amount
    reset_amount: Amount
    closing_balance: Amount
    ticket_count: int
    closed_at: Instant
    updated_at: Instant


class MonthlyClosingsMeta(AnswerModel):
    month: str
    dimension: DimensionName
    count: int
    opening_balance: Amount
    movement: Amount
    closing_balance: Amount = Field(description="Of all together.")


class MonthlyClosings(AnswerModel):
    data: list[MonthlyClosing]
    meta: MonthlyClosingsMeta
