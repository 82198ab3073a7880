"""How the parts are: each check bounded, all of them at most once a second, whoever asks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import isfinite
from urllib.parse import urlsplit

from core.cache import Cache, CacheUnavailableError
from core.database import Database, DatabaseUnavailableError
from core.fresh import Fresh
from core.metrics import DEAD_LETTERS, HEALTH_PART_UP, OUTBOX_LAG_SECONDS, OUTBOX_UNPUBLISHED
from core.queries import sql
from core.replica import Replica, ReplicaState

CHECK_TIMEOUT_S = 1.0
REPORT_AGE_MAX_S = 1.0
AMQP_PORTS = {"amqp": 5672, "amqps": 5671}
# A second of lag is normal under load; a minute means that nobody publishes.
OUTBOX_LAG_WARNING_S = 60.0

NAMES = ("database", "replica", "cache", "broker", "outbox")
UP, DOWN, OFF, LATE = "up", "down", "off", "late"


@dataclass(frozen=True, slots=True)
class Check:
    """status: up, down, late, or off (not configured)."""

    status: str
    ms: float
    detail: dict[str, float]


@dataclass(frozen=True, slots=True)
class Report:
    """Only the database decides whether this process can do its work."""

    checks: dict[str, Check]

    @property
    def is_ready(self) -> bool:
        return self.checks["database"].status == UP

    @property
    def is_whole(self) -> bool:
        return all(check.status in (UP, OFF) for check in self.checks.values())


class Health:
    """cache, replica: None: off. The broker is RabbitMQ when amqp_url is set, else Redis."""

    def __init__(
        self,
        database: Database,
        cache: Cache | None,
        *,
        replica: Replica | None = None,
        amqp_url: str | None,
        redis_url: str | None = None,
    ) -> None:
        self._database = database
        self._cache = cache
        self._replica = replica
        self._amqp_url = amqp_url
        # Not the cache's client: that one is told to be hasty, and there may be none.
        self._redis_broker = Cache(redis_url, timeout_ms=int(CHECK_TIMEOUT_S * 1000)) if redis_url else None
        self._running: dict[str, asyncio.Task[Check]] = {}
        self._reports: Fresh[None, Report] = Fresh(self._examine, entries_max=1)

    async def report(self) -> Report:
        return await self._reports.get(None, max_age_s=REPORT_AGE_MAX_S)

    async def close(self) -> None:
        await self._reports.close()
        for task in self._running.values():
            task.cancel()
        if self._running:
            await asyncio.wait(self._running.values(), timeout=CHECK_TIMEOUT_S)
        if self._redis_broker is not None:
            await self._redis_broker.close()

    async def _examine(self, _: None) -> Report:
        checks = (
            self._check_database,
            self._check_replica,
            self._check_cache,
            self._check_broker,
            self._check_outbox,
        )
        started = time.perf_counter()
        for name, check in zip(NAMES, checks, strict=True):
            if name not in self._running or self._running[name].done():
                self._running[name] = asyncio.create_task(_timed(check), name=f"check of the {name}")
        running = {name: self._running[name] for name in NAMES}
        done = (await asyncio.wait(running.values(), timeout=CHECK_TIMEOUT_S))[0]
        # What is given up may take long to let go of its connection: the next report finds it still at it.
        late = Check(DOWN, _ms_since(started), {})
        report = Report({name: task.result() if task in done else late for name, task in running.items()})
        for name, found in report.checks.items():
            if found.status != OFF:
                HEALTH_PART_UP.labels(name).set(found.status != DOWN)
        return report

    async def _check_database(self) -> tuple[str, dict[str, float]]:
        async with self._database.connection() as connection:
            await connection.fetchval("SELECT 1", timeout=CHECK_TIMEOUT_S)
        return UP, {}

    async def _check_replica(self) -> tuple[str, dict[str, float]]:
        """As it was found at the last look: what it cannot answer the primary does."""
        if self._replica is None:
            return OFF, {}
        lag_s = self._replica.lag_s
        detail = {"lagS": round(lag_s, 3)} if isfinite(lag_s) else {}
        match self._replica.state:
            case ReplicaState.FRESH:
                return UP, detail
            case ReplicaState.LATE:
                return LATE, detail
            case ReplicaState.AWAY | None:
                return DOWN, detail

    async def _check_cache(self) -> tuple[str, dict[str, float]]:
        if self._cache is None:
            return OFF, {}
        await self._cache.run(lambda client: client.ping(), even_at_rest=True)
        return UP, {}

    async def _check_broker(self) -> tuple[str, dict[str, float]]:
        if self._amqp_url is None:
            if self._redis_broker is None:
                return OFF, {}
            await self._redis_broker.run(lambda client: client.ping(), even_at_rest=True)
            return UP, {}
        parts = urlsplit(self._amqp_url)
        port = parts.port or AMQP_PORTS.get(parts.scheme, AMQP_PORTS["amqp"])
        _, writer = await asyncio.open_connection(parts.hostname, port)
        writer.close()
        return UP, {}

    async def _check_outbox(self) -> tuple[str, dict[str, float]]:
        async with self._database.connection() as connection:
            row = await connection.fetchrow(sql("health/outbox_lag"), timeout=CHECK_TIMEOUT_S)
            letters = await connection.fetch(sql("health/dead_letters"), timeout=CHECK_TIMEOUT_S)
        assert row is not None, "outbox_lag() answers one row"
        OUTBOX_UNPUBLISHED.set(row["unpublished"])
        OUTBOX_LAG_SECONDS.set(row["lag_s"])
        for letter in letters:
            DEAD_LETTERS.labels(letter["queue"]).set(letter["parked"])
        status = LATE if row["lag_s"] > OUTBOX_LAG_WARNING_S else UP
        return status, {"unpublished": row["unpublished"], "lagS": round(row["lag_s"], 3)}


async def _timed(check: Callable[[], Awaitable[tuple[str, dict[str, float]]]]) -> Check:
    started = time.perf_counter()
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            status, detail = await check()
    except (DatabaseUnavailableError, CacheUnavailableError, OSError, TimeoutError):
        status, detail = DOWN, {}
    return Check(status, _ms_since(started), detail)


def _ms_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 2)
