"""Sellers' balances in Valkey: read-through, versioned, and never in the way of a sale.

Nothing is decided from it. A command that fails or takes too long makes the cache rest for a second.

Who has the answer to its sale reads a balance that knows of it, from whichever process: before a change is answered the
account is hidden, which deletes what is cached of it and lets nothing be cached for a few seconds; meanwhile it is read from
the database. The command runs beside the sale's own transaction, and an account that is hidden is not hidden again, so that
a busy seller costs a command every two seconds. What cannot be hidden in time is doubted (core/balance_doubts.py).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from core.balance_doubts import TROUBLE, BalanceDoubts
from core.database import DatabaseUnavailableError
from core.logging import Log

CONNECTIONS_MAX = 4
REST_S = 1.0
# How long the key of a probe lives at most.
PROBE_MS = 10_000
# Balances that wait to be published: the newest of each account, so that this many accounts are remembered.
PUBLISHED_ACCOUNTS_MAX = 20_000
PUBLISHED_AT_ONCE_MAX = 200
# A balance is published at once, unless others just were: sales that come one after another share a command.
PUBLISH_EVERY_S = 0.01
# For how long nothing is cached of an account that changed; what must be left of it when the change is answered; and how long
# a reader may take from its look here until it stores what the database said. The last is the shortest: what was read before
# a change was answered never comes in after it.
HIDDEN_S = 3.0
HIDDEN_LEFT_S = 1.0
STORED_WITHIN_S = 0.5
# Accounts that a process knows to be hidden, or could not hide.
HIDDEN_ACCOUNTS_MAX = 20_000

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
# KEYS: account. Valkey's time in microseconds, and what is cached.
LOOK = """
local time = redis.call('TIME')
return {time[1] * 1000000 + time[2], redis.call('HGETALL', KEYS[1])}
"""
# KEYS: account, its mark. ARGV: ttl in ms, version, balance, limit (empty: none), and in microseconds when the reader looked
# for it here and how long that may be ago: a command may have waited in a socket while Valkey did not run. The limit has no
# version of its own: a read that is behind the balance may be behind the limit too, and brings it only where there is none.
# Of two reads of the same version the older may come last; its limit lasts no longer than the time to live.
STORE = """
local time = redis.call('TIME')
local age = time[1] * 1000000 + time[2] - ARGV[5]
if redis.call('EXISTS', KEYS[2]) == 1 or age > tonumber(ARGV[6]) then return 0 end
local stored = redis.call('HGET', KEYS[1], 'version')
if not stored or tonumber(ARGV[2]) >= tonumber(stored) then
    redis.call('HSET', KEYS[1], 'version', ARGV[2], 'balance', ARGV[3], 'limit', ARGV[4])
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
elseif redis.call('HSETNX', KEYS[1], 'limit', ARGV[4]) == 1 then
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return 0
"""

# KEYS: account and mark of each. ARGV: for how many ms nothing is stored.
HIDE = """
for i = 1, #KEYS, 2 do
    redis.call('DEL', KEYS[i])
    redis.call('SET', KEYS[i + 1], '1', 'PX', ARGV[1])
end
return 0
"""

log = Log("cache")
Key = tuple[UUID, UUID]


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


@dataclass(frozen=True, slots=True)
class Look:
    """balance: None: not there, or the cache is. at_us: when, by Valkey's clock; None: it was not asked."""

    balance: Balance | None
    at_us: int | None


NOTHING = Look(None, None)


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

    async def probe(self, key: str) -> None:
        """Write a key and delete it, which a server without memory, or a replica, refuses. Raises CacheUnavailableError.

        Asked at rest too, and bounded by this client's timeout; should the deletion be lost, the key goes by itself.
        """

        async def write(client: Redis) -> None:
            await client.set(key, b"", px=PROBE_MS)
            await client.delete(key)

        await self.run(write, even_at_rest=True)

    async def close(self) -> None:
        # A connection that hangs must not hold up the end of the process.
        with suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(REST_S):
                await self.client.aclose()
                await self._pool.aclose()


