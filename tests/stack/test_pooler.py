"""Everything behind a PgBouncer that gives each transaction another session."""

from __future__ import annotations

import ast
import asyncio
import json
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from api.keys import RULEBOOKS
from cli.postgres import EmbeddedPostgres
from cli.stack import ROOT
from core.books import check_books
from core.migrations import migrate
from core.settings import Settings
from tests.arena import Arena
from tests.databases import API_PASSWORD, WORKER_PASSWORD, TestDatabase, ask
from tests.pgbouncer import running_pgbouncer
from tests.pos import Pos, new_key
from tests.running_api import RunningApi
from tests.stack.running import cli
from tests.stack.up import own_environment, says_ready, start_up
from tests.workers.pipeline import eventually

SALES = 60
# Of a start, five sales and their audit, on a busy machine.
DEADLINE_S = 240.0
AT_ONCE = 12
# Fewer than there are clients, so that these take turns on them.
POOL_SIZE = 3


@dataclass(frozen=True)
class Pooled:
    """The database of a test, straight and through the pooler."""

    direct: TestDatabase
    pooled: TestDatabase


@pytest.fixture
async def pair(database: TestDatabase) -> AsyncIterator[Pooled]:
    async with pooled(database.owner_url) as found:
        yield found


@pytest.fixture
async def own_pair(tmp_path: Path) -> AsyncIterator[Pooled]:
    """An empty database of a server of its own: logins belong to one database of a server."""
    server = EmbeddedPostgres(tmp_path / "server", settings={"fsync": "off"})
    server.start()
    try:
        async with pooled(server.owner_url) as found:
            yield found
    finally:
        server.stop()
        server.remove()


@asynccontextmanager
async def pooled(owner_url: str) -> AsyncIterator[Pooled]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with running_pgbouncer(owner_url, port=port, pool_size=POOL_SIZE) as url:
        yield Pooled(TestDatabase(owner_url), TestDatabase(url))


@pytest.fixture
def settings(settings: Settings, pair: Pooled) -> Settings:
    return settings.model_copy(
        update={
            "database_url": pair.pooled.api_url,
            "database_direct_url": pair.direct.api_url,
            "database_statement_cache_size": 0,
        }
    )


async def test_it_sells_and_hears_of_new_rules(pair: Pooled, api: RunningApi, arena: Arena) -> None:
    other = RunningApi(api.settings)
    limit = asyncio.Semaphore(AT_ONCE)
    ticket = {
        "sorteoId": str(arena.sorteo_id),
        "jugadas": [{"type": "NUMERO", "number": "07", "amount": "500.00"}],
    }

    async def sell(place: int) -> int:
        async with limit:
            pos = Pos((api, other)[place % 2], arena.sellers[place % len(arena.sellers)])
            return (await pos.post("/api/v1/tickets", ticket, key=new_key())).status

    async with other:
        statuses = await asyncio.gather(*(sell(place) for place in range(SALES)))
        assert statuses == [201] * SALES
        listed = await api.get(f"/api/v1/tickets?sorteoId={arena.sorteo_id}", token=arena.seller.token)
        assert listed.status == 200, listed.body
        # Nobody asks for it: the process hears of it, on a connection past the pooler.
        store = api.app[RULEBOOKS]
        was = (await store.rulebook(arena.banca_id)).version
        await arena.owner.execute("UPDATE bancas SET sales_cutoff_minutes = 7 WHERE id = $1", arena.banca_id)

        async def is_newer() -> bool:
            kept = store._standing.peek(arena.banca_id, max_age_s=3600)
            return kept is not None and kept.version > was

        await eventually(is_newer)
    assert not [found for found in (await check_books(pair.direct.owner_url)).findings if "audit" not in found.check]


async def test_a_migration_leaves_nothing_of_itself_with_the_poolers_connections(own_pair: Pooled) -> None:
    """A lock of a session, or a setting, would be there for whoever gets the connection next."""
    locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
    for _ in range(2):
        await migrate(own_pair.pooled.owner_url, api_password=API_PASSWORD, worker_password=WORKER_PASSWORD)
        assert await ask(own_pair.direct.owner_url, locks) == 0
        for setting in ("lock_timeout", "statement_timeout"):
            assert await of_every_session(own_pair.pooled.owner_url, f"SHOW {setting}") == {"0"}


