"""Sellers' balances in Valkey: read-through, versioned, and never in the way of a sale.

Nothing is decided from it. A command that fails or takes too long makes the cache rest for a second.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from core.database import DatabaseUnavailableError
from core.logging import Log

CONNECTIONS_MAX = 4
REST_S = 1.0
# Balances that wait to be published: the newest of each account, so that this many accounts are remembered.
PUBLISHED_ACCOUNTS_MAX = 20_000
PUBLISHED_AT_ONCE_MAX = 200
# A balance is published at once, unless others just were: sales that come one after another share a command.
PUBLISH_EVERY_S = 0.01

# KEYS: accounts. ARGV: ttl in ms, then version and balance of each. An older version changes nothing. The time to live
# is that of the limit, which only STORE brings: a seller whose balance is always new must not keep an old limit.
PUBLISH = """
for i, key in ipairs(KEYS) do
    local version, stored = ARGV[2 * i], redis.call('HGET', key, 'version')
    if not stored or tonumber(version) >= tonumber(stored) then
        redis.call('HSET', key, 'version', version, 'balance', ARGV[2 * i + 1])
        if not stored then redis.call('PEXPIRE', key, ARGV[1]) end
    end
end
return 0
"""
# KEYS: account. ARGV: ttl in ms, version, balance, limit (empty: none). The limit has no version of its own: a read
# that is behind the balance may be behind the limit too, and brings it only where there is none. Of two reads of the
# same version the older may come last; its limit lasts no longer than the time to live.
STORE = """
local stored = redis.call('HGET', KEYS[1], 'version')
if not stored or tonumber(ARGV[2]) >= tonumber(stored) then
    redis.call('HSET', KEYS[1], 'version', ARGV[2], 'balance', ARGV[3], 'limit', ARGV[4])
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
elseif redis.call('HSETNX', KEYS[1], 'limit', ARGV[4]) == 1 then
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return 0
"""

log = Log("cache")


class CacheUnavailableError(Exception):
    """Valkey did not answer in time, or the cache rests after such a failure. Ask the database."""


@dataclass(frozen=True, slots=True)
class Balance:
    """credit_limit_cents: None: no limit; 0: prepaid. version moves with every change of the balance."""

    balance_cents: int
    version: int
    credit_limit_cents: int | None

    @property
    def available_cents(self) -> int | None:
        """What may still be sold on credit; None: any amount. Corrections may leave nothing."""
        return None if self.credit_limit_cents is None else max(self.balance_cents + self.credit_limit_cents, 0)


class Cache:
    """A Valkey client whose every command is bounded in time."""

    def __init__(self, url: str, *, timeout_ms: int) -> None:
        self.timeout_s = timeout_ms / 1000
        self._pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS_MAX,
            timeout=self.timeout_s,
            socket_timeout=self.timeout_s,
            socket_connect_timeout=self.timeout_s,
            retry=Retry(NoBackoff(), 0),
        )
        self.client: Redis = Redis(connection_pool=self._pool)
        self._rests_until = 0.0

    async def run(self, command: Callable[[Redis], Awaitable[Any]], *, even_at_rest: bool = False) -> Any:
        """The command's answer. Raises CacheUnavailableError."""
        if not even_at_rest and time.monotonic() < self._rests_until:
            raise CacheUnavailableError("resting")
        try:
            async with asyncio.timeout(self.timeout_s):
                return await command(self.client)
        # RuntimeError: what uvloop makes of a write to a connection that was just closed.
        except (RedisError, OSError, TimeoutError, RuntimeError) as error:
            self._rests_until = time.monotonic() + REST_S
            raise CacheUnavailableError(f"{type(error).__name__}: {error}") from error

    async def close(self) -> None:
        # A connection that hangs must not hold up the end of the process.
        with suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(REST_S):
                await self.client.aclose()
                await self._pool.aclose()


