"""What the tests of reading on a replica share: two servers, an API that knows both, and what it shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from api.keys import READINGS
from api.operations import Operation
from api.routes import OPERATIONS
from core.replica import Replica, ReplicaState
from tests.arena import Arena, Person
from tests.databases import TestDatabase
from tests.running_api import RunningApi, api_settings
from tests.standby import Standby
from tests.workers.pipeline import eventually

SORTEOS = "/api/v1/sorteos"
LONG_MS = 60_000


@dataclass(frozen=True)
class Pair:
    primary: TestDatabase
    replica: TestDatabase
    standby: Standby


@asynccontextmanager
async def running(
    pair: Pair, *probes: Operation, url: str = "", lag_max_ms: int = LONG_MS
) -> AsyncIterator[RunningApi]:
    settings = api_settings(
        database_url=pair.primary.api_url,
        database_url_replica=url or pair.replica.api_url,
        replica_lag_max_ms=lag_max_ms,
    )
    async with RunningApi(settings, operations=(*OPERATIONS, *probes)) as api:
        yield api


def replica_of(api: RunningApi) -> Replica:
    replica = api.app[READINGS].replica
    assert replica is not None, "the settings name one"
    return replica


async def until(api: RunningApi, state: ReplicaState) -> None:
    replica = replica_of(api)

    async def is_so() -> bool:
        return replica.state is state

    await eventually(is_so)


async def shown(api: RunningApi, person: Person) -> set[str]:
    answer = await api.get(SORTEOS, token=person.token)
    assert answer.status == 200, answer.body
    return {sorteo["id"] for sorteo in answer.json()["data"]}


async def reads(api: RunningApi, source: str) -> float:
    text = (await api.get("/metrics")).body.decode()
    return next(
        float(line.split()[1])
        for line in text.splitlines()
        if line.startswith(f'banca_reads_total{{source="{source}"}}')
    )


async def health(api: RunningApi) -> tuple[int, str, str]:
    """Of the whole: HTTP status and word; of the replica: its word. The report may be a second old."""
    answer = await api.get("/health")
    return answer.status, answer.json()["status"], answer.json()["checks"]["replica"]["status"]


async def until_health(api: RunningApi, wanted: tuple[int, str, str]) -> None:
    async def is_so() -> bool:
        return await health(api) == wanted

    await eventually(is_so)


async def waiting_reading(pair: Pair, api: RunningApi, arena: Arena) -> asyncio.Task[set[str]]:
    """A reading that is at a lock on the replica, which the primary has left already."""
    async with arena.owner.transaction():
        await arena.owner.execute("LOCK TABLE sorteos")
        await arena.owner.execute("SELECT pg_current_xact_id()")
        await pair.standby.catch_up(arena.owner)
        await pair.standby.pause()
        # While the primary has written no more than the replica has.
        reading = asyncio.create_task(shown(api, arena.seller))
        await pair.standby.until_at("FROM sorteos")
    return reading
