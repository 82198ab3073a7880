"""Statements at the wire."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from api.models.decimals import DayIn
from api.models.wire import AnswerModel, RequestModel, Text


class DimensionName(StrEnum):
    BANCA = "banca"
    VENTANA = "ventana"
    VENDEDOR = "vendedor"


class StatementScope(StrEnum):
    """mine: the user's own, or its ventana's. ventana: its sellers'. all: the banca's."""

    MINE = "mine"
    VENTANA = "ventana"
    ALL = "all"


class SortOrder(StrEnum):
    ASC = "asc"
    DESC = "desc"


# 2026-01
Month = Annotated[Text, Field(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$")]


class TargetQuery(RequestModel):
    """scope, dimension: unless told what fits the role and the ids."""

    scope: StatementScope | None = None
    dimension: DimensionName | None = None
    banca_id: UUID | None = None
    ventana_id: UUID | None = None
    vendedor_id: UUID | None = None


class PeriodQuery(TargetQuery):
    """Costa Rican days: a `month` (this one unless told), one `date`, or from `fromDate` to `toDate`, 92 at most.

    ignoreReset: as if no seller's balance had ever been reset; not for sellers.
    """

    month: Month | None = None
    date: DayIn | None = None
    from_date: DayIn | None = None
    to_date: DayIn | None = None
    ignore_reset: bool = False


class StatementQuery(PeriodQuery):
    sort: SortOrder = SortOrder.DESC


class ExportFormat(StrEnum):
    CSV = "csv"
    EXCEL = "excel"
    PDF = "pdf"


class CsvDialect(StrEnum):
    """How a CSV is separated, and how its decimals are written.

    comma: as programs read it. semicolon: as spreadsheets open it where the decimal mark is a comma, as in Costa Rica.
    """

    COMMA = "comma"
    SEMICOLON = "semicolon"


class ExportQuery(StatementQuery):
    """csv: how a CSV is separated; of no other format."""

    format: ExportFormat = ExportFormat.CSV
    csv: CsvDialect = CsvDialect.COMMA

    @model_validator(mode="after")
    def _csv_is_of_csv(self) -> Self:
        if "csv" in self.model_fields_set and self.format is not ExportFormat.CSV:
            raise PydanticCustomError("FIELD_INVALID", "Only a CSV has a dialect: leave csv out, or send format=csv.")
        return self


class CorrectionOut(AnswerModel):
    """What was found out about a closed day, posted on a later one; each figure is a difference."""

    date: dt.date = Field(description="The day that it is about.")
    total_sales: str
    total_payouts: str
    listero_commission: str
    vendedor_commission: str
    balance: str
    total_paid: str
    total_collected: str
    amount: str = Field(description="balance + totalPaid − totalCollected.")
    ticket_count: int
    created_at: dt.datetime


class StatementFigures(AnswerModel):
    """remainingBalance = openingBalance + balance + totalCorrections + totalPaid − totalCollected = accumulatedBalance.

    Positive: the entity holds money of the bank's.
    """

    opening_balance: str
    total_sales: str
    total_payouts: str
    listero_commission: str
    vendedor_commission: str
    balance: str
    total_corrections: str
    total_paid: str
    total_collected: str
    total_payments_collections: str
    remaining_balance: str
    accumulated_balance: str
    ticket_count: int


class PlaceMembers(AnswerModel):
    """Who it is, and where it belongs now; null of several together."""

    banca_id: UUID
    banca_name: str
    banca_code: str | None
    ventana_id: UUID | None
    ventana_name: str | None
    ventana_code: str | None
    vendedor_id: UUID | None
    vendedor_name: str | None
    vendedor_code: str | None


class DayMembers(PlaceMembers, StatementFigures):
    """What every day has."""

    date: dt.date
    month: str
    corrections: list[CorrectionOut]
    is_settled: bool
    can_edit: bool
    settled_at: dt.datetime | None
    total_written_off: str = Field(description="Of totalPayouts: cash that was written off on this day.")
    open_cash_memos: str = Field(
        description="Cash that is out over a corrected result of a draw of this day: it stands beside what is owed, and"
        " changes nothing of it."
    )
    has_sorteos: bool
    created_at: dt.datetime | None = Field(description="null: nothing happened on this day.")
    updated_at: dt.datetime | None


class EntityDayOut(DayMembers):
    """A day of one seller, ventana or banca."""

    id: str


class StatementDayOut(DayMembers):
    """id: null of several together, whose days are then under byVentana or byVendedor. bySorteo: has its own address."""

    id: str | None
    by_ventana: list[EntityDayOut] | None = None
    by_vendedor: list[EntityDayOut] | None = None
    by_sorteo: None = None


class StatementTotals(AnswerModel):
    """totalRemainingBalance: of the last day."""

    opening_balance: str
    total_sales: str
    total_payouts: str
    total_listero_commission: str
    total_vendedor_commission: str
    total_balance: str
    total_corrections: str
    total_paid: str
    total_collected: str
    total_remaining_balance: str
    ticket_count: int
    total_written_off: str
    open_cash_memos: str
    settled_days: int
    pending_days: int


class StatementMeta(AnswerModel):
    month: str
    start_date: dt.date
    end_date: dt.date
    dimension: DimensionName
    total_days: int
    month_start_date: dt.date
    month_end_date: dt.date


class StatementOut(AnswerModel):
    """monthlyAccumulated: of the month of the last day, up to today."""

    statements: list[StatementDayOut]
    totals: StatementTotals
    monthly_accumulated: StatementTotals
    meta: StatementMeta


class CurrentBalanceOut(PlaceMembers):
    """What is owed at the end of today, as far as it is known; of several together."""

    dimension: DimensionName
    date: dt.date
    opening_balance: str
    balance: str
    open_cash_memos: str = Field(description="Of draws of any day; not in the balance.")
