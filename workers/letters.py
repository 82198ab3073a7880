"""What a dead message is: which letters it makes, and what of it deserves another try. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from dramatiq import Message
from dramatiq.errors import DecodeError

from core.audit_chain import hash_content
from core.events import Event, EventUndecodableError, from_wire
from workers.consumers import CONSUMERS, alone, is_alone, together
from workers.packing import message_of

ERROR_LENGTH_MAX = 4_000
NAME_LENGTH_MAX = 190
# What Dramatiq and the brokers wrote into a message on its way to death.
SPENT_OPTIONS = frozenset({"retries", "traceback", "requeue_timestamp", "eta", "redis_message_id"})


class Reason(StrEnum):
    """Why a message is dead.

    POISONOUS: its actor says that it can never be done. VANISHED: the database does not have its event, because it was
    restored to a time before it. RETRIES_EXHAUSTED: it failed too often, perhaps for a cause
    that passes. DELIVERY_LIMIT: its worker died of it, or with it, too often.
    """

    POISONOUS = "POISONOUS"
    VANISHED = "VANISHED"
    RETRIES_EXHAUSTED = "RETRIES_EXHAUSTED"
    DELIVERY_LIMIT = "DELIVERY_LIMIT"
    UNKNOWN_ACTOR = "UNKNOWN_ACTOR"
    UNDECODABLE = "UNDECODABLE"
    EXPIRED = "EXPIRED"


class Standing(StrEnum):
    """How an event of a message stands in the database, as sql/functions/event_standings.sql says."""

    NEW = "NEW"
    DONE = "DONE"
    VANISHED = "VANISHED"


@dataclass(frozen=True, slots=True)
class EventKey:
    """What names an event: its number alone does not, because a restored database gives it out again."""

    id: int
    banca_id: UUID
    type: str
    content_hash: bytes

    @classmethod
    def of(cls, event: Event) -> EventKey:
        return cls(event.id, event.banca_id, event.type, hash_content(event.payload))


Standings = Mapping[EventKey, Standing]


@dataclass(frozen=True, slots=True)
class DeadMessage:
    """As a broker's dead queue has it. queue: the one where it died. death: "delivery_limit", "expired" or "rejected".

    deliveries: how often it was delivered, as far as the broker knows. handle: the dead queue's own.
    """

    queue: str
    data: bytes
    death: str
    deliveries: int
    handle: Any


@dataclass(frozen=True, slots=True)
class Letter:
    queue: str
    key: str
    actor: str | None
    message_id: str | None
    event_id: int | None
    payload: bytes
    reason: Reason
    error: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Post:
    """A dead message, read. events: what it carries for a consumer of ours; then `whole` is not used.

    is_suspect: it died with others in its process, so that each event must be tried by itself before it is blamed.
    """

    actor: str | None
    events: tuple[Event, ...]
    whole: Letter
    is_suspect: bool

    def letters(self, standings: Standings) -> list[Letter]:
        """What to park: the message, or its events one by one: those that vanished, and if it is not only suspect those
        that are undone.
        """
        if not self.events:
            return [self.whole]
        vanished = [
            letter_of_vanished(event, queue=self.whole.queue, actor=str(self.actor))
            for event in self._that_are(standings, Standing.VANISHED)
        ]
        if self.is_suspect:
            return vanished
        return vanished + [
            letter_of_event(
                event,
                queue=self.whole.queue,
                actor=str(self.actor),
                reason=self.whole.reason,
                error=self.whole.error,
                attempts=self.whole.attempts,
            )
            for event in self._that_are(standings, Standing.NEW)
        ]

    def another_try(self, standings: Standings) -> list[Message[None]]:
        """Each undone event of a suspect by itself."""
        if not self.is_suspect:
            return []
        return [
            lone_message(event, queue=self.whole.queue, actor=str(self.actor))
            for event in self._that_are(standings, Standing.NEW)
        ]

    def _that_are(self, standings: Standings, standing: Standing) -> list[Event]:
        return [event for event in self.events if standings[EventKey.of(event)] is standing]


def read_post(dead: DeadMessage, *, actors: Iterable[str] = CONSUMERS) -> Post:
    """Never raises, whatever the bytes are."""
    message = decode_message(dead.data)
    queue = together(dead.queue)
    if message is None:
        digest = hashlib.sha256(dead.data).hexdigest()
        letter = Letter(
            queue, f"bytes:{digest}", None, None, None, dead.data, Reason.UNDECODABLE, "no message of Dramatiq's", 1
        )
        return Post(None, (), letter, is_suspect=False)
    known = message.actor_name in frozenset(actors)
    events, fault = events_of(message) if known else ((), "")
    reason = reason_of(dead, message, is_known=known)
    letter = Letter(
        queue=queue,
        key=f"message:{named(message.message_id)}",
        actor=named(message.actor_name),
        message_id=named(message.message_id),
        event_id=None,
        payload=dead.data,
        reason=reason,
        error=bounded(fault or error_of(message, reason, dead)),
        attempts=attempts_of(message, dead),
    )
    return Post(letter.actor, events, letter, is_suspect=reason is Reason.DELIVERY_LIMIT and not is_alone(dead.queue))


def decode_message(data: bytes) -> Message[None] | None:
    try:
        message: Message[None] = Message.decode(data)
    except DecodeError:
        return None
    return message if isinstance(message.options, dict) and isinstance(message.kwargs, dict) else None


def events_of(message: Message[None]) -> tuple[tuple[Event, ...], str]:
    """The events, if the message is nothing but a list of them; else what is wrong."""
    if len(message.args) != 1 or not isinstance(message.args[0], list) or not message.args[0] or message.kwargs:
        return (), "not a list of events"
    try:
        return tuple(from_wire(envelope) for envelope in message.args[0]), ""
    except EventUndecodableError as error:
        return (), str(error)


def reason_of(dead: DeadMessage, message: Message[None], *, is_known: bool) -> Reason:
    if dead.death == "delivery_limit":
        return Reason.DELIVERY_LIMIT
    if dead.death == "expired":
        return Reason.EXPIRED
    if not is_known:
        # Actors that only a test or a newer release has fail like any other.
        return Reason.RETRIES_EXHAUSTED if retries_of(message) else Reason.UNKNOWN_ACTOR
    # An actor that raises is tried again; without a single retry it must have said that there is no hope.
    return Reason.RETRIES_EXHAUSTED if retries_of(message) else Reason.POISONOUS


def error_of(message: Message[None], reason: Reason, dead: DeadMessage) -> str:
    traceback = message.options.get("traceback")
    if isinstance(traceback, str) and traceback.strip() and reason is Reason.RETRIES_EXHAUSTED:
        return traceback.strip()
    return {
        Reason.DELIVERY_LIMIT: f"its worker died with it, {dead.deliveries} times",
        Reason.UNKNOWN_ACTOR: f"no worker here knows the actor {named(message.actor_name)}",
    }.get(reason, "")


def attempts_of(message: Message[None], dead: DeadMessage) -> int:
    return max(retries_of(message) + 1, dead.deliveries, 1)


def retries_of(message: Message[None]) -> int:
    retries = message.options.get("retries")
    return max(0, min(retries, 1_000_000)) if isinstance(retries, int) else 0


def letter_of_event(event: Event, *, queue: str, actor: str, reason: Reason, error: str, attempts: int = 1) -> Letter:
    message = lone_message(event, queue=queue, actor=actor)
    key = f"event:{event.id}"
    return Letter(queue, key, actor, message.message_id, event.id, message.encode(), reason, bounded(error), attempts)


def letter_of_vanished(event: Event, *, queue: str, actor: str) -> Letter:
    """A letter of its own, which does not stand for the event that has the number now."""
    message = lone_message(event, queue=queue, actor=actor)
    key = f"vanished:{event.id}:{hash_content(event.payload).hex()}"
    error = (
        f"event {event.id} ({event.type}) of {event.created_at.isoformat()} is not in this database: it was restored to"
        " a time before it. The number may belong to another event by now, which is done by itself"
    )
    return Letter(queue, key, actor, message.message_id, None, message.encode(), Reason.VANISHED, error, 1)


def lone_message(event: Event, *, queue: str, actor: str) -> Message[None]:
    return message_of([event], queue_name=alone(queue), actor_name=actor)


def fresh_copy(data: bytes) -> Message[None] | None:
    """The message as it was before its first delivery; None: the bytes are no message."""
    message = decode_message(data)
    if message is None:
        return None
    options = {name: each for name, each in message.options.items() if name not in SPENT_OPTIONS}
    return Message(**{**message.asdict(), "options": options})


def park_arguments(letters: Sequence[Letter]) -> list[list[Any]]:
    """As sql/queries/dead_letters/park.sql takes them after the instance; of each key the last letter."""
    rows = list({(letter.queue, letter.key): letter for letter in letters}.values())
    return [
        [row.queue for row in rows],
        [row.key for row in rows],
        [row.actor for row in rows],
        [row.message_id for row in rows],
        [row.event_id for row in rows],
        [row.payload for row in rows],
        [row.reason.value for row in rows],
        [row.error for row in rows],
        [row.attempts for row in rows],
    ]


def named(value: object) -> str:
    """As PostgreSQL takes it."""
    return cleaned(str(value))[:NAME_LENGTH_MAX]


def bounded(error: str) -> str:
    """Its end: that is where a stack says what went wrong."""
    return cleaned(error)[-ERROR_LENGTH_MAX:]


def cleaned(text: str) -> str:
    return text.replace("\x00", "").encode("utf-8", "replace").decode()
