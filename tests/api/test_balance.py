from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from redis.asyncio import Redis

from api.keys import CACHE
from core.cache import HIDDEN_LEFT_S, HIDDEN_S, PUBLISH_EVERY_S, STORED_WITHIN_S, Balance, BalanceCache, Cache, Look
from core.domain.permissions import Role
from core.settings import Settings
from tests.after_sale.desk import draw
from tests.api.selling import CANCEL, SALE, sell, ticket
from tests.arena import Arena, Seller
from tests.databases import TestDatabase
from tests.evaluating import open_evaluator, request_revert
from tests.pos import Pos, new_key
from tests.proxy import Proxy
from tests.running_api import RunningApi
from tests.statements.clerk import Clerk
from tests.workers.pipeline import eventually

BALANCE = "/api/v1/accounts/me/balance"
BANCA, ACCOUNT = uuid4(), uuid4()


def balance(cents: int, version: int) -> Balance:
    return Balance(balance_cents=cents, version=version, credit_limit_cents=None)


async def set_balance(arena: Arena, account_id: UUID, cents: int) -> None:
    await arena.owner.execute(
        "UPDATE accounts SET balance_cents = $2, balance_version = balance_version + 1 WHERE id = $1", account_id, cents
    )


@pytest.fixture
async def cache(valkey_url: str) -> AsyncIterator[BalanceCache]:
    instance = uuid4().hex

    async def read_instance() -> str:
        return instance

    made = BalanceCache(Cache(valkey_url, timeout_ms=1_000), read_instance=read_instance, ttl_s=60)
    made.start()
    yield made
    await made.close()


async def settled(cache: BalanceCache) -> None:
    """Until nothing waits to be published."""
    async with asyncio.timeout(5):
        while cache._unpublished:
            await cache.publish_once()


async def until_shown(cache: BalanceCache, account_id: UUID, wanted: Balance) -> None:
    async with asyncio.timeout(10):
        while True:
            if await cache.read(BANCA, account_id) == wanted:
                return
            await asyncio.sleep(0.01)


async def test_a_balance_is_shown_with_what_may_still_be_sold(api: RunningApi, arena: Arena) -> None:
    prepaid: Seller = await arena.add_seller(credit_limit_cents=0)
    limited = await arena.add_seller(credit_limit_cents=50_000)
    await set_balance(arena, prepaid.id, 12_345)
    await set_balance(arena, limited.id, -20_000)
    table = {
        arena.seller: ("0.00", None, None, 0),
        prepaid: ("123.45", "0.00", "123.45", 1),
        limited: ("-200.00", "500.00", "300.00", 1),
    }
    for seller, (shown, limit, available, version) in table.items():
        for _ in range(2):  # from the database, then from the cache
            answer = await api.get(BALANCE, token=seller.token)
            assert answer.json() == {
                "accountId": str(seller.id),
                "balance": shown,
                "creditLimit": limit,
                "available": available,
                "version": version,
            }


async def test_a_balance_is_read_through_the_cache(api: RunningApi, arena: Arena) -> None:
    await api.get(BALANCE, token=arena.seller.token)
    await set_balance(arena, arena.seller.id, 700)
    cached = await api.get(BALANCE, token=arena.seller.token)
    assert (cached.json()["balance"], cached.json()["version"]) == ("0.00", 0)


async def test_the_cache_is_told_apart_by_installation_and_history(
    api: RunningApi, arena: Arena, valkey_url: str
) -> None:
    await api.get(BALANCE, token=arena.seller.token)
    history = await arena.owner.fetchval("SELECT installation_history()")
    async with Redis.from_url(valkey_url) as client:
        keys = await client.keys(f"*{arena.seller.id}*")
    assert keys == [f"{history}:balance:{{{arena.banca_id}}}:{arena.seller.id}".encode()]


