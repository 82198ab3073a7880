from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from api.models.wire import AnswerModel, Instant, TrimmedText
from api.pages import PageQuery


class LetterState(StrEnum):
    PARKED = "PARKED"
    REPLAYED = "REPLAYED"
    DROPPED = "DROPPED"


class DeadLetterQuery(PageQuery):
    state: LetterState | None = None
    queue: Annotated[TrimmedText, Field(max_length=200)] | None = None


class DeadLetterAnswer(AnswerModel):
    """isDone: its event was done after all. attempts: of its deaths together. eventId: null where it carries none."""

    id: UUID
    queue: str
    actor: str | None
    message_id: str | None
    event_id: int | None
    reason: str
    error: str
    attempts: int
    state: LetterState
    is_done: bool
    payload_bytes: int
    first_seen_at: Instant
    last_seen_at: Instant
    decided_by: str | None
    decided_at: Instant | None
    republished_at: Instant | None
