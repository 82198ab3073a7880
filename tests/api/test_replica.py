"""Reads that may lag, on a replica that follows, stops following, hangs, dies and comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import asyncpg
import pytest

from api.context import RequestContext
from api.keys import DATABASE
from api.models.wire import AnswerModel
from api.operations import Operation
from api.routes import OPERATIONS
from cli.postgres import EmbeddedPostgres
from core.database import Database, create_pool
from core.domain.permissions import Permission, Role
from core.migrations import migrate
from core.replica import ReplicaState
from tests.api.selling import SALE, sell, ticket
from tests.arena import Arena
from tests.databases import API_PASSWORD, WORKER_PASSWORD, TestDatabase, database_of, in_server
from tests.evaluating import draw_now, open_evaluator, request
from tests.pos import Pos
from tests.proxy import Proxy
from tests.replicating import (
    SORTEOS,
    Pair,
    health,
    reads,
    replica_of,
    running,
    shown,
    until,
    until_health,
    waiting_reading,
)
from tests.running_api import api_settings
from tests.standby import Standby

if TYPE_CHECKING:
    from tests.arena import Owner

# Sooner than a statement's own timeout: nobody waits that long for a replica that hangs.
ANSWER_S = 5.0


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedPostgres, Standby]]:
    primary = EmbeddedPostgres(tmp_path_factory.mktemp("primary"), settings={"fsync": "off"})
    standby = Standby(tmp_path_factory.mktemp("standby"), primary)
    with primary, standby:
        yield primary, standby
    for server in (standby, primary):
        server.remove()


@pytest.fixture(scope="module")
async def migrated(servers: tuple[EmbeddedPostgres, Standby]) -> Pair:
    primary, standby = servers
    await migrate(primary.owner_url, api_password=API_PASSWORD, worker_password=WORKER_PASSWORD)
    return Pair(TestDatabase(primary.owner_url), TestDatabase(standby.owner_url), standby)


@pytest.fixture
async def pair(migrated: Pair) -> AsyncIterator[Pair]:
    yield migrated
    await migrated.standby.mend()


@pytest.fixture
async def owner(pair: Pair) -> AsyncIterator[Owner]:
    connection = await asyncpg.connect(pair.primary.owner_url)
    yield connection
    await connection.close()


@pytest.fixture
async def arena(pair: Pair, owner: Owner) -> Arena:
    return await Arena.create(owner, api_settings(database_url=pair.primary.api_url))


async def test_a_replica_of_a_history_that_is_gone_is_left_alone_though_it_is_further(pair: Pair, arena: Arena) -> None:
    """The primary was restored to an earlier time; the replica still shows what vanished, at a later position."""
    async with running(pair) as api:
        await until(api, ReplicaState.FRESH)
        await pair.standby.catch_up(arena.owner)
        await pair.standby.pause()
        await arena.owner.execute("SELECT begin_history(0)")
        await until(api, ReplicaState.AWAY)
        await pair.standby.mend()
        await until(api, ReplicaState.FRESH)


async def test_an_answer_shows_what_was_committed_when_it_was_asked_for(pair: Pair, arena: Arena) -> None:
    async with running(pair) as api:
        await until(api, ReplicaState.FRESH)
        before = await reads(api, "replica")
        for minute in range(40):
            new = str(await arena.add_sorteo(minutes=90 + minute))
            assert new in await shown(api, arena.seller)
        assert await reads(api, "replica") > before, "it is only a matter of milliseconds"
        # Many at once share the looks.
        made = [str(await arena.add_sorteo(minutes=300 + minute)) for minute in range(3)]
        found = await asyncio.gather(*(shown(api, arena.seller) for _ in range(30)))
        assert all(set(made) <= each for each in found)


async def test_a_sale_is_listed_at_once_whichever_process_made_it(pair: Pair, arena: Arena) -> None:
    async with running(pair) as selling, running(pair) as reading:
        await until(reading, ReplicaState.FRESH)
        pos = Pos(selling, arena.seller)
        for _ in range(20):
            sold = await sell(pos, ticket(arena))
            answer = await reading.get(f"{SALE}?pageSize=1", token=arena.seller.token)
            assert [each["id"] for each in answer.json()["data"]] == [sold["id"]]
        assert await reads(reading, "replica") > 0


async def test_a_replica_that_does_not_keep_up_is_not_waited_for_long(pair: Pair, arena: Arena) -> None:
    async with running(pair, lag_max_ms=2_000) as api:
        await until(api, ReplicaState.FRESH)
        await pair.standby.catch_up(arena.owner)
        await pair.standby.pause()
        new = str(await arena.add_sorteo(minutes=90))
        before = await reads(api, "primary")
        began_s = time.monotonic()
        assert new in await shown(api, arena.seller)
        assert time.monotonic() - began_s < ANSWER_S
        assert await reads(api, "primary") == before + 1
        await until_health(api, (200, "degraded", "late"))
        assert new in await shown(api, arena.seller)
        await pair.standby.mend()
        await until_health(api, (200, "up", "up"))
        await pair.standby.catch_up(arena.owner)
        before = await reads(api, "replica")
        assert new in await shown(api, arena.seller)
        assert await reads(api, "replica") == before + 1


async def test_what_may_lag_reads_nothing_on_the_primary(
    pair: Pair, arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    await draw_now(arena.owner, arena.sorteo_id)
    assert await request(arena, "07") == "REQUESTED"
    async with open_evaluator(pair.primary.worker_url) as evaluator:
        await evaluator.finish()
    banca = await arena.add_user(Role.BANCA)
    lagging = [
        operation.path.replace("{sorteoId}", str(arena.sorteo_id)) for operation in OPERATIONS if operation.may_lag
    ]
    async with running(pair) as api:
        await until(api, ReplicaState.FRESH)
        await pair.standby.catch_up(arena.owner)
        assert (await api.get("/api/v1/sorteos", token=banca.token)).status == 200

        def refuse(*_: object, **__: object) -> None:
            raise AssertionError("a banca's rows were read on the primary")

        # How far it is, and who asks, the primary may be asked; these do not come with a tenant.
        monkeypatch.setattr(api.app[DATABASE], "tenant", refuse)
        answers = [await api.get(path, token=banca.token) for path in lagging]
    assert {answer.status for answer in answers} == {200}, [answer.body for answer in answers]
    assert len(answers) > 8


@pytest.mark.parametrize("breakage", ["killed", "hung"])
async def test_a_lost_replica_fails_no_reading(pair: Pair, arena: Arena, breakage: str) -> None:
    async with Proxy(pair.replica.api_url) as proxy, running(pair, url=proxy.url) as api:
        await until(api, ReplicaState.FRESH)
        await pair.standby.catch_up(arena.owner)
        waiting = await waiting_reading(pair, api, arena)
        proxy.freeze() if breakage == "hung" else pair.standby.kill()
        async with asyncio.timeout(ANSWER_S):
            answers = await asyncio.gather(waiting, *(shown(api, arena.seller) for _ in range(10)))
        assert answers == [{str(arena.sorteo_id)}] * 11
        await until(api, ReplicaState.AWAY)
        await until_health(api, (200, "degraded", "down"))
        before = await reads(api, "replica")
        assert await shown(api, arena.seller) == {str(arena.sorteo_id)}
        assert await reads(api, "replica") == before
        await proxy.mend()
        await pair.standby.mend()
        await until(api, ReplicaState.FRESH)
        assert await shown(api, arena.seller) == {str(arena.sorteo_id)}
        assert await reads(api, "replica") == before + 1


class Source(AnswerModel):
    is_replica: bool


async def read_slowly_on_the_replica(context: RequestContext) -> Source:
    """Where it was answered."""
    async with context.readings.tenant(context.banca_id) as connection:
        row = await connection.fetchrow(
            "SELECT pg_is_in_recovery(), CASE WHEN pg_is_in_recovery() THEN pg_sleep(30) END FROM sorteos LIMIT 1"
        )
    assert row is not None
    return Source(is_replica=row[0])


SLOWLY = Operation(
    method="GET",
    path="/api/v1/slowly",
    handler=read_slowly_on_the_replica,
    permission=Permission.SORTEOS_READ,
    tags=("tests",),
    responses={200: Source},
    may_lag=True,
)


async def test_a_reading_that_stands_in_the_way_of_the_replica_is_made_again_on_the_primary(
    pair: Pair, arena: Arena
) -> None:
    async with running(pair, SLOWLY) as api:
        await until(api, ReplicaState.FRESH)
        await pair.standby.catch_up(arena.owner)
        reading = asyncio.create_task(api.get(SLOWLY.path, token=arena.seller.token))
        await pair.standby.until_at("pg_sleep")
        async with arena.owner.transaction():
            await arena.owner.execute("LOCK TABLE sorteos")
            await arena.owner.execute("SELECT pg_current_xact_id()")
        answer = await reading
        assert (answer.status, answer.json()) == (200, {"isReplica": False})
        assert replica_of(api).readable is not None


async def test_what_is_not_there_yet_is_looked_for_on_the_primary(pair: Pair, arena: Arena) -> None:
    async with running(pair) as api:
        await until(api, ReplicaState.FRESH)
        await pair.standby.catch_up(arena.owner)
        await pair.standby.pause()
        new = await arena.add_sorteo(minutes=90)
        answer = await api.get(f"{SORTEOS}/{new}/listas", token=arena.seller.token)
    assert answer.status == 200, answer.body


async def test_a_replica_shows_each_banca_its_own(pair: Pair, arena: Arena) -> None:
    stranger = await Arena.create(arena.owner, arena.settings)
    async with running(pair) as api:
        await until(api, ReplicaState.FRESH)
        await pair.standby.catch_up(arena.owner)
        before = await reads(api, "replica")
        for one in (arena, stranger):
            assert await shown(api, one.seller) == {str(one.sorteo_id)}
        assert await reads(api, "replica") == before + 2
    pool = await create_pool(pair.replica.api_url, size=1, timeout_s=5, application_name="tests")
    database, query = Database(pool, acquire_timeout_s=5), "SELECT DISTINCT banca_id FROM sorteos"
    async with database.connection() as connection:
        assert await connection.fetch(query) == []
    async with database.tenant(stranger.banca_id) as connection:
        assert [row[0] for row in await connection.fetch(query)] == [stranger.banca_id]
    await pool.close()


async def test_what_is_no_replica_of_this_database_is_not_read(pair: Pair, arena: Arena) -> None:
    await in_server(pair.primary.owner_url, "CREATE DATABASE elsewhere")
    elsewhere = database_of(pair.primary.owner_url, "elsewhere")
    await migrate(elsewhere)
    await pair.standby.catch_up(arena.owner)
    urls = [
        pair.primary.api_url,
        database_of(pair.replica.api_url, "elsewhere"),
        database_of(pair.replica.api_url, "postgres"),
        "postgresql://banca_api@127.0.0.1:1/banca",
    ]
    for url in urls:
        async with running(pair, url=url) as api:
            await until(api, ReplicaState.AWAY)
            assert await shown(api, arena.seller) == {str(arena.sorteo_id)}
            assert (await health(api))[::2] == (200, "down")


def test_only_readings_may_lag() -> None:
    with pytest.raises(ValueError, match="only a user's reading may lag"):
        replace(SLOWLY, method="POST")


def test_what_decides_or_was_just_done_is_read_from_the_primary() -> None:
    prompt = {operation.id for operation in OPERATIONS if operation.method == "GET" and not operation.may_lag}
    assert {
        *("read_ticket", "read_ticket_by_number", "get_own_balance", "list_sessions", "read_evaluation"),
        *("read_balances", "read_exposure", "read_cutoff", "get_sorteo", "get_loteria", "get_restriction"),
        *("read_statement", "read_statement_by_sorteo", "read_current_balance", "list_movements"),
    } <= prompt
