from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
import redis

from api.health import CHECK_TIMEOUT_S, READY_GRACE_S
from cli.valkey import EmbeddedValkey
from core.settings import Settings
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.pos import Pos
from tests.proxy import Proxy
from tests.running_api import RunningApi
from tests.workers.pipeline import eventually


async def test_a_live_process_answers(api: RunningApi) -> None:
    answer = await api.get("/health/live")
    assert (answer.status, answer.json()) == (200, {"status": "up"})


async def test_readiness_tells_of_every_part(api: RunningApi) -> None:
    answer = await api.get("/health/ready")
    assert answer.status == 200
    checks = answer.json()["checks"]
    assert {name: check["status"] for name, check in checks.items()} == {
        "database": "up",
        "sales": "up",
        "replica": "off",
        "cache": "up",
        "broker": "up",
        "outbox": "up",
        "evaluations": "up",
    }
    assert checks["evaluations"]["detail"] == {"failed": 0, "unmovedS": 0}
    assert checks["outbox"]["detail"] == {"unpublished": 0, "lagS": 0}


async def test_metrics_count_requests_by_their_route(api: RunningApi, arena: Arena) -> None:
    await Pos(api, arena.seller).get(f"/api/v1/sorteos/{arena.sorteo_id}")
    await api.get("/nowhere/at/all")
    text = (await api.get("/metrics")).body.decode()
    assert 'http_requests_total{method="GET",route="/api/v1/sorteos/{sorteoId}",status="200"}' in text
    assert 'route="unmatched"' in text
    assert str(arena.sorteo_id) not in text
    assert 'db_pool_connections{state="idle"}' in text
    assert "outbox_unpublished 0.0" in text


@pytest.mark.parametrize(
    ("change", "broker"),
    [
        ({"redis_url": None}, "off"),
        ({"redis_url": "redis://127.0.0.1:1/0"}, "down"),
        ({"cache_enabled": False}, "up"),
        ({"amqp_url": "amqp://127.0.0.1:1/"}, "down"),
    ],
    ids=str,
)
async def test_valkey_is_the_broker_when_there_is_no_rabbitmq(
    settings: Settings, change: dict[str, object], broker: str
) -> None:
    async with RunningApi(settings.model_copy(update=change)) as api:
        checks = (await api.get("/health")).json()["checks"]
    assert checks["broker"]["status"] == broker


async def test_a_frozen_postgresql_does_not_hold_up_the_report(settings: Settings) -> None:
    async with (
        Proxy(settings.database_url) as proxy,
        RunningApi(settings.model_copy(update={"database_url": proxy.url})) as api,
    ):
        assert (await api.get("/health/ready")).status == 200
        proxy.freeze()
        deadline = time.monotonic() + 15
        while True:  # a report may be a second old
            started = time.monotonic()
            answer = await api.get("/health/ready")
            assert time.monotonic() - started < 2 * CHECK_TIMEOUT_S
            assert time.monotonic() < deadline
            if answer.status == 503:
                break
        await proxy.mend()
        while (await api.get("/health/ready")).status != 200:
            assert time.monotonic() < deadline


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[redis.Redis]:
    """One of the test's own, to be ailed."""
    with EmbeddedValkey(tmp_path) as server, redis.Redis.from_url(server.redis_url) as client:
        yield client


@pytest.mark.parametrize(
    ("ail", "cure"),
    [
        (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
        (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
        (("CONFIG", "SET", "min-replicas-to-write", "1"), ("CONFIG", "SET", "min-replicas-to-write", "0")),
    ],
    ids=["full", "a replica", "without its replicas"],
)
async def test_a_valkey_that_refuses_writes_is_neither_cache_nor_broker(
    settings: Settings, valkey: redis.Redis, ail: tuple[str, ...], cure: tuple[str, ...]
) -> None:
    place = valkey.get_connection_kwargs()
    url = f"redis://:{place['password']}@127.0.0.1:{place['port']}/0"
    async with RunningApi(settings.model_copy(update={"redis_url": url})) as api:

        async def parts() -> dict[str, tuple[str, str | None]]:
            checks = (await api.get("/health/ready")).json()["checks"]
            return {name: (checks[name]["status"], checks[name].get("reason")) for name in ("cache", "broker", "sales")}

        async def are_well() -> bool:
            return set((await parts()).values()) == {("up", None)}

        async def are_refused() -> bool:
            found = await parts()
            return found["cache"] == found["broker"] == ("down", "writes_refused") and found["sales"] == ("up", None)

        assert await eventually(are_well)
        valkey.execute_command(*ail)  # type: ignore[no-untyped-call] # the library leaves it untyped
        assert await eventually(are_refused)
        assert (await api.get("/health")).json()["status"] == "degraded"
        valkey.execute_command(*cure)  # type: ignore[no-untyped-call] # the library leaves it untyped
        assert await eventually(are_well)


async def test_a_table_that_is_held_for_a_moment_takes_no_process_out(
    api: RunningApi, owner: asyncpg.Connection[asyncpg.Record], arena: Arena
) -> None:
    assert (await api.get("/health/ready")).status == 200
    began = time.monotonic()
    async with owner.transaction():
        await owner.execute("LOCK TABLE tickets IN ACCESS EXCLUSIVE MODE")

        async def leaves() -> bool:
            return (await api.get("/health/ready")).status == 503

        async def is_late() -> bool:
            sales = (await api.get("/health")).json()["checks"]["sales"]
            return (sales["status"], sales["reason"]) == ("late", "busy")

        assert await eventually(is_late)
        assert await eventually(leaves)
        # The last good try was up to a report's age before.
        assert time.monotonic() - began > READY_GRACE_S - 1.5

    async def is_back() -> bool:
        return (await api.get("/health/ready")).status == 200

    assert await eventually(is_back)


async def oldest_transaction_s(api: RunningApi) -> float:
    text = (await api.get("/metrics")).body.decode()
    return float(re.findall(r"^banca_oldest_transaction_seconds (.+)$", text, re.MULTILINE)[0])


@pytest.mark.parametrize(
    ("isolation", "statement", "counts"),
    [
        ("READ COMMITTED", "SELECT count(*) FROM tickets", True),
        ("REPEATABLE READ", "SELECT 1", True),
        ("READ COMMITTED", "SELECT pg_current_xact_id()", True),
        # As the scheduler that leads does for as long as it lives.
        ("READ COMMITTED", "SELECT pg_try_advisory_xact_lock(1)", False),
    ],
)
async def test_the_age_of_the_oldest_transaction_is_told(
    monkeypatch: pytest.MonkeyPatch,
    api: RunningApi,
    database: TestDatabase,
    isolation: str,
    statement: str,
    counts: bool,
) -> None:
    monkeypatch.setattr("api.health.OLDEST_TRANSACTION_EVERY_S", 0.0)
    # Of another role: whose it is does not matter.
    connection = await asyncpg.connect(database.worker_url)
    began = time.monotonic()
    await connection.execute(f"BEGIN ISOLATION LEVEL {isolation}")
    await connection.execute(statement)

    async def is_seen() -> bool:
        return await oldest_transaction_s(api) > 1.5

    if counts:
        assert await eventually(is_seen)
        assert await oldest_transaction_s(api) <= time.monotonic() - began + 0.5
    else:

        async def is_old() -> bool:
            return time.monotonic() - began > 3 and await oldest_transaction_s(api) < 1.5

        assert await eventually(is_old)
    await connection.close()

    async def is_gone() -> bool:
        return await oldest_transaction_s(api) < 1

    assert await eventually(is_gone)
