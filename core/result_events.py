"""Events of draws' results, as sql/functions/evaluate_sorteo.sql and advance_evaluation.sql write them.

Each operation is two: what somebody asked for, and that the workers did it.
"""

from __future__ import annotations

from uuid import UUID

import msgspec

from core.instants import Instant


class EvaluationRequested(msgspec.Struct, frozen=True, rename="camel"):
    """extra_*: what REVENTADO pays; None: it loses."""

    at: Instant
    sorteo_id: UUID
    evaluation: int
    winning_number: str
    actor_id: UUID
    extra_multiplier_id: UUID | None = None
    extra_x_hundredths: int | None = None
    extra_outcome_code: str | None = None
    request_id: str | None = None


class SorteoEvaluated(msgspec.Struct, frozen=True, rename="camel"):
    """All prizes are paid. actor_id, request_id: of whoever asked for it."""

    at: Instant
    sorteo_id: UUID
    evaluation: int
    winning_number: str
    winning_tickets: int
    total_in_cents: int
    total_out_cents: int
    net_profit_cents: int
    actor_id: UUID
    extra_outcome_code: str | None = None
    request_id: str | None = None


class RevertRequested(msgspec.Struct, frozen=True, rename="camel"):
    """payments_standing: how many payments of its prizes had been handed out; only when it was forced more than none.

    payments_reversed: how many of them it reversed; none since cash stays on its ticket.
    """

    at: Instant
    sorteo_id: UUID
    evaluation: int
    reason: str
    payments_reversed: int
    paid_cents: int
    actor_id: UUID
    payments_standing: int = 0
    request_id: str | None = None


class SorteoReverted(msgspec.Struct, frozen=True, rename="camel"):
    """All prizes are taken back. actor_id, request_id: of whoever asked for it."""

    at: Instant
    sorteo_id: UUID
    evaluation: int
    winning_tickets: int
    total_out_cents: int
    actor_id: UUID
    request_id: str | None = None


ResultEvent = EvaluationRequested | SorteoEvaluated | RevertRequested | SorteoReverted
