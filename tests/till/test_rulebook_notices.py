"""Word of new rules: it reaches who listens without a sale, and nobody depends on it."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import pytest

from core import rulebook_notices
from core.database import Database
from core.domain.calendar import costa_rica_date
from core.domain.rulebook import Rulebook
from core.rulebook_notices import RulebookNotices
from core.rulebooks import RulebookStore
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.pos import Pos, new_key
from tests.running_api import RunningApi, api_settings
from tests.till.shop import Shop, open_shop, sold
from tests.till.state import findings, poll
from tests.till.test_rules import restrict
from tests.till.tickets import sale, ticket

if TYPE_CHECKING:
    from tests.arena import Owner

ROOT = Path(__file__).resolve().parents[2]
LISTENER = "listener of the tests"
DEADLINE_S = 20.0
DAY = timedelta(days=1)
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


class WatchedStore(RulebookStore):
    """Tells of every load, and of every look at the version."""

    def __init__(self, database: Database, **options: Any) -> None:
        super().__init__(database, **options)
        self.loaded = asyncio.Event()
        self.loads, self.looks = 0, 0

    async def _load(self, banca_id: UUID) -> Rulebook:
        rulebook = await super()._load(banca_id)
        self.loads += 1
        self.loaded.set()
        return rulebook

    async def _version(self, banca_id: UUID) -> int:
        self.looks += 1
        return await super()._version(banca_id)


class DistrustfulStore(WatchedStore):
    def __init__(self, database: Database) -> None:
        super().__init__(database, age_max_s=0)


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


def store_of(shop: Shop) -> WatchedStore:
    assert isinstance(shop.rulebooks, WatchedStore)
    return shop.rulebooks


async def listeners(owner: Owner) -> list[int]:
    rows = await owner.fetch(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1", LISTENER
    )
    return [row["pid"] for row in rows]


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


async def test_without_trust_every_sale_looks_and_none_is_priced_twice(
    owner: Owner, arena: Arena, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
):
    async with open_shop(database.api_url, rulebooks=DistrustfulStore) as shop:
        store = store_of(shop)
        stale = 0
        record = shop.recorder.record

        async def recorded(*arguments: Any, **options: Any) -> Any:
            nonlocal stale
            outcomes = await record(*arguments, **options)
            stale += sum(outcome.verdict == "STALE" for outcome in outcomes)
            return outcomes

        monkeypatch.setattr(shop.recorder, "record", recorded)
        first = sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id))))
        for change in range(3):
            looks = store.looks
            await owner.execute("UPDATE bancas SET default_min_bet_cents = $1", change + 1)
            record_of_sale = sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id))))
            assert record_of_sale.rulebook_version == first.rulebook_version + change + 1
            assert store.looks == looks + 1
        assert stale == 0


PAIR_RULE = (
    "INSERT INTO restriction_rules (banca_id, id, loteria_id, multiplier_id, max_amount_cents, {column})"
    " SELECT $1, gen_random_uuid(), loteria_id, id, 1, {value} FROM loteria_multipliers"
)
RULE = "INSERT INTO restriction_rules (banca_id, id, {column}) VALUES ($1, gen_random_uuid(), {value})"
POLICY = """UPDATE {table} SET commission_policy = '{policy}' WHERE $1 IN (id, {banca})"""
# Each passes the CHECKs of storage, and makes no sense. By what its defect says.
SENSELESS = {
    "limits nothing": RULE.format(column="whole_banca", value="true"),
    "number the loteria has": PAIR_RULE.format(column="number", value="999"),
    "isAutoDate not with": PAIR_RULE.format(column="is_auto_date", value="true"),
    "salesCutoffMinutes needs": RULE.format(column="sales_cutoff_minutes", value="30"),
    "banca: commissionPolicy: defaultPercent": POLICY.format(
        table="bancas", banca="id", policy='{"version": 1, "defaultPercent": 120, "rules": []}'
    ),
    "seller": POLICY.format(table="users", banca="banca_id", policy="[]"),
    "minBetAmount": 'UPDATE loterias SET rules = \'{"minBetAmount": "much"}\' WHERE banca_id = $1',
}


@pytest.mark.parametrize("defect", SENSELESS)
async def test_a_rule_that_makes_no_sense_sells_as_if_it_were_absent_and_is_reported(
    owner: Owner, arena: Arena, shop: Shop, caplog: pytest.LogCaptureFixture, defect: str
):
    await owner.execute(SENSELESS[defect], arena.banca_id)
    # The day of the month, should the rule that names it be obeyed after all.
    bets = [(f"{costa_rica_date(at).day:02d}", 100) for at in (datetime.now(UTC), datetime.now(UTC) + DAY)]
    with caplog.at_level(logging.WARNING, "banca.rulebooks"):
        record = sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, *bets))))
    rulebook = await shop.rulebooks.rulebook(arena.banca_id)
    assert record.commission_cents == 0
    assert rulebook.defects, "somebody must hear of it"
    assert any(defect in told for told in rulebook.defects), rulebook.defects
    assert [line.message for line in caplog.records] == ["RULEBOOK_DEFECT"] * len(rulebook.defects)
    assert await findings(owner, arena.banca_id) == []


async def test_a_rule_beside_a_malformed_one_holds(owner: Owner, arena: Arena, shop: Shop):
    await restrict(owner, arena, whole_banca=True)
    await restrict(owner, arena, user_id=arena.seller.id, max_total_cents=99)
    outcomes = await shop.record([sale(arena.seller, ticket(arena.sorteo_id))])
    assert [outcome.verdict for outcome in outcomes] == ["SOLD_OUT"]


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


async def test_the_installations_default_multiplier_reaches_a_sale(
    owner: Owner, arena: Arena, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
):
    """MULTIPLIER_BASE_DEFAULT_X, as the environment gives it, when nothing nearer has a value."""
    await owner.execute("UPDATE loteria_multipliers SET is_active = false")
    monkeypatch.setenv("MULTIPLIER_BASE_DEFAULT_X", "87.50")
    document = {"sorteoId": str(arena.sorteo_id), "jugadas": [{"type": "NUMERO", "number": "07", "amount": "5.00"}]}
    async with RunningApi(api_settings(database_url=database.api_url)) as api:
        answer = await Pos(api, arena.seller).post("/api/v1/tickets", document, key=new_key())
    assert answer.status == 201, answer.body
    [jugada] = json.loads(answer.body)["jugadas"]
    assert (jugada["finalMultiplierX"], jugada["multiplierId"]) == ("87.50", None)


async def test_without_a_default_a_bet_must_name_its_multiplier(owner: Owner, arena: Arena, shop: Shop):
    await owner.execute("UPDATE loteria_multipliers SET is_active = false")
    answer = await shop.sell(sale(arena.seller, ticket(arena.sorteo_id)))
    assert getattr(answer, "code", answer) == "MISSING_MULTIPLIER_ID"


async def test_a_notice_that_comes_while_the_rules_are_read_is_not_forgotten(owner: Owner, arena: Arena, shop: Shop):
    store = shop.rulebooks
    old = await store.rulebook(arena.banca_id)
    reading = asyncio.create_task(store.reload(arena.banca_id, older_than=old.version))
    await asyncio.sleep(0)
    store.notice(arena.banca_id, old.version + 1)
    assert (await reading).version == old.version
    await owner.execute("UPDATE bancas SET global_max_per_number_cents = 7 WHERE id = $1", arena.banca_id)
    assert (await store.rulebook(arena.banca_id)).global_max_per_number_cents == 7
