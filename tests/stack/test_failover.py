"""A synchronous standby takes over: every URL names both servers, and nobody restarts anything."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from cli.postgres import EmbeddedPostgres
from cli.postgres_tools import run_tool
from cli.stack import with_login
from core.books import check_books
from core.migrations import migrate
from core.queries import sql
from core.setting_values import shown_url
from tests.arena import Arena
from tests.databases import API_PASSWORD, WORKER_PASSWORD, ask
from tests.pos import Pos, new_key
from tests.running_api import RunningApi, api_settings
from tests.standby import Standby
from tests.workers.pipeline import eventually

SALES = 5


@dataclass(frozen=True)
class Servers:
    primary: EmbeddedPostgres
    standby: Standby

    @property
    def owner_url(self) -> str:
        """Of whichever takes writes."""
        parts = urlsplit(self.primary.owner_url)
        login = parts.netloc.rpartition("@")[0]
        places = ",".join(f"127.0.0.1:{server.port}" for server in (self.primary, self.standby))
        return parts._replace(netloc=f"{login}@{places}", query="target_session_attrs=read-write").geturl()


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    primary = EmbeddedPostgres(tmp_path / "primary", settings={"fsync": "off"})
    standby = Standby(tmp_path / "standby", primary)
    with primary, standby:
        yield Servers(primary, standby)
    for server in (standby, primary):
        server.remove()


async def tell(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_what_was_sold_is_there_after_a_failover_and_sales_go_on(servers: Servers, tmp_path: Path) -> None:
    await migrate(servers.owner_url, api_password=API_PASSWORD, worker_password=WORKER_PASSWORD)
    await tell(
        servers.primary.owner_url,
        "ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (walreceiver)'",
        "SELECT pg_reload_conf()",
    )
    state = "SELECT sync_state = 'quorum' FROM pg_stat_replication"
    await eventually(partial(ask, servers.primary.owner_url, state))
    settings = api_settings(
        database_url=with_login(servers.owner_url, user="banca_api", password=API_PASSWORD)
    )  # fmt: skip
    owner = await asyncpg.connect(servers.owner_url)
    arena = await Arena.create(owner, settings)
    ticket = {
        "sorteoId": str(arena.sorteo_id),
        "jugadas": [{"type": "NUMERO", "number": "07", "amount": "500.00"}],
    }
    async with RunningApi(settings) as api:
        pos, keys = Pos(api, arena.seller), [new_key() for _ in range(2 * SALES)]

        async def sell(key: str) -> int:
            return (await pos.post("/api/v1/tickets", ticket, key=key)).status

        assert [await sell(key) for key in keys[:SALES]] == [201] * SALES
        was = await owner.fetchval(sql("installation/history"))
        assert servers.primary.process is not None
        servers.primary.process.kill()
        assert await sell(keys[SALES]) == 503
        await tell(servers.standby.owner_url, "SELECT pg_promote()", "ALTER SYSTEM RESET synchronous_standby_names")

        async def sells(key: str) -> bool:
            return await sell(key) == 201

        # The POS sends the same key until it has an answer; the API finds the new primary by itself.
        await eventually(partial(sells, keys[SALES]))
        assert [await sell(key) for key in keys] == [201] * len(keys)
    assert await ask(servers.owner_url, "SELECT count(*) FROM tickets") == len(keys)
    assert await ask(servers.owner_url, sql("installation/history")) != was
    unpublished = {"events_published", "events_audited", "audit_sequences", "statements"}
    assert not [found for found in (await check_books(servers.owner_url)).findings if found.check not in unpublished]
    # PostgreSQL's own programs read such a URL, too.
    await run_tool("pg_dump", servers.owner_url, f"--file={tmp_path / 'dump'}", "--schema-only")
    assert API_PASSWORD not in shown_url(with_login(servers.owner_url, user="x", password=API_PASSWORD))
    await asyncio.wait_for(owner.close(timeout=1), 5)
