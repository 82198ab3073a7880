"""The audit: writes what happened into the trail, once, and links it to what came before."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import asyncpg
import dramatiq
import msgspec

from core.audit_chain import GENESIS_HASH, hash_content
from core.database import Database, DatabaseUnavailableError
from core.domain.calendar import costa_rica_date
from core.events import DecodedEvent, Event, EventUndecodableError, decode, from_wire
from core.logging import Log
from core.queries import sql
from workers.activity import Operation, operations_of
from workers.backoff import backoff_s
from workers.consumers import AUDIT, alone, queue_name
from workers.letters import EventKey, Reason, Standing, letter_of_event, letter_of_vanished, park_arguments
from workers.metrics import AUDIT_EVENTS, AUDIT_LAG_SECONDS, AUDIT_POISONOUS_EVENTS, AUDIT_VANISHED_EVENTS
from workers.standings import read_standings

# A message waits in its thread for a database that is away, so that the queue stays in the broker.
DATABASE_PATIENCE_S = 30.0
# Then it is tried again, later and later: about five minutes in all. Dead, it is parked (workers/parking.py), and its
# events come again with the relay's sweep all the same: what was away may be back.
RETRIES_MAX = 8
RETRY_FIRST_MS = 500
RETRY_LONGEST_MS = 30_000

log = Log("audit")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong. event: None when not even that could be read. is_vanished: the database does not have the event."""

    text: str
    event: Event | None
    is_vanished: bool = False


class PoisonousEventsError(Exception):
    """Events that can never be recorded, some because they vanished; everything else of their message was."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(fault.text for fault in faults))
        self.faults = faults


class Auditor:
    """Records events. Any number may run at once; of one banca, one at a time gets on."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.poisonous_events = 0

    async def record(self, envelopes: Sequence[object]) -> None:
        """Record every event that is not recorded yet.

        Raises DatabaseUnavailableError (send all again) and PoisonousEventsError (park the message).
        """
        events, faults = decoded(envelopes)
        recorded, refused = await self._record_or_single_out(in_order(events))
        passed_over = [item.event for item in events if item.event.id not in recorded]
        faults = await self._judged(passed_over, faults + refused)
        if poisonous := [fault for fault in faults if not fault.is_vanished]:
            self.poisonous_events += len(poisonous)
            AUDIT_POISONOUS_EVENTS.inc(len(poisonous))
            log.error("EVENTS_POISONOUS", faults=[fault.text for fault in poisonous], total=self.poisonous_events)
        if vanished := [fault for fault in faults if fault.is_vanished]:
            AUDIT_VANISHED_EVENTS.inc(len(vanished))
            log.error("EVENTS_VANISHED", faults=[fault.text for fault in vanished])
        if faults:
            raise PoisonousEventsError(faults)

    async def park(self, faults: Sequence[Fault], *, instance_id: str) -> None:
        """Make dead letters of them while the reason is at hand; the broker's copies come later and say less."""
        queue = queue_name(instance_id, AUDIT)
        letters = [
            letter_of_vanished(fault.event, queue=queue, actor=AUDIT)
            if fault.is_vanished
            else letter_of_event(fault.event, queue=queue, actor=AUDIT, reason=Reason.POISONOUS, error=fault.text)
            for fault in faults
            if fault.event is not None
        ]
        if letters:
            async with self.database.connection() as connection:
                await connection.execute(sql("dead_letters/park"), instance_id, *park_arguments(letters))

    async def _judged(self, passed_over: Sequence[Event], faults: Sequence[Fault]) -> list[Fault]:
        """What is wrong with the events that were not recorded. One that vanished has no other fault.

        passed_over: they are done, or they vanished, or they are among the faults.
        """
        events = [*passed_over, *(fault.event for fault in faults if fault.event is not None)]
        if not events:
            return list(faults)
        event_of = {EventKey.of(event): event for event in events}
        async with self.database.connection() as connection:
            standings = await read_standings(connection, AUDIT, list(event_of))
        vanished = {key: event for key, event in event_of.items() if standings[key] is Standing.VANISHED}
        return [fault for fault in faults if fault.event is None or EventKey.of(fault.event) not in vanished] + [
            Fault(f"event {event.id} ({event.type}) is not in this database", event, is_vanished=True)
            for event in vanished.values()
        ]

    async def _record_or_single_out(self, events: Sequence[DecodedEvent]) -> tuple[set[int], list[Fault]]:
        """Record the events, by halves if the database refuses them together.

        Returns the ids of those that are recorded now, and what is wrong with which.
        """
        if not events:
            return set(), []
        try:
            return await self._record_in_partitions(events), []
        except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
            if len(events) == 1:
                event = events[0].event
                return set(), [Fault(f"event {event.id}: {type(error).__name__}: {error}", event)]
            middle = len(events) // 2
            first, first_faults = await self._record_or_single_out(events[:middle])
            second, second_faults = await self._record_or_single_out(events[middle:])
            return first | second, first_faults + second_faults

    async def _record_in_partitions(self, events: Sequence[DecodedEvent]) -> set[int]:
        try:
            return await self._record_together(events)
        except asyncpg.CheckViolationError:
            # A month that has no partition yet is refused so.
            async with self.database.connection() as connection:
                await connection.execute(sql("audit/ensure_partitions"), days_of(events))
            return await self._record_together(events)

    async def _record_together(self, events: Sequence[DecodedEvent]) -> set[int]:
        """All or none; those that were recorded before, or that vanished, are passed over. Returns the ids of the others."""
        types = [item.event.type for item in events]
        arguments = (AUDIT, GENESIS_HASH, *event_columns(events), *activity_columns(events), types)
        async with self.database.connection() as connection:
            recorded = {row[0] for row in await connection.fetch(sql("audit/record_events"), *arguments)}
        count_recorded([item for item in events if item.event.id in recorded])
        return recorded


