"""The health of every dependency: each check bounded, all of them at most once a second, whoever asks.

Ready is a process that can sell: its database takes writes now, in the tables of a sale. A sale that waits for a moment
(for a lock, for a busy server) is no reason to leave; what was able to sell READY_GRACE_S ago still counts, unless it is
certain that it cannot.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import isfinite
from urllib.parse import urlsplit

import asyncpg
from redis.exceptions import ResponseError

from core.cache import Cache, CacheUnavailableError
from core.database import TROUBLES, Database, DatabaseTrouble, DatabaseUnavailableError, trouble_of
from core.fresh import Fresh
from core.metrics import (
    DEAD_LETTERS,
    EVALUATIONS_FAILED,
    HEALTH_PART_UP,
    OLDEST_TRANSACTION_SECONDS,
    OUTBOX_LAG_SECONDS,
    OUTBOX_UNPUBLISHED,
)
from core.migrations import newest_migration
from core.queries import sql
from core.replica import Replica, ReplicaState

# Also of a PING of the cache: the sales' own client gives up after CACHE_TIMEOUT_MS, which a busy machine takes for a
# moment, and which says nothing of whether Valkey is there.
CHECK_TIMEOUT_S = 1.0
REPORT_AGE_MAX_S = 1.0
# A load balancer that takes a process out whenever it is slow for a moment does more harm than the moment.
READY_GRACE_S = 5.0
# A connection for the try to write, and one for the question whether the database is there. Not the till's: those may
# all be busy, and still sell.
PROBE_CONNECTIONS = 2
OLDEST_TRANSACTION_EVERY_S = 5.0
AMQP_PORTS = {"amqp": 5672, "amqps": 5671}
# A second of lag is normal under load; a minute means that nobody publishes.
OUTBOX_LAG_WARNING_S = 60.0
# A step takes a tenth of a second; a minute means that no worker makes any.
EVALUATION_UNMOVED_WARNING_S = 60.0

NAMES = ("database", "sales", "replica", "cache", "broker", "outbox", "evaluations")
UP, DOWN, OFF, LATE = "up", "down", "off", "late"
# They may pass before anybody notices; after all others a sale fails, too.
_MOMENTARY = frozenset((DatabaseTrouble.TIMEOUT, DatabaseTrouble.BUSY, DatabaseTrouble.OVERLOADED))
WRITES_REFUSED = "writes_refused"


@dataclass(frozen=True, slots=True)
class Check:
    """status: up, down, late, or off (not configured). reason: of what is not up, in a word; None: none is known."""

    status: str
    ms: float
    detail: dict[str, float]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """Whether sales can be written decides whether this process can do its work."""

    checks: dict[str, Check]

    @property
    def is_ready(self) -> bool:
        return self.checks["sales"].status != DOWN

    @property
    def is_whole(self) -> bool:
        return all(check.status in (UP, OFF) for check in self.checks.values())


class SaleProbe:
    """Tries whether a sale could be written, without selling."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._well_at_s = float("-inf")
        self._had_room_at_s = float("-inf")

    @property
    def is_well_of_late(self) -> bool:
        return time.monotonic() - self._well_at_s <= READY_GRACE_S

    async def look(self) -> None:
        """Raises DatabaseUnavailableError."""
        began_s = time.monotonic()
        async with self._database.connection() as connection:
            # A release that this process cannot run on may have come since it began.
            programs_from = await connection.fetchval(sql("health/probe_writes"), timeout=CHECK_TIMEOUT_S)
            if programs_from > newest_migration():
                raise DatabaseUnavailableError(
                    f"only programs of migration {programs_from:04d}", DatabaseTrouble.OUTDATED
                )
            # A row that is there can be written on a full disk. Only after a call has found one is room looked for.
            if TROUBLES.last_s(DatabaseTrouble.FULL) > self._had_room_at_s:
                transaction = connection.transaction()
                await transaction.start()
                try:
                    await connection.execute(sql("health/probe_space"), timeout=CHECK_TIMEOUT_S)
                finally:
                    await transaction.rollback()
                self._had_room_at_s = began_s
        self._well_at_s = began_s


