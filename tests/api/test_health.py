from __future__ import annotations

import time

import pytest

from api.health import CHECK_TIMEOUT_S
from core.settings import Settings
from tests.arena import Arena
from tests.pos import Pos
from tests.proxy import Proxy
from tests.running_api import RunningApi


async def test_a_live_process_answers(api: RunningApi) -> None:
    answer = await api.get("/health/live")
    assert (answer.status, answer.json()) == (200, {"status": "up"})


async def test_readiness_tells_of_every_part(api: RunningApi) -> None:
    answer = await api.get("/health/ready")
    assert answer.status == 200
    checks = answer.json()["checks"]
    assert {name: check["status"] for name, check in checks.items()} == {
        "database": "up",
        "replica": "off",
        "cache": "up",
        "broker": "up",
        "outbox": "up",
    }
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
