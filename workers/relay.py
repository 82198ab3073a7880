"""The relay: takes events from the outbox and publishes them, at least once. `python -m workers.relay`.

It asks the outbox every POLL_S instead of listening: NOTIFY takes a lock of the whole database at each commit.
Measured with an insert of 2 kB per transaction: 5,600 commits/s instead of 16,500 at 8 connections.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dramatiq import Message

from core import garbage
from core.database import Database, create_pool
from core.events import Event
from core.logging import Log
from core.loop_lag import watched_loop
from core.processes import run_process
from core.queries import sql
from core.settings import Settings
from workers.backoff import backoff_s, wait
from workers.consumers import CONSUMERS, KEEPERS, queue_name, queue_names, wants
from workers.dead_queues import create_dead_queues
from workers.instance import await_instance_id
from workers.metrics import NEW, RELAY_FAILURES, RESENT, served
from workers.packing import packed
from workers.parking import Parking
from workers.pools import close_pool
from workers.transport import Transport, create_transport

if TYPE_CHECKING:
    from core.database import Connection

POLL_S = 0.1
SWEEP_EVERY_S = 5.0
FORGET_EVENTS_MAX = 1_000
# Done events stay a while, so that the books can compare them with the audit.
RETENTION_S = 300.0
# One connection for the events, one for the dead letters.
POOL_SIZE = 2

log = Log("relay")


class Relay:
    """Several may run at once: each takes rows that no other holds."""

    def __init__(
        self,
        database: Database,
        transport: Transport,
        *,
        instance_id: str,
        batch_events: int,
        resend_after_s: float,
        retention_s: float = RETENTION_S,
        sweep_every_s: float = SWEEP_EVERY_S,
    ) -> None:
        self.database = database
        self.transport = transport
        self.instance_id = instance_id
        self.batch_events = batch_events
        self.resend_after_s = resend_after_s
        self.retention_s = retention_s
        self.sweep_every_s = sweep_every_s

    async def run_once(self) -> int:
        """Publish the oldest events that never were; returns how many.

        Raises BrokerUnavailableError and DatabaseUnavailableError: then nothing is marked, and all are taken again.
        """
        async with self.database.connection() as connection:
            if await connection.fetchval(sql("outbox/first_unpublished")) is None:
                return 0
            count = await self._publish(connection, sql("outbox/take_unpublished"), self.batch_events)
        NEW.inc(count)
        return count

    async def sweep_once(self) -> int:
        """Publish again what some consumer has not done in time; returns how many. Raises like run_once."""
        async with self.database.connection() as connection:
            count = await self._publish(
                connection, sql("outbox/take_undone"), list(KEEPERS), float(self.resend_after_s), self.batch_events
            )
        if count:
            RESENT.inc(count)
            log.warning("OUTBOX_RESENT", events=count)
        return count

    async def forget_once(self) -> int:
        """Delete events that are done everywhere and old enough; returns how many."""
        async with self.database.connection() as connection:
            count: int = await connection.fetchval(
                sql("outbox/forget"), list(KEEPERS), float(self.retention_s), FORGET_EVENTS_MAX
            )
            return count

    async def run(self, stop: asyncio.Event) -> None:
        """Until stop is set; a cycle that runs is finished."""
        failures = 0
        next_sweep_s = 0.0
        while not stop.is_set():
            try:
                count = await self.run_once()
                if time.monotonic() >= next_sweep_s:
                    swept = await self.sweep_once()
                    forgotten = await self.forget_once()
                    is_full = swept == self.batch_events or forgotten == FORGET_EVENTS_MAX
                    next_sweep_s = 0.0 if is_full else time.monotonic() + self.sweep_every_s
            except Exception as error:
                failures += 1
                RELAY_FAILURES.inc()
                pause_s = backoff_s(failures)
                log.warning(
                    "RELAY_WAITS",
                    reason=f"{type(error).__name__}: {error}",
                    failures=failures,
                    pause_s=round(pause_s, 2),
                )
                await wait(stop, pause_s)
                continue
            failures = 0
            if count < self.batch_events:
                # What comes meanwhile is published together.
                await wait(stop, POLL_S)

    async def _publish(self, connection: Connection, take: str, *arguments: object) -> int:
        # The rows stay locked until the broker has confirmed them: another relay passes them over, and the death of
        # this one gives them back. The transport bounds the time.
        async with connection.transaction():
            events = [Event(**row) for row in await connection.fetch(take, *arguments)]
            if events:
                await self.transport.publish(self._messages(events))
                await connection.execute(sql("outbox/mark_published"), [event.id for event in events])
            return len(events)

    def _messages(self, events: Sequence[Event]) -> list[Message[None]]:
        # A banca's events together: a worker records those of one banca at a time.
        events = sorted(events, key=lambda event: event.banca_id.bytes)
        return [
            message
            for consumer in CONSUMERS
            for message in packed(
                [event for event in events if wants(consumer, event.type)],
                queue_name=queue_name(self.instance_id, consumer),
                actor_name=consumer,
            )
        ]


def main() -> int:
    return run_process("relay", run)


def run(settings: Settings) -> int:
    asyncio.run(relay_events(settings))
    return 0


async def relay_events(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    pool = await create_pool(
        settings.database_url,
        size=POOL_SIZE,
        timeout_s=settings.db_timeout_s,
        application_name="banca-relay",
        statement_cache_size=settings.database_statement_cache_size,
    )
    try:
        with served(settings):
            async with watched_loop():
                await relay_until(stop, Database(pool, acquire_timeout_s=settings.db_timeout_s), settings)
    finally:
        await close_pool(pool)
    log.info("RELAY_STOPPED")


async def relay_until(stop: asyncio.Event, database: Database, settings: Settings) -> None:
    instance_id = await await_instance_id(database, stop, log)
    if instance_id is None:
        return
    transport = transport_of(settings, instance_id)
    relay = Relay(
        database,
        transport,
        instance_id=instance_id,
        batch_events=settings.relay_batch_events,
        resend_after_s=settings.outbox_resend_after_s,
    )
    log.info("RELAY_STARTED", instance=instance_id, transport=type(transport).__name__)
    parking = parking_of(database, settings, instance_id)
    garbage.tame()
    try:
        await asyncio.gather(relay.run(stop), parking.run(stop))
    finally:
        await transport.close()
        await parking.close()


def transport_of(settings: Settings, instance_id: str) -> Transport:
    return create_transport(
        instance_id=instance_id,
        redis_url=settings.redis_url,
        amqp_url=settings.amqp_url,
        queues=queue_names(instance_id),
    )


def parking_of(database: Database, settings: Settings, instance_id: str) -> Parking:
    """With a transport of its own: a hung one must not keep the events from being published."""
    dead_queues = create_dead_queues(
        instance_id=instance_id,
        redis_url=settings.redis_url,
        amqp_url=settings.amqp_url,
        queues=queue_names(instance_id),
    )
    return Parking(database, dead_queues, transport_of(settings, instance_id), instance_id=instance_id)


if __name__ == "__main__":
    sys.exit(main())
