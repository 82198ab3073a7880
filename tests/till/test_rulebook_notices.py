"""Word of new rules: it reaches who listens without a sale, and nobody depends on it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from core import rulebook_notices
from core.rulebook_notices import RulebookNotices
from core.rulebooks import RulebookStore
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.till.shop import Shop, open_shop
from tests.till.state import poll
from tests.till.watched_store import WatchedStore, store_of

if TYPE_CHECKING:
    from tests.arena import Owner

ROOT = Path(__file__).resolve().parents[2]
LISTENER = "listener of the tests"
DEADLINE_S = 20.0
# Ends at once when nothing holds it: a listener runs while main returns.
LISTENING_PROCESS = """
import asyncio, sys
from core.database import Database, create_pool
from core.rulebook_notices import RulebookNotices
from core.rulebooks import RulebookStore

async def main(url):
    pool = await create_pool(url, size=2, timeout_s=5, application_name="process")
    store = RulebookStore(Database(pool, acquire_timeout_s=5))
    notices = RulebookNotices(url, store, application_name="listening process")
    task = asyncio.create_task(notices.run())
    await asyncio.wait_for(notices.listening.wait(), 15)
    await pool.close()
    print("listening", flush=True)

asyncio.run(main(sys.argv[1]))
"""


@pytest.fixture
async def watched(database: TestDatabase) -> AsyncIterator[Shop]:
    async with open_shop(database.api_url, rulebooks=WatchedStore) as opened:
        yield opened


@asynccontextmanager
async def listening(url: str, store: RulebookStore) -> AsyncIterator[RulebookNotices]:
    notices = RulebookNotices(url, store, application_name=LISTENER)
    task = asyncio.create_task(notices.run())
    try:
        async with asyncio.timeout(DEADLINE_S):
            await notices.listening.wait()
        yield notices
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=DEADLINE_S)


async def listeners(owner: Owner) -> list[int]:
    rows = await owner.fetch(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1", LISTENER
    )
    return [row["pid"] for row in rows]


@pytest.mark.parametrize("is_cut_off", [True, False])
async def test_after_a_restore_a_version_of_the_same_number_is_read_again(
    owner: Owner, database: TestDatabase, arena: Arena, watched: Shop, monkeypatch: pytest.MonkeyPatch, is_cut_off: bool
) -> None:
    """Whether the connection is lost with the server or the data is put back beneath it."""
    monkeypatch.setattr(rulebook_notices, "PROBE_S", 0.05)
    monkeypatch.setattr(rulebook_notices, "RECONNECT_S", 0.05)
    store = store_of(watched)
    banca_id = arena.banca_id
    async with listening(database.api_url, store):
        known = await store.rulebook(banca_id)
        # The notice of another version is not what tells of it.
        async with owner.transaction():
            await owner.execute("SET LOCAL session_replication_role = replica")
            await owner.execute("UPDATE bancas SET global_max_per_number_cents = 12300")
            await owner.execute("SELECT begin_history(0)")
        if is_cut_off:
            for pid in await listeners(owner):
                await owner.execute("SELECT pg_terminate_backend($1)", pid)

        async def is_read_again() -> bool:
            rulebook = await store.rulebook(banca_id)
            return (rulebook.version, rulebook.global_max_per_number_cents) == (known.version, 12300)

        assert await poll(is_read_again)


async def lower_everything(owner: Owner, cents: int) -> None:
    await owner.execute("UPDATE bancas SET global_max_per_number_cents = $1", cents)


async def test_a_change_is_in_memory_before_any_sale_asks_for_it(
    owner: Owner, arena: Arena, database: TestDatabase, watched: Shop
):
    store = store_of(watched)
    async with listening(database.api_url, store):
        before = await store.rulebook(arena.banca_id)
        store.loaded.clear()
        await lower_everything(owner, 700)
        async with asyncio.timeout(DEADLINE_S):
            await store.loaded.wait()
        loads, looks = store.loads, store.looks
        known = await store.rulebook(arena.banca_id)
        assert (known.version, known.global_max_per_number_cents) == (before.version + 1, 700)
        assert (store.loads, store.looks) == (loads, looks), "it was in memory"


async def test_a_change_of_a_banca_that_nobody_asked_for_is_not_read(
    owner: Owner, arena: Arena, settings: Any, database: TestDatabase, watched: Shop
):
    other, store = await Arena.create(owner, settings), store_of(watched)
    async with listening(database.api_url, store):
        await store.rulebook(arena.banca_id)
        store.loaded.clear()
        await owner.execute("UPDATE bancas SET default_min_bet_cents = 5 WHERE id = $1", other.banca_id)
        await owner.execute("UPDATE bancas SET default_min_bet_cents = 5 WHERE id = $1", arena.banca_id)
        async with asyncio.timeout(DEADLINE_S):
            await store.loaded.wait()
        # Notices come in the order of their commits, so the other's came first.
        assert store.loads == 2


async def test_what_changed_while_nobody_listened_is_caught_up(
    owner: Owner, arena: Arena, database: TestDatabase, watched: Shop, monkeypatch: pytest.MonkeyPatch
):
    store = store_of(watched)
    may_connect, connect = asyncio.Event(), asyncpg.connect

    async def connect_when_told(*arguments: Any, **options: Any) -> Any:
        await may_connect.wait()
        return await connect(*arguments, **options)

    monkeypatch.setattr(rulebook_notices, "PROBE_S", 1.0)
    monkeypatch.setattr(rulebook_notices, "RECONNECT_S", 0.01)
    monkeypatch.setattr("core.rulebook_notices.asyncpg.connect", connect_when_told)
    may_connect.set()
    async with listening(database.api_url, store) as notices:
        before = await store.rulebook(arena.banca_id)
        may_connect.clear()
        [pid] = await listeners(owner)
        await owner.execute("SELECT pg_terminate_backend($1)", pid)
        await poll(lambda: _is_deaf(notices))
        await lower_everything(owner, 700)
        assert (await store.rulebook(arena.banca_id)).version == before.version, "nobody told it"
        may_connect.set()
        async with asyncio.timeout(DEADLINE_S):
            await notices.listening.wait()
        assert (await store.rulebook(arena.banca_id)).global_max_per_number_cents == 700
        # And it hears again.
        store.loaded.clear()
        await lower_everything(owner, 600)
        async with asyncio.timeout(DEADLINE_S):
            await store.loaded.wait()


async def _is_deaf(notices: RulebookNotices) -> bool:
    return not notices.listening.is_set()


@pytest.mark.parametrize("is_connected", [True, False])
async def test_a_listener_ends_at_once_when_it_is_cancelled(
    owner: Owner, database: TestDatabase, watched: Shop, is_connected: bool
):
    url = database.api_url if is_connected else "postgresql://nobody@127.0.0.1:1/nowhere"
    notices = RulebookNotices(url, store_of(watched), application_name=LISTENER)
    task = asyncio.create_task(notices.run())
    if is_connected:
        async with asyncio.timeout(DEADLINE_S):
            await notices.listening.wait()
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=DEADLINE_S)
    assert done == {task}
    await poll(lambda: _is_gone(owner))


async def _is_gone(owner: Owner) -> bool:
    return await listeners(owner) == []


async def test_a_process_that_listens_ends_when_its_main_does(database: TestDatabase):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-c", LISTENING_PROCESS, database.api_url, cwd=ROOT, stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    async with asyncio.timeout(2 * DEADLINE_S):
        output, _ = await process.communicate()
    assert (output, process.returncode) == (b"listening\n", 0)


async def test_a_notice_that_comes_while_the_rules_are_read_is_not_forgotten(owner: Owner, arena: Arena, shop: Shop):
    store = shop.rulebooks
    old = await store.rulebook(arena.banca_id)
    reading = asyncio.create_task(store.reload(arena.banca_id, older_than=old.version))
    await asyncio.sleep(0)
    store.notice(arena.banca_id, old.version + 1)
    assert (await reading).version == old.version
    await owner.execute("UPDATE bancas SET global_max_per_number_cents = 7 WHERE id = $1", arena.banca_id)
    assert (await store.rulebook(arena.banca_id)).global_max_per_number_cents == 7
