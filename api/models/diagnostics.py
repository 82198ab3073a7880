"""When a draw's sales end, and the case that is to be explained."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import Field, RootModel

from api.models.wire import AnswerModel, Instant, RequestModel
from core.domain.cutoffs import CutoffSource
from core.domain.sorteo_states import SorteoStatus


class CutoffQuery(RequestModel):
    """vendedorId: required of everybody but a VENDEDOR, who may name itself only."""

    sorteo_id: UUID
    vendedor_id: UUID | None = None


class CutoffAnswer(AnswerModel):
    """cutoffRuleId: of the rule that decided; null: none did."""

    sorteo_id: UUID
    vendedor_id: UUID
    at: Instant
    scheduled_at: Instant
    sorteo_status: SorteoStatus
    cutoff_minutes: int
    cutoff_source: CutoffSource
    cutoff_rule_id: UUID | None
    grace_ms: int
    limit_time: Instant = Field(description="cutoffMinutes before the draw.")
    effective_limit_time: Instant = Field(description="The first instant that sells no more: the grace is in it.")
    seconds_until_limit: int = Field(description="Until effectiveLimitTime, begun seconds counted whole; 0 when past.")
    seconds_until_scheduled: int
    blocks: bool = Field(description="Whether the cutoff refuses a sale of this instant; the draw's state apart.")


class ExplainCase(RootModel[dict[str, Any]]):
    """A case, as docs/explain.md describes it."""


class ExplainDecision(RootModel[dict[str, Any]]):
    """The decision, as docs/explain.md describes it and `./banca explain --json` prints it."""