class Health:
    """Checks all parts, of which some may be off.

    database: asked how the outbox is. probe_database: with PROBE_CONNECTIONS of its own. has_cache: whether redis_url is
    the cache. replica: None: off. The broker is RabbitMQ when amqp_url is set, else Redis.
    """

    def __init__(
        self,
        database: Database,
        probe_database: Database,
        *,
        has_cache: bool,
        replica: Replica | None = None,
        amqp_url: str | None,
        redis_url: str | None = None,
    ) -> None:
        self._database = database
        self._probe_database = probe_database
        self._sales = SaleProbe(probe_database)
        self._has_cache = has_cache
        self._replica = replica
        self._amqp_url = amqp_url
        # Not the cache's client: that one is told to be hasty, and there may be none.
        self._redis = Cache(redis_url, timeout_ms=int(CHECK_TIMEOUT_S * 1000)) if redis_url else None
        self._redis_key = f"banca:health:{secrets.token_hex(8)}"
        self._oldest_transaction_due_s = float("-inf")
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
        if self._redis is not None:
            await self._redis.close()

    async def _examine(self, _: None) -> Report:
        checks = (
            self._check_database,
            self._check_sales,
            self._check_replica,
            self._check_cache,
            self._check_broker,
            self._check_outbox,
            self._check_evaluations,
        )
        started = time.perf_counter()
        for name, check in zip(NAMES, checks, strict=True):
            if name not in self._running or self._running[name].done():
                self._running[name] = asyncio.create_task(_timed(check), name=f"check of the {name}")
        running = {name: self._running[name] for name in NAMES}
        done = (await asyncio.wait(running.values(), timeout=CHECK_TIMEOUT_S))[0]
        # What is given up may take long to let go of its connection: the next report finds it still at it.
        late = Check(DOWN, _ms_since(started), {}, DatabaseTrouble.TIMEOUT.value)
        found_checks = {name: task.result() if task in done else late for name, task in running.items()}
        found_checks["sales"] = self._with_grace(found_checks["sales"])
        report = Report(found_checks)
        for name, found in report.checks.items():
            if found.status != OFF:
                HEALTH_PART_UP.labels(name).set(found.status != DOWN)
        return report

    def _with_grace(self, sales: Check) -> Check:
        """What may pass in a moment is late, and no reason to leave, until READY_GRACE_S after the last good try."""
        if sales.status == DOWN and sales.reason in _MOMENTARY and self._sales.is_well_of_late:
            return Check(LATE, sales.ms, sales.detail, sales.reason)
        return sales

    async def _check_database(self) -> tuple[str, dict[str, float]]:
        """Whether it answers, and now and then how old its oldest transaction is."""
        async with self._probe_database.connection() as connection:
            if time.monotonic() < self._oldest_transaction_due_s:
                await connection.fetchval("SELECT 1", timeout=CHECK_TIMEOUT_S)
            else:
                age_s = await connection.fetchval(sql("health/oldest_transaction"), timeout=CHECK_TIMEOUT_S)
                OLDEST_TRANSACTION_SECONDS.set(age_s)
                self._oldest_transaction_due_s = time.monotonic() + OLDEST_TRANSACTION_EVERY_S
        return UP, {}

    async def _check_sales(self) -> tuple[str, dict[str, float]]:
        await self._sales.look()
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
        return await self._check_redis() if self._has_cache else (OFF, {})

    async def _check_broker(self) -> tuple[str, dict[str, float]]:
        if self._amqp_url is None:
            return await self._check_redis()
        parts = urlsplit(self._amqp_url)
        port = parts.port or AMQP_PORTS.get(parts.scheme, AMQP_PORTS["amqp"])
        _, writer = await asyncio.open_connection(parts.hostname, port)
        writer.close()
        return UP, {}

    async def _check_redis(self) -> tuple[str, dict[str, float]]:
        """A server that refuses writes (no memory, no disk, a replica) is neither a cache nor a broker."""
        if self._redis is None:
            return OFF, {}
        await self._redis.run(
            lambda client: client.set(self._redis_key, b"", px=int(CHECK_TIMEOUT_S * 1000)), even_at_rest=True
        )
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

    async def _check_evaluations(self) -> tuple[str, dict[str, float]]:
        """Late: winners wait for prizes, because an evaluation has failed or does not move."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(sql("health/evaluations"), timeout=CHECK_TIMEOUT_S)
        assert row is not None, "evaluation_health() answers one row"
        EVALUATIONS_FAILED.set(row["failed"])
        is_late = row["failed"] > 0 or row["unmoved_s"] > EVALUATION_UNMOVED_WARNING_S
        return (LATE if is_late else UP), {"failed": row["failed"], "unmovedS": round(row["unmoved_s"], 3)}


async def _timed(check: Callable[[], Awaitable[tuple[str, dict[str, float]]]]) -> Check:
    started = time.perf_counter()
    reason: str | None = None
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            status, detail = await check()
    except (DatabaseUnavailableError, asyncpg.PostgresError, CacheUnavailableError, OSError) as error:
        status, detail, reason = DOWN, {}, _reason_of(error)
    return Check(status, _ms_since(started), detail, reason)


def _reason_of(error: Exception) -> str:
    """In a word of ours: /health/ready is public, and an error's text names hosts."""
    if isinstance(error, DatabaseUnavailableError):
        return error.trouble.value
    if isinstance(error, asyncpg.PostgresError):
        return (trouble_of(error) or DatabaseTrouble.BROKEN).value
    cause = error.__cause__ if isinstance(error, CacheUnavailableError) else error
    if isinstance(cause, ResponseError):
        return WRITES_REFUSED
    return DatabaseTrouble.TIMEOUT.value if isinstance(cause, TimeoutError) else DatabaseTrouble.AWAY.value


def _ms_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 2)
