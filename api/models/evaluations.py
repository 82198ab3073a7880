from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from api.models.wire import Amount, AnswerModel, Hundredths, Instant, NoteText, RequestModel, Text, TrimmedText
from core.domain.sorteo_states import SorteoStatus


class ResultState(StrEnum):
    """RUNNING: prizes are being paid. DONE: the result stands. REVERTING: prizes are being taken back. REVERTED: the
    draw is closed again. FAILED, REVERT_FAILED: the workers have stopped while they paid prizes, or took them back.
    """

    RUNNING = "RUNNING"
    DONE = "DONE"
    REVERTING = "REVERTING"
    REVERTED = "REVERTED"
    FAILED = "FAILED"
    REVERT_FAILED = "REVERT_FAILED"


class EvaluationIn(RequestModel):
    """winningNumber: as wide as the draw's numbers ("07", not "7"). extraMultiplierId: what REVENTADO pays; without one
    it loses. extraOutcomeCode: the name of that outcome; the multiplier's unless given.
    """

    winning_number: Annotated[Text, Field(min_length=1, max_length=3)]
    extra_multiplier_id: UUID | None = None
    extra_outcome_code: Annotated[TrimmedText, Field(min_length=1, max_length=32)] | None = None


class RevertIn(RequestModel):
    """force: also when prizes were handed out; these payments are then reversed, and stay on record."""

    reason: Annotated[NoteText, Field(min_length=3, max_length=200)]
    force: Annotated[bool, Field(strict=True)] = False


class Progress(AnswerModel):
    """In tickets; while prizes are taken back it counts from 0 again."""

    done: int
    of: int


class Revert(AnswerModel):
    """forced: prizes that had been handed out were reversed with it. revertedAt: absent while it is under way."""

    reason: str
    forced: bool
    requested_by: UUID
    requested_at: Instant
    reverted_at: Instant | None = None


class FailedTicket(AnswerModel):
    """A ticket whose prize could not be paid, or taken back. attempts: how often that was tried."""

    ticket_id: UUID
    ticket_number: str
    vendedor_id: UUID
    reason: str
    attempts: int
    failed_at: Instant


class Failure(AnswerModel):
    """Why an evaluation has stopped. tickets: the first 100 that failed; none when it was not the fault of a ticket.
    ticketCount: all of them.
    """

    at: Instant
    reason: str
    ticket_count: int
    tickets: list[FailedTicket]


class OutcomeMembers(AnswerModel):
    """What came out of a draw. extraMultiplierX: what REVENTADO pays."""

    winning_number: str
    extra_multiplier_id: UUID | None = None
    extra_multiplier_x: Hundredths | None = None
    extra_outcome_code: str | None = None


class EvaluationAnswer(OutcomeMembers):
    """A draw's newest evaluation. totalOut: what was paid so far. totalIn, netProfit and settledAt: once it is DONE.
    failure: of FAILED and REVERT_FAILED.
    """

    sorteo_id: UUID
    sorteo_status: SorteoStatus
    evaluation: int
    state: ResultState
    progress: Progress
    has_winner: bool
    winning_tickets: int
    total_in: Amount | None = None
    total_out: Amount
    net_profit: Amount | None = None
    settled_at: Instant | None = None
    requested_by: UUID
    requested_at: Instant
    revert: Revert | None = None
    failure: Failure | None = None