async def of_every_session(url: str, query: str) -> set[object]:
    """What the query gives on each of the pooler's connections: it has to give another one while a transaction lasts."""
    async with AsyncExitStack() as opened:
        said = set()
        for _ in range(POOL_SIZE):
            connection = await asyncpg.connect(url, timeout=5, statement_cache_size=0)
            opened.push_async_callback(connection.close)
            await opened.enter_async_context(connection.transaction())
            said.add(await connection.fetchval(query))
        return said


async def test_the_whole_system_runs_behind_it(own_pair: Pooled, tmp_path: Path, valkey_url: str) -> None:
    """Sold through the API, carried by the relay, recorded by a worker, while a scheduler leads."""
    data = tmp_path / "data"
    environment = {
        "DATABASE_URL": own_pair.pooled.owner_url,
        "DATABASE_DIRECT_URL": own_pair.direct.owner_url,
        "DATABASE_STATEMENT_CACHE_SIZE": "0",
        "REDIS_URL": valkey_url,
        "API_DATABASE_PASSWORD": API_PASSWORD,
        "WORKER_DATABASE_PASSWORD": WORKER_PASSWORD,
    }

    is_enough = threading.Event()

    def run_it() -> None:
        with start_up(data, "--port", "0", "--api", "2", "--demo", settings=environment) as up:
            try:
                assert says_ready(up)
                for _ in range(5):
                    assert banca("sell", "07", "500", "--data", str(data)).returncode == 0
                whole = banca("status", "--json", "--data", str(data))
                assert json.loads(whole.stdout)["health"]["checks"]["sales"]["status"] == "up"
                is_enough.wait(DEADLINE_S)
            finally:
                up.terminate()
                assert up.wait(60) == 0

    def banca(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "cli", *arguments],
            cwd=ROOT, env=own_environment(), capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip

    running = asyncio.create_task(asyncio.to_thread(run_it))
    recorded = "SELECT count(*) FROM activity_log WHERE action = 'TICKET_CREATE'"

    async def is_recorded() -> bool:
        if not running.done() and not await ask(
            own_pair.direct.owner_url, "SELECT to_regclass('activity_log') IS NOT NULL"
        ):
            return False
        return await ask(own_pair.direct.owner_url, recorded) == 5 or running.done()

    try:
        await eventually(is_recorded, deadline_s=DEADLINE_S)
    finally:
        is_enough.set()
        await running
    assert await ask(own_pair.direct.owner_url, recorded) == 5
    logs = "".join(path.read_text() for path in (data / "log").glob("*.log"))
    assert "prepared statement" not in logs
    assert "SCHEDULER_LEADS" in logs


def test_every_connection_says_how_many_statements_it_keeps() -> None:
    silent = []
    for folder in ("api", "core", "workers"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and called(node) in {
                    "create_pool",
                    "asyncpg.connect",
                    "asyncpg.create_pool",
                }:
                    names = {keyword.arg for keyword in node.keywords}
                    silent += [] if "statement_cache_size" in names else [f"{path.name}:{node.lineno}"]
    assert silent == []


def called(node: ast.Call) -> str:
    return ast.unparse(node.func)


async def test_a_pooler_that_is_away_is_told_in_a_line_before_anything_waits_for_it(
    own_pair: Pooled, valkey_url: str, tmp_path: Path
) -> None:
    direct = own_pair.direct.owner_url
    environment = {
        "DATABASE_URL": urlsplit(direct)._replace(netloc="banca@127.0.0.1:1").geturl(),
        "DATABASE_DIRECT_URL": direct,
        "REDIS_URL": valkey_url,
        "API_DATABASE_PASSWORD": API_PASSWORD,
        "WORKER_DATABASE_PASSWORD": WORKER_PASSWORD,
    }
    run = await asyncio.to_thread(cli, tmp_path, "up", settings=environment)
    assert run.returncode == 1
    last = run.stderr.splitlines()[-1]
    assert last.endswith("connection refused: nothing listens there"), run.stderr
    assert "127.0.0.1:1/" in last
