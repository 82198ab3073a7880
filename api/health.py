"""How the parts are: each check bounded, all of them at most once a second, whoever asks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from api.fresh import Fresh
from core.cache import Cache, CacheUnavailableError
from core.database import Database, DatabaseUnavailableError
from core.metrics import OUTBOX_LAG_SECONDS, OUTBOX_UNPUBLISHED
from core.queries import sql

CHECK_TIMEOUT_S = 1.0
REPORT_AGE_MAX_S = 1.0
AMQP_PORTS = {"amqp": 5672, "amqps": 5671}
# A second of lag is normal under load; a minute means that nobody publishes.
OUTBOX_LAG_WARNING_S = 60.0

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
    def __init__(self, database: Database, cache: Cache | None, *, amqp_url: str | None) -> None:
        self._database = database
        self._cache = cache
        self._amqp_url = amqp_url
        self._reports: Fresh[None, Report] = Fresh(self._examine, entries_max=1)

    async def report(self) -> Report:
        return await self._reports.get(None, max_age_s=REPORT_AGE_MAX_S)

    async def close(self) -> None:
        await self._reports.close()

    async def _examine(self, _: None) -> Report:
        names = ("database", "cache", "broker", "outbox")
        checks = (self._check_database, self._check_cache, self._check_broker, self._check_outbox)
        return Report(dict(zip(names, await asyncio.gather(*map(_timed, checks)), strict=True)))

    async def _check_database(self) -> tuple[str, dict[str, float]]:
        async with self._database.connection() as connection:
            await connection.fetchval("SELECT 1", timeout=CHECK_TIMEOUT_S)
        return UP, {}

    async def _check_cache(self) -> tuple[str, dict[str, float]]:
        if self._cache is None:
            return OFF, {}
        await self._cache.run(lambda client: client.ping(), even_at_rest=True)
        return UP, {}

    async def _check_broker(self) -> tuple[str, dict[str, float]]:
        if self._amqp_url is None:
            return OFF, {}
        parts = urlsplit(self._amqp_url)
        port = parts.port or AMQP_PORTS.get(parts.scheme, AMQP_PORTS["amqp"])
        _, writer = await asyncio.open_connection(parts.hostname, port)
        writer.close()
        return UP, {}

    async def _check_outbox(self) -> tuple[str, dict[str, float]]:
        async with self._database.connection() as connection:
            row = await connection.fetchrow(sql("health/outbox_lag"), timeout=CHECK_TIMEOUT_S)
        assert row is not None, "outbox_lag() answers one row"
        OUTBOX_UNPUBLISHED.set(row["unpublished"])
        OUTBOX_LAG_SECONDS.set(row["lag_s"])
        status = LATE if row["lag_s"] > OUTBOX_LAG_WARNING_S else UP
        return status, {"unpublished": row["unpublished"], "lagS": round(row["lag_s"], 3)}


async def _timed(check: Callable[[], Awaitable[tuple[str, dict[str, float]]]]) -> Check:
    started = time.perf_counter()
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            status, detail = await check()
    except (DatabaseUnavailableError, CacheUnavailableError, OSError, TimeoutError):
        status, detail = DOWN, {}
    return Check(status, round((time.perf_counter() - started) * 1000, 2), detail)
