from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field, StrictBool, StrictInt

from api.models.decimals import DayIn, LimitIn
from api.models.rulebook import Written
from api.models.wire import Amount, AnswerModel, Hundredths, Instant, RequestModel, Text
from api.pages import PageQuery
from core.domain.permissions import Role
from core.domain.rulebook import AutoDateOf

NumberIn = Annotated[Text, Field(pattern=r"^[0-9]{1,3}$")]


class RestrictionKind(StrEnum):
    LIMIT = "LIMIT"
    CUTOFF = "CUTOFF"
    BLOCK = "BLOCK"


class RestrictionQuery(PageQuery):
    """kind: what the rule does: limit amounts, end the sale earlier, take a multiplier off sale."""

    ventana_id: UUID | None = None
    user_id: UUID | None = None
    number: NumberIn | None = None
    is_active: bool | None = None
    loteria_id: UUID | None = None
    multiplier_id: UUID | None = None
    kind: RestrictionKind | None = None


class RestrictionIn(RequestModel):
    """How it is written; core/domain/restriction_documents.py reads it. Absent and null are the same."""

    banca_id: UUID | None = Field(None, description="The whole banca. At most one of bancaId, ventanaId, userId.")
    ventana_id: UUID | None = None
    user_id: UUID | None = None
    number: NumberIn | list[NumberIn] | None = Field(None, description="A list makes one rule per number.")
    is_auto_date: StrictBool | None = Field(None, description="The number is the day of the month.")
    auto_date_of: AutoDateOf | None = Field(
        None,
        description="Only with isAutoDate. Whose day of the month: SALE, the day on which the ticket is sold, or SORTEO,"
        " the draw's business date; null is SALE.",
    )
    max_amount: LimitIn | None = Field(None, description="Of a number, in one ticket.")
    max_total: LimitIn | None = Field(None, description="Of a number, in the draw.")
    base_amount: LimitIn | None = Field(None, description="With salesPercentage: max(base, sales × percentage).")
    sales_percentage: LimitIn | None = Field(None, examples=["12.50"])
    applies_to_vendedor: StrictBool | None = Field(None, description="Each seller is counted apart.")
    applies_to_date: DayIn | None = None
    applies_to_hour: StrictInt | None = None
    sales_cutoff_minutes: StrictInt | None = None
    loteria_id: UUID | None = None
    multiplier_id: UUID | None = Field(None, description="With loteriaId; without an amount it is off sale.")
    message: Text | None = None
    is_active: StrictBool | None = None


class RestrictionAnswer(AnswerModel):
    """A restriction rule.

    bancaId: set when the rule is for the whole banca. autoDateOf: null where isAutoDate is false. createdBy, updatedBy:
    null where no user is on record.
    """

    id: UUID
    banca_id: UUID | None
    ventana_id: UUID | None
    user_id: UUID | None
    number: str | None
    is_auto_date: bool
    auto_date_of: AutoDateOf | None
    max_amount: Amount | None
    max_total: Amount | None
    base_amount: Amount | None
    sales_percentage: Hundredths | None
    applies_to_vendedor: bool
    applies_to_date: date | None
    applies_to_hour: int | None
    sales_cutoff_minutes: int | None
    loteria_id: UUID | None
    multiplier_id: UUID | None
    message: str | None
    is_active: bool
    created_at: Instant
    created_by: UUID | None
    created_by_role: Role | None
    updated_at: Instant
    updated_by: UUID | None
    updated_by_role: Role | None


class WrittenRestriction(Written, RestrictionAnswer):
    """rulebookVersion: from this version on it holds."""


class WrittenRestrictions(AnswerModel):
    """data: one rule per number, in the order sent. rulebookVersion: from this version on they hold."""

    data: list[RestrictionAnswer]
    rulebook_version: int