class BalanceCache:
    """Balances by account. The till publishes, what changes a balance hides it, the balance endpoint reads and stores.

    cache: None: every read misses and nothing is published.
    read_instance: this installation's id and history, which prefix every key, so that no version of a history that is gone
    hides one of this; raises DatabaseUnavailableError while it cannot be asked.
    doubts: None where nobody reads what is published here, or waits for it.
    """

    def __init__(
        self,
        cache: Cache | None,
        *,
        read_instance: Callable[[], Awaitable[str]],
        ttl_s: int,
        doubts: BalanceDoubts | None = None,
    ) -> None:
        self._cache = cache
        self._doubts = doubts
        # Until when an account is hidden, by our clock.
        self._hidden_until: dict[Key, float] = {}
        # The command under way, and the one that gathers meanwhile: whether each succeeds.
        self._hiding: dict[Key, asyncio.Future[bool]] = {}
        self._gathering: dict[Key, asyncio.Future[bool]] = {}
        self._hider: asyncio.Task[None] | None = None
        # What changed, was answered, and may still be cached as it was.
        self._unhidden: dict[Key, None] = {}
        self._forgot_at = float("-inf")
        self._recovery: asyncio.Task[None] | None = None
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
            if self._recovery is not None:
                self._recovery.cancel()
                await asyncio.wait([self._recovery])
            if self._doubts is not None:
                await self._doubts.close()
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
        return (await self.look(banca_id, account_id)).balance

    async def look(self, banca_id: UUID, account_id: UUID) -> Look:
        if self._cache is None or not await self._is_believed():
            return NOTHING
        unpublished = self._unpublished.get((banca_id, account_id))
        try:
            key = await self._key(banca_id, account_id)
            at_us, flat = await self._cache.run(lambda client: client.eval(LOOK, 1, key))
        except CacheUnavailableError:
            return NOTHING
        found: Mapping[bytes, bytes] = dict(zip(flat[::2], flat[1::2], strict=True))
        if b"limit" not in found or b"version" not in found or unpublished is not None:
            return Look(None, at_us)
        limit = found[b"limit"]
        balance = Balance(
            balance_cents=int(found[b"balance"]),
            version=int(found[b"version"]),
            credit_limit_cents=int(limit) if limit else None,
        )
        return Look(balance, at_us)

    async def store(self, banca_id: UUID, account_id: UUID, balance: Balance, *, look: Look | None = None) -> None:
        """Keep what the database just said, unless something newer is known or the account is hidden.

        look: the one after which the database was asked; a new one unless given.
        """
        look = look or await self.look(banca_id, account_id)
        if self._cache is None or look.at_us is None:
            return
        limit = "" if balance.credit_limit_cents is None else str(balance.credit_limit_cents)
        values = [balance.version, balance.balance_cents, limit, look.at_us, round(STORED_WITHIN_S * 1_000_000)]
        with suppress(CacheUnavailableError):
            key = await self._key(banca_id, account_id)
            await self._cache.run(
                lambda client: client.eval(STORE, 2, key, f"{key}:hidden", self._ttl_ms, *map(str, values))
            )

    def hide(self, banca_id: UUID, account_ids: Iterable[UUID]) -> list[asyncio.Future[bool]]:
        """Begin to hide accounts that are about to change; what of it is under way. No timer: while one command is under way,
        the next gathers.
        """
        if self._cache is None:
            return []
        now = time.monotonic()
        under_way = {}
        for account_id in account_ids:
            key = (banca_id, account_id)
            if self._hidden_until.get(key, now) - now >= HIDDEN_LEFT_S:
                continue
            found = self._hiding.get(key) or self._gathering.get(key)
            if found is None:
                # One for all that gathers.
                found = next(iter(self._gathering.values()), None) or asyncio.get_running_loop().create_future()
                self._gathering[key] = found
            under_way[id(found)] = found
        if self._gathering and self._hider is None:
            self._hider = asyncio.create_task(self._hide_what_gathers(), name="balance hider")
        return list(under_way.values())

    async def until_hidden(self, banca_id: UUID, account_ids: Iterable[UUID]) -> None:
        """After a change, before its answer: returns when nobody reads a balance of these accounts any more that is older.

        At once if hide was called before the change; else after a command, at most CACHE_TIMEOUT_MS. Longer only when
        Valkey has just gone away, once: until every process doubts what it has.
        """
        under_way = self.hide(banca_id, account_ids)
        if under_way:
            # A caller that hangs up ends nothing that others wait for.
            await asyncio.wait(under_way)
        if self._doubts is not None and not all(each.result() for each in under_way):
            await self._doubts.raise_ours()

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

    async def flush(self) -> None:
        """Send all that waits, as far as it goes at once."""
        while await self.publish_once() and self._unpublished:
            pass

    async def _publish(self, balances: Sequence[tuple[tuple[UUID, UUID], tuple[int, int]]]) -> None:
        keys = await self._keys([key for key, _ in balances])
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

    async def _is_believed(self) -> bool:
        return self._doubts is None or await self._doubts.are_none()

    async def _hide_what_gathers(self) -> None:
        while self._gathering:
            self._hiding, self._gathering = self._gathering, {}
            is_hidden = await self._hide_now(list(self._hiding))
            if not is_hidden:
                self._recall(self._hiding)
            done, self._hiding = {id(each): each for each in self._hiding.values()}, {}
            for each in done.values():
                each.set_result(is_hidden)
        self._hider = None

    async def _hide_now(self, accounts: Sequence[Key]) -> bool:
        """Whether they are hidden: of a command that failed nobody knows."""
        cache, began = self._cache, time.monotonic()
        assert cache is not None, "without a cache nothing is hidden"
        try:
            names = await self._keys(accounts)
            keys = [part for name in names for part in (name, f"{name}:hidden")]
            hidden_ms = str(round(HIDDEN_S * 1000))
            await cache.run(lambda client: client.eval(HIDE, len(keys), *keys, hidden_ms))
        except CacheUnavailableError:
            return False
        if len(self._hidden_until) + len(accounts) > HIDDEN_ACCOUNTS_MAX:
            self._hidden_until.clear()
        for account in accounts:
            self._hidden_until[account] = began + HIDDEN_S
            self._unhidden.pop(account, None)
        return True

    def _recall(self, accounts: Iterable[Key]) -> None:
        """Hide them as soon as it goes; until then nothing that is cached is believed."""
        for account in accounts:
            if len(self._unhidden) >= HIDDEN_ACCOUNTS_MAX:
                self._forgot_at = time.monotonic()
                break
            self._unhidden[account] = None
        if self._recovery is None and self._doubts is not None:
            self._recovery = asyncio.create_task(self._recover(self._doubts), name="balance recovery")

    async def _recover(self, doubts: BalanceDoubts) -> None:
        """Until all that could not be hidden is, and what was forgotten has outlived itself."""
        while not self._is_recovered():
            await asyncio.sleep(REST_S)
            while self._unhidden and await self._hide_now(list(islice(self._unhidden, PUBLISHED_AT_ONCE_MAX))):
                pass
            try:
                if self._is_recovered():
                    await doubts.take_ours_back(unless=lambda: not self._is_recovered())
                else:
                    await doubts.raise_ours()
            except TROUBLE as error:
                log.debug("BALANCES_STAY_DOUBTED", reason=f"{type(error).__name__}: {error}")
        self._recovery = None

    def _is_recovered(self) -> bool:
        return not self._unhidden and time.monotonic() - self._forgot_at > int(self._ttl_ms) / 1000

    async def _key(self, banca_id: UUID, account_id: UUID) -> str:
        return (await self._keys([(banca_id, account_id)]))[0]

    async def _keys(self, accounts: Sequence[Key]) -> list[str]:
        """A banca's keys share a hash tag, so that one script may take several of them in a cluster."""
        try:
            instance = await self._read_instance()
        except DatabaseUnavailableError as error:
            raise CacheUnavailableError("the installation's history is not known") from error
        return [f"{instance}:balance:{{{banca_id}}}:{account_id}" for banca_id, account_id in accounts]
