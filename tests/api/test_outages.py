from __future__ import annotations

import asyncio
import time

from core.settings import Settings
from tests.arena import Arena
from tests.proxy import Proxy
from tests.running_api import Answer, RunningApi

SORTEOS = "/api/v1/sorteos"


async def until(api: RunningApi, arena: Arena, status: int) -> Answer:
    deadline = time.monotonic() + 15
    while (answer := await api.get(SORTEOS, token=arena.seller.token)).status != status:
        assert time.monotonic() < deadline, f"still {answer.status} {answer.code}"
    return answer


async def test_without_postgresql_the_api_says_so_and_recovers_by_itself(arena: Arena) -> None:
    async with Proxy(arena.settings.database_url) as proxy:
        settings = arena.settings.model_copy(update={"database_url": proxy.url})
        async with RunningApi(settings) as api:
            await until(api, arena, 200)
            await proxy.cut()
            answer = await until(api, arena, 503)
            assert (answer.code, answer.headers["Retry-After"]) == ("DATABASE_UNAVAILABLE", "1")
            ready = await api.get("/health/ready")
            assert (ready.status, ready.json()["status"]) == (503, "down")
            assert (await api.get("/health/live")).status == 200
            login = await api.post("/api/v1/auth/login", {"username": "x", "password": "y"})
            assert login.code == "DATABASE_UNAVAILABLE"
            await proxy.mend()
            await until(api, arena, 200)
            assert (await api.get("/metrics")).status == 200


async def test_a_frozen_postgresql_is_not_waited_for_without_end(arena: Arena) -> None:
    async with Proxy(arena.settings.database_url) as proxy:
        settings = arena.settings.model_copy(update={"database_url": proxy.url, "db_timeout_s": 0.5})
        async with RunningApi(settings) as api:
            await until(api, arena, 200)
            proxy.freeze()
            answers = await asyncio.gather(*(api.get(SORTEOS, token=arena.seller.token) for _ in range(20)))
            assert {answer.code for answer in answers} <= {"DATABASE_UNAVAILABLE"}
            assert (await api.get("/health/ready")).status == 503
            await proxy.mend()
            await until(api, arena, 200)


async def test_the_api_starts_without_postgresql_and_valkey(settings: Settings, arena: Arena) -> None:
    async with Proxy(settings.database_url) as proxy:
        await proxy.cut()
        away = settings.model_copy(update={"database_url": proxy.url, "redis_url": "redis://127.0.0.1:1/0"})
        async with RunningApi(away) as api:
            assert (await api.get("/health/live")).status == 200
            assert (await until(api, arena, 503)).code == "DATABASE_UNAVAILABLE"
            await proxy.mend()
            await until(api, arena, 200)


async def test_terminated_connections_are_replaced(api: RunningApi, arena: Arena) -> None:
    await until(api, arena, 200)
    await arena.owner.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'banca api'"
    )
    await until(api, arena, 200)