async def test_a_restored_database_shows_its_own_balance_though_the_cache_knew_a_newer_version(
    arena: Arena, settings: Settings, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read, published and read again by processes that outlive the restore."""
    monkeypatch.setattr("core.installation.HISTORY_AGE_MAX_S", 0.0)
    async with RunningApi(settings) as api:
        await set_balance(arena, arena.seller.id, 700)
        await set_balance(arena, arena.seller.id, 900)
        assert (await api.get(BALANCE, token=arena.seller.token)).json()["balance"] == "9.00"
        await arena.owner.execute(
            "UPDATE accounts SET balance_cents = 700, balance_version = 1 WHERE id = $1", arena.seller.id
        )
        await arena.owner.execute("SELECT begin_history(0)")
        for _ in range(2):
            shown = (await api.get(BALANCE, token=arena.seller.token)).json()
            assert (shown["balance"], shown["version"]) == ("7.00", 1)
        api.app[CACHE].publish(arena.banca_id, arena.seller.id, balance_cents=800, version=2)
        await settled(api.app[CACHE])
        assert (await api.get(BALANCE, token=arena.seller.token)).json()["balance"] == "8.00"


async def test_an_older_version_never_replaces_a_newer_one(cache: BalanceCache) -> None:
    await cache.store(BANCA, ACCOUNT, balance(500, 5))
    for cents, version in ((400, 4), (600, 6), (555, 5)):
        cache.publish(BANCA, ACCOUNT, balance_cents=cents, version=version)
        await settled(cache)
    assert await cache.read(BANCA, ACCOUNT) == balance(600, 6)
    await cache.store(BANCA, ACCOUNT, balance(500, 5))
    assert await cache.read(BANCA, ACCOUNT) == balance(600, 6)


async def test_a_slow_reader_does_not_bring_back_what_was_before_a_sale(cache: BalanceCache) -> None:
    """It read version 1 from the database; a sale published version 2 into an empty cache; then it stored."""
    cache.publish(BANCA, ACCOUNT, balance_cents=200, version=2)
    await settled(cache)
    assert await cache.read(BANCA, ACCOUNT) is None, "the limit is not known yet"
    await cache.store(BANCA, ACCOUNT, balance(100, 1))
    assert await cache.read(BANCA, ACCOUNT) == balance(200, 2)


async def test_a_limit_does_not_live_longer_because_its_seller_sells(cache: BalanceCache, valkey_url: str) -> None:
    await cache.store(BANCA, ACCOUNT, balance(100, 1))
    assert cache._cache is not None
    key = await cache._key(BANCA, ACCOUNT)
    await cache._cache.client.pexpire(key, 5_000)
    cache.publish(BANCA, ACCOUNT, balance_cents=200, version=2)
    await settled(cache)
    assert await cache.read(BANCA, ACCOUNT) == balance(200, 2)
    assert 0 < await cache._cache.client.pttl(key) <= 5_000


async def test_a_balance_that_was_published_first_does_not_stay_for_ever(cache: BalanceCache) -> None:
    account = uuid4()
    cache.publish(BANCA, account, balance_cents=200, version=2)
    await settled(cache)
    assert cache._cache is not None
    assert 0 < await cache._cache.client.pttl(await cache._key(BANCA, account)) <= 60_000


async def test_a_slow_reader_does_not_bring_back_an_old_limit(cache: BalanceCache) -> None:
    newer = Balance(balance_cents=200, version=2, credit_limit_cents=900)
    await cache.store(BANCA, ACCOUNT, newer)
    await cache.store(BANCA, ACCOUNT, Balance(balance_cents=100, version=1, credit_limit_cents=100))
    assert await cache.read(BANCA, ACCOUNT) == newer


async def test_versions_are_compared_as_numbers(cache: BalanceCache) -> None:
    await cache.store(BANCA, ACCOUNT, balance(900, 9))
    cache.publish(BANCA, ACCOUNT, balance_cents=1_000, version=10)
    await settled(cache)
    assert await cache.read(BANCA, ACCOUNT) == balance(1_000, 10)


async def test_many_balances_are_published_in_the_background(cache: BalanceCache) -> None:
    accounts = [uuid4() for _ in range(500)]
    for place, account in enumerate(accounts):
        await cache.store(BANCA, account, balance(0, 0))
        cache.publish(BANCA, account, balance_cents=place, version=1)
    await until_shown(cache, accounts[-1], balance(499, 1))
    assert await cache.read(BANCA, accounts[0]) == balance(0, 1)


class CountedCache(Cache):
    """commands: how many it was given."""

    commands = 0

    async def run(self, command: Callable[[Redis], Awaitable[Any]], *, even_at_rest: bool = False) -> Any:
        self.commands += 1
        return await super().run(command, even_at_rest=even_at_rest)


async def test_balances_that_come_one_after_another_share_a_command(valkey_url: str) -> None:
    async def read_instance() -> str:
        return uuid4().hex

    counted = CountedCache(valkey_url, timeout_ms=1_000)
    cache = BalanceCache(counted, read_instance=read_instance, ttl_s=60)
    cache.start()
    began = time.monotonic()
    for version in range(1, 51):
        cache.publish(BANCA, ACCOUNT, balance_cents=version, version=version)
        # As long as a command takes.
        await counted.client.ping()
    rests = (time.monotonic() - began) / PUBLISH_EVERY_S
    assert 1 <= counted.commands <= 1 + rests
    await cache.close()


async def test_a_cache_that_went_away_is_not_waited_for(arena: Arena, valkey_url: str) -> None:
    async with Proxy(valkey_url) as proxy:
        settings = arena.settings.model_copy(update={"redis_url": proxy.url})
        async with RunningApi(settings) as api:
            assert (await api.get(BALANCE, token=arena.seller.token)).status == 200
            for make_trouble in (proxy.freeze, None):
                if make_trouble is None:
                    await proxy.cut()
                else:
                    make_trouble()
                started = time.monotonic()
                for _ in range(20):
                    assert (await api.get(BALANCE, token=arena.seller.token)).status == 200
                assert time.monotonic() - started < 5, "20 × the time-out would be a second; the rest is the machine"
                health = (await api.get("/health/ready")).json()
                assert health["status"] in ("degraded", "up")
            await set_balance(arena, arena.seller.id, 900)
            assert (await api.get(BALANCE, token=arena.seller.token)).json()["balance"] == "9.00"


async def test_what_could_not_be_published_is_published_later(valkey_url: str) -> None:
    async def read_instance() -> str:
        return "late"

    async with Proxy(valkey_url) as proxy:
        cache = BalanceCache(Cache(proxy.url, timeout_ms=200), read_instance=read_instance, ttl_s=60)
        account = uuid4()
        await cache.store(BANCA, account, balance(100, 1))
        cache.start()
        await proxy.cut()
        cache.publish(BANCA, account, balance_cents=200, version=2)
        assert await cache.publish_once() == 0
        await proxy.mend()
        await until_shown(cache, account, balance(200, 2))
        await cache.close()


async def test_without_a_cache_the_database_answers(settings: Settings, arena: Arena) -> None:
    for change in ({"cache_enabled": False}, {"redis_url": None}, {"redis_url": "redis://127.0.0.1:1/0"}):
        async with RunningApi(settings.model_copy(update=change)) as api:
            await set_balance(arena, arena.seller.id, 100)
            assert (await api.get(BALANCE, token=arena.seller.token)).json()["balance"] == "1.00"


async def cents_shown(api: RunningApi, seller: Seller) -> str:
    answer = await api.get(BALANCE, token=seller.token)
    assert answer.status == 200, answer.body
    return str(answer.json()["balance"])


@asynccontextmanager
async def two_processes(
    arena: Arena, valkey_url: str, *, timeout_ms: int = 50
) -> AsyncIterator[tuple[Proxy, RunningApi, RunningApi]]:
    """The first reaches Valkey by way of the proxy, the second by itself."""
    async with (
        Proxy(valkey_url) as proxy,
        RunningApi(arena.settings.model_copy(update={"redis_url": proxy.url, "cache_timeout_ms": timeout_ms})) as first,
        RunningApi(arena.settings) as second,
    ):
        yield proxy, first, second


@pytest.mark.parametrize("delay_s", [0.0, 0.02, 0.1], ids=["fast", "slow", "too slow"])
async def test_who_has_the_answer_to_a_sale_reads_it_from_any_process(
    arena: Arena, valkey_url: str, delay_s: float
) -> None:
    sellers = [await arena.add_seller() for _ in range(12)]
    async with two_processes(arena, valkey_url) as (proxy, first, second):
        for seller in sellers:
            assert await cents_shown(second, seller) == "0.00", "and cached from here on"
        proxy.slow(delay_s)

        async def sell_and_read(seller: Seller) -> list[str]:
            read = []
            for selling, reading in ((first, second), (second, first), (first, second), (second, second)):
                await sell(Pos(selling, seller), ticket(arena))
                read.append(await cents_shown(reading, seller))
            return read

        # One after the other, and all at once.
        assert await sell_and_read(sellers[0]) == ["-500.00", "-1000.00", "-1500.00", "-2000.00"]
        found = await asyncio.gather(*(sell_and_read(seller) for seller in sellers[1:]))
        assert found == [["-500.00", "-1000.00", "-1500.00", "-2000.00"]] * (len(sellers) - 1)


@pytest.mark.parametrize("breakage", ["hung", "gone"])
async def test_a_process_that_lost_valkey_makes_the_others_doubt_it_and_trust_it_again(
    arena: Arena, valkey_url: str, breakage: str
) -> None:
    async with two_processes(arena, valkey_url) as (proxy, first, second):
        assert await cents_shown(second, arena.seller) == "0.00"
        proxy.freeze() if breakage == "hung" else await proxy.cut()
        pos = Pos(first, arena.seller)
        for number in range(1, 6):
            began = time.monotonic()
            await sell(pos, ticket(arena))
            waited_s = time.monotonic() - began
            assert await cents_shown(second, arena.seller) == f"{-500 * number}.00"
        # Only the first of them waited until everybody doubted; the others at most for a command.
        assert waited_s < 5
        await proxy.mend()

        async def is_cached_again() -> bool:
            assert await cents_shown(second, arena.seller) == "-2500.00"
            return await second.app[CACHE].read(arena.banca_id, arena.seller.id) is not None

        await eventually(is_cached_again)
        assert await arena.owner.fetchval("SELECT count(*) FROM balance_doubts") == 0


async def test_a_process_that_cannot_look_for_doubts_does_not_believe_the_cache(arena: Arena) -> None:
    async with Proxy(arena.settings.database_url) as proxy:
        settings = arena.settings.model_copy(update={"database_url": proxy.url})
        async with RunningApi(settings) as api:
            assert await cents_shown(api, arena.seller) == "0.00"
            await proxy.cut()

            async def is_refused() -> bool:
                return (await api.get(BALANCE, token=arena.seller.token)).status == 503

            await eventually(is_refused)
            await proxy.mend()


async def cache_again(arena: Arena, valkey_url: str, first: RunningApi, second: RunningApi) -> None:
    """As if nothing had been hidden for a while: the second process has the balance from Valkey."""
    for api in (first, second):
        api.app[CACHE]._hidden_until.clear()
    async with Redis.from_url(valkey_url) as client:
        await client.delete("none", *await client.keys("*:hidden"))
    before = await cents_shown(second, arena.seller)

    async def is_cached() -> bool:
        assert await cents_shown(second, arena.seller) == before
        return await second.app[CACHE].read(arena.banca_id, arena.seller.id) is not None

    await eventually(is_cached)


async def test_whatever_changes_ones_balance_is_read_from_any_process(
    arena: Arena, valkey_url: str, database: TestDatabase
) -> None:
    """Cancel, restore, movement, exclusion, write-off: each with a balance that the other process has cached."""
    boss = await arena.add_user(Role.BANCA)
    async with two_processes(arena, valkey_url, timeout_ms=5_000) as (proxy, first, second):
        pos, clerk = Pos(first, arena.seller), Clerk(first, boss)
        # What is published beside the answers comes too late.
        proxy.slow(0.15)

        async def cached() -> None:
            await cache_again(arena, valkey_url, first, second)

        await cached()
        sold = await sell(pos, ticket(arena))
        assert await cents_shown(second, arena.seller) == "-500.00"
        await cached()
        assert (await pos.post(f"{SALE}/{sold['id']}/cancel", b"", key=new_key())).status == 200
        assert await cents_shown(second, arena.seller) == "0.00"
        await cached()
        assert (await pos.post(f"{SALE}/{sold['id']}/restore", b"", key=new_key())).status == 200
        assert await cents_shown(second, arena.seller) == "-500.00"
        await cached()
        movement = await clerk.moved("70.00", vendedorId=arena.seller.id)
        assert await cents_shown(second, arena.seller) == "-430.00"
        await cached()
        assert (await clerk.reverse(movement["id"])).status == 200
        assert await cents_shown(second, arena.seller) == "-500.00"
        for action, shown in (("exclude", "0.00"), ("include", "-500.00")):
            await cached()
            answer = await first.send(
                "POST",
                f"/api/v1/sorteos/{arena.sorteo_id}/listas/{action}",
                body=json.dumps({"ventanaId": str(arena.ventana_id)}).encode(),
                headers={
                    "Authorization": f"Bearer {boss.token}",
                    "Content-Type": "application/json",
                    "Idempotency-Key": new_key(),
                },
            )
            assert answer.status == 200, answer.body
            assert await cents_shown(second, arena.seller) == shown
        by_key = new_key()
        await sell(pos, ticket(arena), key=by_key)
        await cached()
        assert (await pos.post(CANCEL, {"saleKey": by_key}, key=new_key())).status == 200
        assert await cents_shown(second, arena.seller) == "-500.00"

        async with open_evaluator(database.worker_url) as evaluator:
            await draw(arena, evaluator, "07")
            paid = {"amountPaid": "45000.00", "method": "cash"}
            assert (await pos.post(f"{SALE}/{sold['id']}/pay", paid, key=new_key())).status == 200
            assert await request_revert(arena, force=True) == "REQUESTED"
            await evaluator.finish()
            await draw(arena, evaluator, "42")
        await cached()
        answer = await clerk.send(
            "POST", f"/cash-memos/{sold['id']}/write-off", {"reason": "it is gone"}, key=new_key()
        )
        assert answer.status == 200, answer.body
        assert await cents_shown(second, arena.seller) == "44500.00"


async def test_nothing_is_cached_of_an_account_that_is_hidden(cache: BalanceCache, valkey_url: str) -> None:
    account = uuid4()
    await cache.store(BANCA, account, balance(100, 1))
    await cache.until_hidden(BANCA, [account])
    assert await cache.read(BANCA, account) is None
    await cache.store(BANCA, account, balance(100, 1))
    cache.publish(BANCA, account, balance_cents=200, version=2)
    await settled(cache)
    await cache.store(BANCA, account, balance(200, 2))
    assert await cache.read(BANCA, account) is None
    key = await cache._key(BANCA, account)
    async with Redis.from_url(valkey_url) as client:
        assert 0 < await client.pttl(f"{key}:hidden") <= HIDDEN_S * 1000
        await client.delete(f"{key}:hidden")
    await cache.store(BANCA, account, balance(200, 2))
    assert await cache.read(BANCA, account) == balance(200, 2)


async def test_a_reader_that_looked_long_ago_stores_nothing(cache: BalanceCache) -> None:
    """Its command waited in a socket while an account was hidden and shown again."""
    account = uuid4()
    look = await cache.look(BANCA, account)
    assert look.at_us is not None
    await cache.store(BANCA, account, balance(100, 1), look=Look(None, look.at_us - round(STORED_WITHIN_S * 1_000_000)))
    assert await cache.read(BANCA, account) is None
    await cache.store(BANCA, account, balance(100, 1), look=await cache.look(BANCA, account))
    assert await cache.read(BANCA, account) == balance(100, 1)


async def test_a_busy_seller_is_hidden_once_in_a_while(valkey_url: str) -> None:
    async def read_instance() -> str:
        return uuid4().hex

    counted = CountedCache(valkey_url, timeout_ms=1_000)
    cache = BalanceCache(counted, read_instance=read_instance, ttl_s=60)
    began = time.monotonic()
    for _ in range(200):
        cache.hide(BANCA, [ACCOUNT])
        await cache.until_hidden(BANCA, [ACCOUNT])
    assert counted.commands <= 1 + (time.monotonic() - began) / (HIDDEN_S - HIDDEN_LEFT_S)
    # What comes while a command is under way shares the next.
    counted.commands = 0
    await asyncio.gather(*(cache.until_hidden(BANCA, [uuid4()]) for _ in range(100)))
    assert counted.commands == 1
    await cache.close()