def in_order(events: Iterable[DecodedEvent]) -> list[DecodedEvent]:
    """In that of their ids, each once."""
    once = {item.event.id: item for item in events}
    return [once[event_id] for event_id in sorted(once)]


def count_recorded(events: Collection[DecodedEvent]) -> None:
    """After the commit. The clocks are this machine's and PostgreSQL's: what is late by seconds is what matters."""
    now_s = time.time()
    AUDIT_EVENTS.inc(len(events))
    for item in events:
        AUDIT_LAG_SECONDS.observe(max(0.0, now_s - item.occurred_at.timestamp()))


def event_columns(events: Sequence[DecodedEvent]) -> list[list[Any]]:
    """As sql/functions/record_events.sql takes them."""
    return columns((item.event.banca_id, item.event.id, hash_content(item.event.payload)) for item in events)


def activity_columns(events: Sequence[DecodedEvent]) -> list[list[Any]]:
    """As sql/functions/record_events.sql takes them."""
    return columns([row for item in events for row in activity_rows(item, operations_of(item.payload))])


def activity_rows(item: DecodedEvent, operations: Sequence[Operation]) -> list[tuple[object, ...]]:
    event_id, at = item.event.id, item.occurred_at
    day = costa_rica_date(at)
    return [
        (
            event_id,
            line,
            day,
            at,
            operation.action,
            operation.actor_id,
            operation.target_type,
            operation.target_id,
            operation.layer,
            operation.request_id,
            msgspec.json.encode(operation.details).decode(),
        )
        for line, operation in enumerate(operations, start=1)
    ]


def columns(rows: Iterable[tuple[object, ...]]) -> list[list[Any]]:
    """rows: at least one."""
    return [list(column) for column in zip(*rows, strict=True)]


def days_of(events: Sequence[DecodedEvent]) -> list[Any]:
    return sorted({costa_rica_date(item.occurred_at) for item in events})


def decoded(envelopes: Sequence[object]) -> tuple[list[DecodedEvent], list[Fault]]:
    """What could be decoded, and what is wrong with the rest."""
    events, faults = [], []
    for envelope in envelopes:
        event = None
        try:
            event = from_wire(envelope)
            events.append(decode(event))
        except EventUndecodableError as error:
            faults.append(Fault(str(error), event))
    return events, faults


def declare_audit(
    broker: dramatiq.Broker, auditor: Callable[[], Auditor], *, instance_id: str, stopping: threading.Event
) -> dramatiq.Actor[[list[object]], None]:
    """The actor that records a message's events.

    auditor: asked in the worker's loop, where its connections live.
    stopping: once set, nobody waits for the database any more.
    """

    async def audit(envelopes: list[object]) -> None:
        deadline_s = time.monotonic() + DATABASE_PATIENCE_S
        failures = 0
        while True:
            try:
                return await auditor().record(envelopes)
            except PoisonousEventsError as error:
                # Without a database for it the broker's copy is what is left.
                with suppress(DatabaseUnavailableError):
                    await auditor().park(error.faults, instance_id=instance_id)
                raise
            except DatabaseUnavailableError as error:
                failures += 1
                if stopping.is_set() or time.monotonic() > deadline_s:
                    raise
                log.warning("AUDIT_WAITS", reason=str(error), failures=failures)
            await asyncio.sleep(backoff_s(failures))

    queue = queue_name(instance_id, AUDIT)
    broker.declare_queue(alone(queue))
    return dramatiq.actor(
        broker=broker,
        actor_name=AUDIT,
        queue_name=queue,
        max_retries=RETRIES_MAX,
        min_backoff=RETRY_FIRST_MS,
        max_backoff=RETRY_LONGEST_MS,
        # No second chance for what can never be recorded: it goes to the dead letters.
        throws=PoisonousEventsError,
    )(audit)
