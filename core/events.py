"""Events: what happened, as the outbox keeps it, the broker carries it and the workers read it.

A payload is written by SQL, in the transaction of what it tells (sql/functions); its text is hashed into the audit
chain, so it travels as the text that was written.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from core.instants import Instant
from core.job_events import JobsRequested
from core.later_events import LaterEvent, ListasExcluded, ListasIncluded, TicketsRestored
from core.result_events import EvaluationRequested, ResultEvent, RevertRequested, SorteoEvaluated, SorteoReverted
from core.sorteo_events import SorteosMoved


class EventType(enum.StrEnum):
    TICKETS_SOLD = "tickets.sold"
    TICKETS_CANCELLED = "tickets.cancelled"
    TICKETS_RESTORED = "tickets.restored"
    LISTAS_EXCLUDED = "listas.excluded"
    LISTAS_INCLUDED = "listas.included"
    SESSIONS_OPENED = "sessions.opened"
    SESSIONS_CLOSED = "sessions.closed"
    ACTIVITY_RECORDED = "activity.recorded"
    ACTIVITIES_RECORDED = "activities.recorded"
    SORTEOS_MOVED = "sorteos.moved"
    SORTEOS_EVALUATION_REQUESTED = "sorteos.evaluation_requested"
    SORTEOS_EVALUATED = "sorteos.evaluated"
    SORTEOS_REVERT_REQUESTED = "sorteos.revert_requested"
    SORTEOS_REVERTED = "sorteos.reverted"
    JOBS_REQUESTED = "jobs.requested"


class EventUndecodableError(Exception):
    """An event that is not what its type promises. Its writer is at fault; sending it again will not help."""


class Event(msgspec.Struct, frozen=True, rename="camel"):
    """An outbox row on its way. type is text: a newer writer may know types that we do not."""

    id: int
    banca_id: UUID
    type: str
    payload: str
    created_at: Instant


class SorteoRange(msgspec.Struct, frozen=True, rename="camel"):
    """The sequences that one batch took in one draw, without a gap between its events."""

    sorteo_id: UUID
    first: int = msgspec.field(name="from")
    last: int = msgspec.field(name="to")


class TicketsSold(msgspec.Struct, frozen=True, rename="camel"):
    """One committed batch of sales: parallel arrays, one entry per ticket."""

    at: Instant
    rulebook_version: int
    sorteos: list[SorteoRange]
    ticket_ids: Annotated[list[UUID], msgspec.Meta(min_length=1)]
    sorteo_ids: list[UUID]
    sequences: list[int]
    vendedor_ids: list[UUID]
    actor_ids: list[UUID]
    actor_roles: list[str]
    terminal_ids: list[UUID | None]
    totals_cents: list[int]
    keys: list[str]
    request_ids: list[str | None]

    def __post_init__(self) -> None:
        columns: list[list[Any]] = [
            self.sorteo_ids,
            self.sequences,
            self.vendedor_ids,
            self.actor_ids,
            self.actor_roles,
            self.terminal_ids,
            self.totals_cents,
            self.keys,
            self.request_ids,
        ]
        if any(len(column) != len(self.ticket_ids) for column in columns):
            raise ValueError("the columns of tickets.sold differ in length")


class TicketsCancelled(msgspec.Struct, frozen=True, rename="camel"):
    at: Instant
    ticket_id: UUID
    sorteo_id: UUID
    sequence: int
    vendedor_id: UUID
    actor_id: UUID
    actor_role: str
    total_cents: int
    # The cancel's own.
    key: str | None = None
    request_id: str | None = None
    terminal_id: UUID | None = None


class SessionsOpened(msgspec.Struct, frozen=True, rename="camel"):
    session_id: UUID
    actor_id: UUID
    user_id: UUID | None = None
    request_id: str | None = None
    # Absent: when the event was written.
    at: Instant | None = None


class SessionsClosed(msgspec.Struct, frozen=True, rename="camel"):
    """actor_id: null when the system closed it. user_id: whose it was."""

    session_id: UUID
    actor_id: UUID | None = None
    user_id: UUID | None = None
    reason: str | None = None
    request_id: str | None = None
    at: Instant | None = None


class ActivityRecorded(msgspec.Struct, frozen=True, rename="camel"):
    """One operation that has no event of its own, as sql/functions/record_activity.sql writes it.

    before, after: what the target was and is, as far as the operation concerns it; null: it was or is not there.
    """

    at: Instant
    action: Annotated[str, msgspec.Meta(pattern="^[A-Z_]+$")]
    layer: str
    actor_id: UUID | None = None
    target_type: str | None = None
    target_id: UUID | None = None
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    request_id: str | None = None


class TargetRecorded(msgspec.Struct, frozen=True, rename="camel"):
    """before, after: of this target, besides what all targets of the operation have in common."""

    id: UUID
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


class ActivitiesRecorded(msgspec.Struct, frozen=True, rename="camel"):
    """One operation on several targets; before, after: what all of them have in common, null as in ActivityRecorded."""

    at: Instant
    action: Annotated[str, msgspec.Meta(pattern="^[A-Z_]+$")]
    layer: str
    targets: Annotated[list[TargetRecorded], msgspec.Meta(min_length=1)]
    actor_id: UUID | None = None
    target_type: str | None = None
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    request_id: str | None = None


Payload = (
    TicketsSold
    | TicketsCancelled
    | LaterEvent
    | SessionsOpened
    | SessionsClosed
    | ActivityRecorded
    | ActivitiesRecorded
    | ResultEvent
    | SorteosMoved
    | JobsRequested
)

_PAYLOADS: Mapping[str, msgspec.json.Decoder[Any]] = {
    EventType.TICKETS_SOLD: msgspec.json.Decoder(TicketsSold),
    EventType.TICKETS_CANCELLED: msgspec.json.Decoder(TicketsCancelled),
    EventType.TICKETS_RESTORED: msgspec.json.Decoder(TicketsRestored),
    EventType.LISTAS_EXCLUDED: msgspec.json.Decoder(ListasExcluded),
    EventType.LISTAS_INCLUDED: msgspec.json.Decoder(ListasIncluded),
    EventType.SESSIONS_OPENED: msgspec.json.Decoder(SessionsOpened),
    EventType.SESSIONS_CLOSED: msgspec.json.Decoder(SessionsClosed),
    EventType.ACTIVITY_RECORDED: msgspec.json.Decoder(ActivityRecorded),
    EventType.ACTIVITIES_RECORDED: msgspec.json.Decoder(ActivitiesRecorded),
    EventType.SORTEOS_MOVED: msgspec.json.Decoder(SorteosMoved),
    EventType.SORTEOS_EVALUATION_REQUESTED: msgspec.json.Decoder(EvaluationRequested),
    EventType.SORTEOS_EVALUATED: msgspec.json.Decoder(SorteoEvaluated),
    EventType.SORTEOS_REVERT_REQUESTED: msgspec.json.Decoder(RevertRequested),
    EventType.SORTEOS_REVERTED: msgspec.json.Decoder(SorteoReverted),
    EventType.JOBS_REQUESTED: msgspec.json.Decoder(JobsRequested),
}


@dataclass(frozen=True, slots=True)
class DecodedEvent:
    event: Event
    payload: Payload

    @property
    def occurred_at(self) -> datetime:
        return self.payload.at or self.event.created_at


def decode(event: Event) -> DecodedEvent:
    """Members that we do not know are passed over. Raises EventUndecodableError."""
    decoder = _PAYLOADS.get(event.type)
    if decoder is None:
        raise EventUndecodableError(f"event {event.id}: the type {event.type} is not known here")
    try:
        return DecodedEvent(event, decoder.decode(event.payload))
    except msgspec.MsgspecError as error:
        raise EventUndecodableError(f"event {event.id} ({event.type}): {error}") from error


def to_wire(event: Event) -> dict[str, object]:
    """The event as plain JSON values, for a message."""
    wire: dict[str, object] = msgspec.to_builtins(event)
    return wire


def from_wire(wire: object) -> Event:
    """Raises EventUndecodableError."""
    try:
        return msgspec.convert(wire, Event)
    except msgspec.ValidationError as error:
        raise EventUndecodableError(f"an envelope out of form: {error}") from error
