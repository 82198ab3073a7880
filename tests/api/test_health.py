from __future__ import annotations

from tests.arena import Arena
from tests.pos import Pos
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
        "cache": "up",
        "broker": "off",
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
