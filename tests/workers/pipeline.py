"""What the tests of the pipeline do with it: write events, run relay and worker, look at what came of it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import orjson
from dramatiq.middleware import AsyncIO, Middleware, Retries

from core.audit_chain import ChainReport, verify_chain
from core.database import Database
from core.settings import Settings
from workers.audit import declare_audit
from workers.broker import ParkingRedisBroker, create_broker
from workers.consumers import AUDIT, queue_name, queue_names
from workers.dead_queues import create_dead_queues
from workers.parking import Parking
from workers.relay import Relay
from workers.runners import RunnerKeepers, declare_waker, runner_keepers
from workers.transport import Transport, create_transport
from workers.worker import WorkerConnections, serve

ROOT = Path(__file__).resolve().parents[2]
DOOMED = Path(__file__).with_name("doomed.py")
DEADLINE_S = 30.0
POLL_S = 0.02

Answer = TypeVar("Answer")


async def eventually(check: Callable[[], Awaitable[Answer]], *, deadline_s: float = DEADLINE_S) -> Answer:
    """The check's first true answer. Raises AssertionError with its last one at the deadline."""
    ends_s = time.monotonic() + deadline_s
    while True:
        answer = await check()
        if answer:
            return answer
        assert time.monotonic() < ends_s, f"still {answer!r} after {deadline_s} s"
        await asyncio.sleep(POLL_S)


@dataclass(frozen=True, slots=True)
class BrokerPlace:
    redis_url: str | None
    amqp_url: str | None


class Acknowledgements(Middleware):
    """Counts the messages that a worker is done with, well or badly."""

    def __init__(self) -> None:
        self.acks = 0
        self.nacks = 0

    def after_ack(self, *_: object) -> None:
        self.acks += 1

    def after_nack(self, *_: object) -> None:
        self.nacks += 1


