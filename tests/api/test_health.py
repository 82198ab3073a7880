from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
import redis

from api.health import CHECK_TIMEOUT_S, CONSEQUENCES, NAMES, READY_GRACE_S
from cli.stack import with_login
from cli.valkey import EmbeddedValkey
from core.broker_probe import BrokerUnusableError, RabbitProbe
from core.settings import Settings
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.pos import Pos
from tests.proxy import Proxy
from tests.rabbitmq import own_rabbitmq, reachable_rabbitmq
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


Part = dict[str, object]


async def part(api: RunningApi, name: str) -> Part:
    found: Part = (await api.get("/health")).json()["checks"][name]
    return found


async def becomes(api: RunningApi, name: str, status: str, reason: str | None = None) -> Part:
    """The part, once it is so."""
    found: Part = {}

    async def is_so() -> bool:
        nonlocal found
        found = await part(api, name)
        return (found["status"], found["reason"]) == (status, reason)

    assert await eventually(is_so), found
    return found


async def test_a_part_tells_since_when_it_is_down_and_what_cannot_be_done(settings: Settings, tmp_path: Path) -> None:
    before = datetime.now(UTC)
    with EmbeddedValkey(tmp_path) as server:
        port, url = server.port, server.redis_url
        async with RunningApi(settings.model_copy(update={"redis_url": url})) as api:
            well = await becomes(api, "broker", "up")
            assert well["consequence"] is None
            server.stop()
            down = await becomes(api, "broker", "down", "away")
            assert down["consequence"] == CONSEQUENCES["broker"]["down"]
            assert (await part(api, "cache"))["consequence"] == CONSEQUENCES["cache"]["down"]
            first, second = (datetime.fromisoformat(str(each["since"])) for each in (well, down))
            assert before - timedelta(milliseconds=1) <= first < second <= datetime.now(UTC)
            # It does not begin anew with each look.
            await asyncio.sleep(1.1)
            assert (await part(api, "broker"))["since"] == down["since"]
            with EmbeddedValkey(tmp_path, port=port):
                again = await becomes(api, "broker", "up")
                assert again["consequence"] is None
                assert datetime.fromisoformat(str(again["since"])) > second


def test_every_state_that_is_not_well_has_words() -> None:
    assert list(CONSEQUENCES) == list(NAMES)
    assert all("down" in words for words in CONSEQUENCES.values())


async def test_a_password_that_valkey_refuses_is_told(settings: Settings, valkey_url: str) -> None:
    wrong = with_login(valkey_url, user="", password="wrong")
    async with RunningApi(settings.model_copy(update={"redis_url": wrong})) as api:
        await becomes(api, "broker", "down", "refused")
        await becomes(api, "cache", "down", "refused")
        assert (await api.get("/health/ready")).status == 200


async def test_a_slow_valkey_is_no_reason_for_health_to_flap(
    settings: Settings, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sales' client gives up after CACHE_TIMEOUT_MS; what health asks has a bound of its own."""
    monkeypatch.setattr("api.health.CHECK_TIMEOUT_S", 60.0)
    place = valkey.get_connection_kwargs()
    url = f"redis://:{place['password']}@127.0.0.1:{place['port']}/0"
    async with RunningApi(settings.model_copy(update={"redis_url": url, "cache_timeout_ms": 1})) as api:
        await becomes(api, "cache", "up")
        valkey.execute_command("CLIENT", "PAUSE", "1500")  # type: ignore[no-untyped-call] # the library leaves it untyped
        await asyncio.sleep(1.1)
        assert (await part(api, "cache"))["status"] == "up"


async def test_a_valkey_that_stands_still_is_late_before_it_is_down(settings: Settings, valkey_url: str) -> None:
    async with Proxy(valkey_url) as proxy, RunningApi(settings.model_copy(update={"redis_url": proxy.url})) as api:
        await becomes(api, "broker", "up")
        proxy.freeze()
        late = await becomes(api, "broker", "late", "timeout")
        assert late["consequence"] == CONSEQUENCES["broker"]["late"]
        await becomes(api, "broker", "down", "timeout")
        await proxy.mend()
        await becomes(api, "broker", "up")


async def test_a_broker_that_only_listens_is_down(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"amqp://127.0.0.1:{server.getsockname()[1]}/"
        async with RunningApi(settings.model_copy(update={"amqp_url": url})) as api:
            await becomes(api, "broker", "down", "timeout")


async def test_a_rabbitmq_is_asked_for_a_login_and_a_write(settings: Settings) -> None:
    url = await reachable_rabbitmq()
    for wrong in (with_login(url, user="nobody", password="wrong"), f"{url.rstrip('/')}/nowhere"):
        async with RunningApi(settings.model_copy(update={"amqp_url": wrong})) as api:
            await becomes(api, "broker", "down", "refused")
    async with RunningApi(settings.model_copy(update={"amqp_url": url})) as api:
        await becomes(api, "broker", "up")


async def test_an_alarm_of_rabbitmq_is_told_until_it_is_over(settings: Settings, tmp_path: Path) -> None:
    with own_rabbitmq(tmp_path) as node:
        await node.until_ready()
        async with RunningApi(settings.model_copy(update={"amqp_url": node.url})) as api:
            await becomes(api, "broker", "up")
            for ail, cure in ((("absolute", "1"), ("0.4",)), (("absolute", "1"), ("0.4",))):
                await asyncio.to_thread(node.control, "set_vm_memory_high_watermark", *ail)
                alarmed = await becomes(api, "broker", "down", "alarm")
                assert alarmed["consequence"] == CONSEQUENCES["broker"]["down"]
                assert (await api.get("/health/ready")).status == 200
                await asyncio.to_thread(node.control, "set_vm_memory_high_watermark", *cure)
                await becomes(api, "broker", "up")


async def test_a_rabbitmq_is_asked_over_one_connection_however_it_answers(tmp_path: Path) -> None:
    async with Proxy(await reachable_rabbitmq()) as proxy:
        probe = RabbitProbe(proxy.url, timeout_s=5)
        for _ in range(5):
            await probe.look()
        assert len(proxy._lines) == 1
        proxy.freeze()
        probe._timeout_s = 0.05
        for _ in range(5):
            with pytest.raises(BrokerUnusableError) as raised:
                await probe.look()
            assert raised.value.reason == "timeout"
        assert len(proxy._lines) == 1
        await proxy.mend()
        await probe.close()


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
