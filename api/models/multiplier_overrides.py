from __future__ import annotations

from enum import StrEnum
from typing import Literal
from uuid import UUID

from pydantic import Field

from api.models.decimals import MultiplierXIn
from api.models.rulebook import Written
from api.models.wire import AnswerModel, Hundredths, Instant, RequestModel
from api.pages import PageQuery
from core.domain.permissions import Role


class OverrideScope(StrEnum):
    USER = "USER"
    VENTANA = "VENTANA"


class OverrideQuery(PageQuery):
    scope_id: UUID | None = None
    loteria_id: UUID | None = None
    is_active: bool | None = None


class OverrideIn(RequestModel):
    scope: OverrideScope
    scope_id: UUID = Field(description="The seller's id, or the ventana's.")
    loteria_id: UUID
    multiplier_type: Literal["NUMERO"] = Field("NUMERO", description="What REVENTADO pays, the draw decides.")
    base_multiplier_x: MultiplierXIn


class OverrideChange(RequestModel):
    base_multiplier_x: MultiplierXIn


class OverrideAnswer(AnswerModel):
    """createdBy, updatedBy: null where nobody is on record."""

    id: UUID
    scope: OverrideScope
    scope_id: UUID
    loteria_id: UUID
    multiplier_type: str
    base_multiplier_x: Hundredths
    is_active: bool
    created_at: Instant
    created_by: UUID | None
    created_by_role: Role | None
    updated_at: Instant
    updated_by: UUID | None
    updated_by_role: Role | None


class WrittenOverride(Written, OverrideAnswer):
    """rulebookVersion: from this version on it holds."""
