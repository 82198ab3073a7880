"""The parking: dead messages out of the broker into the table of dead letters, and replayed ones back. In the relay.

What died with its worker is not blamed at once: a neighbour in its message or its process may have been the cause. Its
undone events go to the quarantine, each by itself; what dies there is parked.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import asyncpg

from core.database import Database
from core.events import Event
from core.logging import Log
from core.queries import sql
from workers.backoff import backoff_s, wait
from workers.dead_queues import DeadQueues
from workers.letters import (
    DeadMessage,
    EventKey,
    Post,
    Standings,
    fresh_copy,
    lone_message,
    park_arguments,
    read_post,
)
from workers.standings import read_standings
from workers.transport import RawMessage, Sendable, Transport

if TYPE_CHECKING:
    from core.database import Connection

# Each message holds up to 256 kB of events, or one larger one.
MESSAGES_MAX = 50
ROUND_EVERY_S = 2.0
EVENT_FIELDS = ("id", "banca_id", "type", "payload", "created_at")

log = Log("parking")


class Parking:
    """Several may run at once; one at a time gets on."""

    def __init__(self, database: Database, dead_queues: DeadQueues, transport: Transport, *, instance_id: str) -> None:
        self.database = database
        self.dead_queues = dead_queues
        self.transport = transport
        self.instance_id = instance_id

    async def collect_once(self) -> int:
        """Copy dead messages, then remove them from the broker; returns how many.

        Raises BrokerUnavailableError and DatabaseUnavailableError: then they stay where they are.
        """
        messages: list[DeadMessage] = []
        try:
            # The database first: a message that is taken and given back is counted by quorum queues.
            async with self.database.connection() as connection, connection.transaction():
                if not await connection.fetchval(sql("dead_letters/lock")):
                    return 0
                await connection.execute(sql("dead_letters/settle"))
                messages = await self.dead_queues.take(MESSAGES_MAX)
                await self._copy(connection, [read_post(message) for message in messages])
        except BaseException:
            if messages:
                await self.dead_queues.release()
            raise
        await self.dead_queues.forget(messages)
        return len(messages)

    async def replay_once(self) -> int:
        """Send what an operator wants again, each by itself; returns how many. Raises like collect_once."""
        async with self.database.connection() as connection, connection.transaction():
            rows = await connection.fetch(sql("dead_letters/take_replayed"), MESSAGES_MAX)
            if rows:
                await self.transport.publish([message for row in rows if (message := message_of_letter(row))])
                await connection.execute(sql("dead_letters/mark_republished"), [row["letter_id"] for row in rows])
                # So that the sweeper gives it its time.
                sent = [row["id"] for row in rows if row["id"] is not None]
                await connection.execute(sql("outbox/mark_published"), sent)
                log.info("LETTERS_REPLAYED", letters=[str(row["letter_id"]) for row in rows])
            return len(rows)

    async def run(self, stop: asyncio.Event) -> None:
        """Until stop is set; a round that runs is finished."""
        failures = 0
        while not stop.is_set():
            try:
                count = await self.collect_once() + await self.replay_once()
            except Exception as error:
                failures += 1
                log.warning("PARKING_WAITS", reason=f"{type(error).__name__}: {error}", failures=failures)
                await wait(stop, backoff_s(failures))
                continue
            failures = 0
            if count < MESSAGES_MAX:
                await wait(stop, ROUND_EVERY_S)

    async def close(self) -> None:
        await self.transport.close()
        await self.dead_queues.release()

    async def _copy(self, connection: Connection, posts: Sequence[Post]) -> None:
        standings = await standings_of(connection, posts)
        suspects = [message for post in posts for message in post.another_try(standings[post.actor])]
        if suspects:
            log.warning("QUARANTINED", events=len(suspects))
            await self.transport.publish(suspects)
        letters = [letter for post in posts for letter in post.letters(standings[post.actor])]
        if letters:
            log.error("LETTERS_PARKED", letters=[f"{letter.queue} {letter.key} {letter.reason}" for letter in letters])
            await connection.execute(sql("dead_letters/park"), self.instance_id, *park_arguments(letters))


async def standings_of(connection: Connection, posts: Iterable[Post]) -> Mapping[str | None, Standings]:
    """By actor: a message's events have one consumer, which is its actor."""
    by_actor: dict[str | None, dict[EventKey, None]] = defaultdict(dict)
    for post in posts:
        by_actor[post.actor].update(dict.fromkeys(map(EventKey.of, post.events)))
    return {
        actor: await read_standings(connection, str(actor), list(keys)) if keys else {}
        for actor, keys in by_actor.items()
    }


def message_of_letter(row: asyncpg.Record) -> Sendable | None:
    """None: its event was done and forgotten, there is nothing left to send."""
    if row["event_id"] is None:
        fresh = fresh_copy(row["letter"])
        # It may have died on the way to its retry, in another queue.
        return RawMessage(row["queue"], row["letter"]) if fresh is None else fresh.copy(queue_name=row["queue"])
    if row["id"] is None:
        return None
    return lone_message(Event(**{field: row[field] for field in EVENT_FIELDS}), queue=row["queue"], actor=row["actor"])