class BalanceCache:
    """Balances by account. The till publishes, the balance endpoint reads and stores.

    cache: None: every read misses and nothing is published.
    read_instance: this installation's id and history, which prefix every key, so that no version of a history that is gone
    hides one of this; raises DatabaseUnavailableError while it cannot be asked.
    """

    def __init__(self, cache: Cache | None, *, read_instance: Callable[[], Awaitable[str]], ttl_s: int) -> None:
        self._cache = cache
        self._read_instance = read_instance
        self._ttl_ms = str(ttl_s * 1000)
        self._unpublished: dict[tuple[UUID, UUID], tuple[int, int]] = {}
        self._news = asyncio.Event()
        self._is_closing = False
        self._publisher: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._cache is not None:
            self._publisher = asyncio.create_task(self._publish_until_closed(), name="balance publisher")

    async def close(self) -> None:
        if self._publisher is not None:
            # Told, not cancelled: redis may turn a cancellation into an answer, and then nobody would stop.
            self._is_closing = True
            self._news.set()
            await self._publisher
            # One attempt for what the last batches changed; a miss costs a reader at most the time to live.
            await self.publish_once()
        if self._cache is not None:
            await self._cache.close()

    def publish(self, banca_id: UUID, account_id: UUID, *, balance_cents: int, version: int) -> None:
        """Tell readers of a new balance. Waits for nothing; an older version never replaces a newer one."""
        if self._publisher is None:
            return
        key = (banca_id, account_id)
        known = self._unpublished.get(key)
        if known is None or known[0] <= version:
            self._unpublished[key] = (version, balance_cents)
            if len(self._unpublished) > PUBLISHED_ACCOUNTS_MAX:
                del self._unpublished[next(iter(self._unpublished))]
            self._news.set()

    async def read(self, banca_id: UUID, account_id: UUID) -> Balance | None:
        """None: not there, or the cache is."""
        if self._cache is None:
            return None
        unpublished = self._unpublished.get((banca_id, account_id))
        try:
            key = await self._key(banca_id, account_id)
            found: Mapping[bytes, bytes] = await self._cache.run(lambda client: client.hgetall(key))
        except CacheUnavailableError:
            return None
        if b"limit" not in found or b"version" not in found or unpublished is not None:
            return None
        limit = found[b"limit"]
        return Balance(
            balance_cents=int(found[b"balance"]),
            version=int(found[b"version"]),
            credit_limit_cents=int(limit) if limit else None,
        )

    async def store(self, banca_id: UUID, account_id: UUID, balance: Balance) -> None:
        """Keep what the database just said, unless something newer is known."""
        if self._cache is None:
            return
        limit = "" if balance.credit_limit_cents is None else str(balance.credit_limit_cents)
        values = [str(balance.version), str(balance.balance_cents), limit]
        with suppress(CacheUnavailableError):
            key = await self._key(banca_id, account_id)
            await self._cache.run(lambda client: client.eval(STORE, 1, key, self._ttl_ms, *values))

    async def publish_once(self) -> int:
        """Send what waits; gives the number of balances sent. What could not be sent goes on waiting."""
        if self._cache is None or not self._unpublished:
            return 0
        batch = dict(islice(self._unpublished.items(), PUBLISHED_AT_ONCE_MAX))
        sent = 0
        try:
            for banca_id in {banca_id for banca_id, _ in batch}:
                mine = [(key, value) for key, value in batch.items() if key[0] == banca_id]
                await self._publish(mine)
                sent += len(mine)
                for key, value in mine:
                    if self._unpublished.get(key) == value:
                        del self._unpublished[key]
        except CacheUnavailableError as error:
            log.debug("BALANCES_NOT_PUBLISHED", reason=str(error), waiting=len(self._unpublished))
        return sent

    async def _publish(self, balances: Sequence[tuple[tuple[UUID, UUID], tuple[int, int]]]) -> None:
        keys = [await self._key(*key) for key, _ in balances]
        values = [str(part) for _, value in balances for part in value]
        cache = self._cache
        if cache is not None:
            await cache.run(lambda client: client.eval(PUBLISH, len(keys), *keys, self._ttl_ms, *values))

    async def _publish_until_closed(self) -> None:
        while not self._is_closing:
            if await self.publish_once():
                await asyncio.sleep(PUBLISH_EVERY_S)
                continue
            self._news.clear()
            # What could not be sent is tried again after the rest; otherwise the next news wakes us.
            with suppress(TimeoutError):
                async with asyncio.timeout(REST_S if self._unpublished else None):
                    await self._news.wait()
            # The sale that woke us is answered first.
            await asyncio.sleep(0)

    async def _key(self, banca_id: UUID, account_id: UUID) -> str:
        """A banca's keys share a hash tag, so that one script may take several of them in a cluster."""
        try:
            return f"{await self._read_instance()}:balance:{{{banca_id}}}:{account_id}"
        except DatabaseUnavailableError as error:
            raise CacheUnavailableError("the installation's history is not known") from error