@dataclass
class Pipeline:
    owner: asyncpg.Connection[asyncpg.Record]
    worker_url: str
    database: Database
    place: BrokerPlace
    instance_id: str
    transports: list[Transport] = field(default_factory=list)
    parkings: list[Parking] = field(default_factory=list)

    @property
    def queue(self) -> str:
        return queue_name(self.instance_id, AUDIT)

    def transport(self) -> Transport:
        made = create_transport(
            instance_id=self.instance_id,
            redis_url=self.place.redis_url,
            amqp_url=self.place.amqp_url,
            queues=queue_names(self.instance_id),
        )
        self.transports.append(made)
        return made

    def parking(self, transport: Transport | None = None) -> Parking:
        dead_queues = create_dead_queues(
            instance_id=self.instance_id,
            redis_url=self.place.redis_url,
            amqp_url=self.place.amqp_url,
            queues=queue_names(self.instance_id),
        )
        parking = Parking(self.database, dead_queues, transport or self.transport(), instance_id=self.instance_id)
        self.parkings.append(parking)
        return parking

    def relay(
        self, transport: Transport | None = None, *, retention_s: float = 300.0, sweep_every_s: float = 5.0
    ) -> Relay:
        return Relay(
            self.database,
            transport or self.transport(),
            instance_id=self.instance_id,
            batch_events=200,
            resend_after_s=30,
            retention_s=retention_s,
            sweep_every_s=sweep_every_s,
        )

    def settings(self) -> Settings:
        return Settings(
            database_url=self.worker_url, redis_url=self.place.redis_url, amqp_url=self.place.amqp_url, worker_threads=3
        )

    @contextmanager
    def worker(self) -> Iterator[Acknowledgements]:
        """A worker in a thread of this process; gives the count of what it acknowledged."""
        settings, counted, stopping = self.settings(), Acknowledgements(), threading.Event()
        connections, keepers = WorkerConnections(settings), runner_keepers(settings)
        broker = self.broker([Retries(), AsyncIO(), connections, RunnerKeepers(keepers), counted])
        declare_audit(broker, connections.auditor, instance_id=self.instance_id, stopping=stopping)
        for keeper in keepers:
            declare_waker(broker, keeper, instance_id=self.instance_id)
        exit_codes: list[int] = []
        thread = threading.Thread(target=lambda: exit_codes.append(serve(broker, stopping, threads=3)))
        thread.start()
        try:
            yield counted
        finally:
            stopping.set()
            thread.join(DEADLINE_S)
        assert exit_codes == [0]

    def broker(self, middleware: Sequence[Middleware] = ()) -> Any:
        if self.place.redis_url is not None:
            # A dead worker's messages come back at once, not in a quarter of a minute.
            return ParkingRedisBroker(
                self.place.redis_url,
                instance_id=self.instance_id,
                middleware=middleware,
                maintenance_per_million=1_000_000,
                worker_silent_ms=1_000,
            )
        return create_broker(
            instance_id=self.instance_id, redis_url=None, amqp_url=self.place.amqp_url, middleware=middleware
        )

    def process(self, *command: str) -> subprocess.Popen[str]:
        """A real process of ours; the caller ends it."""
        environment = {name: value for name, value in os.environ.items() if name not in {"REDIS_URL", "AMQP_URL"}}
        places = {"DATABASE_URL": self.worker_url, "REDIS_URL": self.place.redis_url, "AMQP_URL": self.place.amqp_url}
        environment |= {name: url for name, url in places.items() if url is not None}
        return subprocess.Popen(
            [sys.executable, *command], env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True
        )

    async def banca(self) -> uuid.UUID:
        banca_id = uuid.uuid4()
        await self.owner.execute(
            "INSERT INTO bancas (id, name, code) VALUES ($1, $2, $3)",
            banca_id,
            f"Banca {banca_id.hex[:8]}",
            banca_id.hex[:8],
        )
        return banca_id

    async def sale(self, banca_id: uuid.UUID, *, tickets: int = 2, **changes: object) -> int:
        """The event of a batch, as sql/functions/sell_tickets.sql writes it."""
        return await self.event(banca_id, "tickets.sold", sold(tickets) | changes)

    async def event(self, banca_id: uuid.UUID, type_: str, payload: object) -> int:
        text = payload if isinstance(payload, str) else orjson.dumps(payload).decode()
        event_id: int = await self.owner.fetchval(
            "INSERT INTO outbox (id, banca_id, type, payload, created_at)"
            " VALUES (nextval('outbox_id'), $1, $2, $3::text::json, clock_timestamp()) RETURNING id",
            banca_id,
            type_,
            text,
        )
        return event_id

    async def events(self) -> dict[int, asyncpg.Record]:
        rows = await self.owner.fetch("SELECT id, type, payload::text, published_at, publish_count FROM outbox")
        return {row["id"]: row for row in rows}

    async def trail(self, banca_id: uuid.UUID) -> list[asyncpg.Record]:
        return await self.owner.fetch(
            "SELECT event_id, line, occurred_on, occurred_at, action, actor_id, target_type, target_id, request_id,"
            " details::text AS details FROM activity_log WHERE banca_id = $1 ORDER BY event_id, line",
            banca_id,
        )

    async def done(self) -> set[int]:
        return {
            row["event_id"] for row in await self.owner.fetch("SELECT event_id FROM inbox WHERE consumer = 'audit'")
        }

    async def await_done(self, event_ids: set[int]) -> None:
        async def all_done() -> bool:
            return event_ids <= await self.done()

        await eventually(all_done)

    async def verify(self, banca_id: uuid.UUID) -> ChainReport:
        async with self.owner.transaction(isolation="repeatable_read", readonly=True):
            return await verify_chain(self.owner, banca_id)

    def queued(self) -> int:
        """Messages that wait for a worker or are with one."""
        return self.counts()[0]

    def dead(self) -> int:
        return self.counts()[1]

    def counts(self) -> tuple[int, int]:
        broker = self.broker()
        try:
            if isinstance(broker, ParkingRedisBroker):
                root = f"{broker.namespace}:{self.queue}"
                return broker.client.hlen(f"{root}.msgs"), broker.client.hlen(f"{root}.XQ.msgs")
            live, _, dead = broker.get_queue_message_counts(self.queue)
            return live, dead
        finally:
            broker.close()

    async def letters(self) -> list[asyncpg.Record]:
        return await self.owner.fetch(
            "SELECT id, queue, letter_key, actor, event_id, payload, reason::text, error, attempts, state::text,"
            " decided_by FROM dead_letters ORDER BY event_id NULLS LAST, letter_key"
        )

    async def close(self) -> None:
        for parking in self.parkings:
            await parking.close()
        for transport in self.transports:
            await transport.close()


def sold(tickets: int) -> dict[str, object]:
    sorteo = str(uuid.uuid4())

    def ids() -> list[str]:
        return [str(uuid.uuid4()) for _ in range(tickets)]

    return {
        "at": "2026-11-21T03:26:34.123456+00:00",
        "rulebookVersion": 7,
        "sorteos": [{"sorteoId": sorteo, "from": 1, "to": tickets}],
        "ticketIds": ids(),
        "sorteoIds": [sorteo] * tickets,
        "sequences": list(range(1, tickets + 1)),
        "vendedorIds": ids(),
        "actorIds": ids(),
        "actorRoles": ["VENDEDOR"] * tickets,
        "terminalIds": ids(),
        "totalsCents": [50_000 + n for n in range(tickets)],
        "keys": [f"key-{uuid.uuid4()}" for _ in range(tickets)],
        "requestIds": [f"request-{n}" for n in range(tickets)],
    }
