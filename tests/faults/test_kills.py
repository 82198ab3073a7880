"""Real processes, real kills: what was acknowledged is there, what was not gets a definite answer, and the books agree."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
import pytest

from cli.postgres import EmbeddedPostgres
from core.books import check_books
from tests.faults.load import Load
from tests.faults.running_stack import RunningStack

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc"),
    pytest.mark.timeout(180),
]

SELLERS = 20
AUDITED_WITHIN_S = 2.0
DRAINED_WITHIN_S = 30.0

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """One directory for the whole file: a test that stops the stack leaves its data to the next start."""
    stack = RunningStack(tmp_path_factory.mktemp("faults"))
    yield stack
    stack.remove()


@pytest.fixture
def running(data: RunningStack) -> RunningStack:
    data.ensure()
    return data


@pytest.fixture
async def load(running: RunningStack) -> AsyncIterator[Load]:
    async with Load(await running.demo(sellers=SELLERS)) as prepared:
        yield prepared


async def connect(load: Load) -> Connection:
    return await asyncpg.connect(load.demo["databaseUrl"], timeout=10)


async def test_a_sale_is_in_the_audit_trail_within_two_seconds(running: RunningStack) -> None:
    async with Load(await running.demo(sellers=1)) as load:
        load.start()
        await load.sold_more(1)
        sold_at_s = time.monotonic()
        await load.stop()
        [first, *_] = load.ledger.sold.values()
        owner = await connect(load)
        query = "SELECT actor_id, action, details ->> 'key' AS key FROM activity_log WHERE target_id = $1"
        while (row := await owner.fetchrow(query, UUID(first["id"]))) is None:
            assert time.monotonic() - sold_at_s < AUDITED_WITHIN_S
        await owner.close()
    assert (row["action"], str(row["actor_id"])) == ("TICKET_CREATE", first["vendedorId"])
    assert row["key"] in load.ledger.sold


async def test_an_api_process_killed_under_load_loses_nothing_it_acknowledged(
    running: RunningStack, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    load.start()
    await kill_in_turn(running, load, "api", "api", every=200)
    await load.sold_more(300)
    await load.stop()
    assert load.ledger.troubles > 0, "the kills hit nobody"
    await require_whole(running, load, monkeypatch)


async def test_a_pipeline_killed_under_load_audits_every_event_once(
    running: RunningStack, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relay, worker and the broker between them; sales do not notice."""
    load.start()
    await kill_in_turn(running, load, "worker", "relay", "valkey", "worker", "relay", every=100)
    await load.sold_more(100)
    await load.stop()
    assert load.ledger.troubles == 0, "sales go on without the pipeline"
    await require_whole(running, load, monkeypatch)


async def test_postgresql_killed_under_load_loses_nothing_that_was_acknowledged(
    running: RunningStack, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API is not restarted: the same processes sell again when the database is back."""
    apis = running.pids("api")
    load.start()
    await kill_in_turn(running, load, "postgres", "postgres", "postgres", every=100)
    await load.sold_more(100)
    await load.stop()
    assert load.ledger.troubles > 0, "the kill hit nobody"
    await require_whole(running, load, monkeypatch)
    assert running.pids("api") == apis


async def test_a_stack_that_is_stopped_under_load_keeps_what_it_acknowledged(running: RunningStack, load: Load) -> None:
    load.start()
    await load.sold_more(200)
    assert await asyncio.to_thread(running.terminate) == 0
    await load.stop()
    with EmbeddedPostgres(running.data) as postgres:
        owner = await asyncpg.connect(postgres.owner_url)
        await require_stored(owner, load)
        await owner.close()
    # And the next start carries on: what is still unknown is learnt, what waited in the outbox is audited.
    running.ensure()
    load.demo = {**load.demo, "apiUrl": running.stack.api_url, "databaseUrl": running.stack.owner_url}
    await load.settle()
    owner = await connect(load)
    await require_stored(owner, load)
    await drained(owner)
    await owner.close()
    assert running.verify()[0] == 0


async def kill_in_turn(running: RunningStack, load: Load, *programs: str, every: int) -> None:
    """Each after so many more sales, and when the one before has been started again."""
    for program in programs:
        await load.sold_more(every)
        killed = running.kill(program)
        await asyncio.to_thread(running.await_restart, program, of=killed)


async def require_whole(running: RunningStack, load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each key ends with one answer and one ticket, the same when it is asked again; and the books are right."""
    await load.settle()
    ledger = load.ledger
    assert ledger.strange == []
    assert set(ledger.sold) == set(ledger.sales), "every sale has a definite answer"
    results = await load.replay()
    assert [result["replayed"] for result in results] == [True] * len(ledger.sales)
    assert {result["idempotencyKey"]: result["ticket"] for result in results} == ledger.sold
    owner = await connect(load)
    await require_stored(owner, load)
    count = await owner.fetchval("SELECT count(*) FROM tickets WHERE banca_id = $1", UUID(load.demo["bancaId"]))
    assert count == len(ledger.sales), "one ticket per key"
    await drained(owner)
    await owner.close()
    monkeypatch.setattr("core.books.PIPELINE_GRACE", timedelta(0))
    assert (await check_books(running.stack.owner_url)).findings == ()
    code, found = await asyncio.to_thread(running.verify)
    assert code == 0, found


async def require_stored(owner: Connection, load: Load) -> None:
    """Everything acknowledged is stored under its key, and no key twice."""
    banca = UUID(load.demo["bancaId"])
    rows = await owner.fetch(
        "SELECT k.key, t.id, t.status::text, t.total_cents FROM idempotency k"
        " JOIN tickets t USING (banca_id, business_date, sorteo_id, sequence)"
        " WHERE k.banca_id = $1 AND k.outcome = 'SOLD'",
        banca,
    )
    stored = {row["key"]: row for row in rows}
    assert len(stored) == len(rows) == len({row["id"] for row in rows})
    assert await owner.fetchval("SELECT count(*) FROM tickets WHERE banca_id = $1", banca) == len(rows)
    for key, ticket in load.ledger.sold.items():
        assert str(stored[key]["id"]) == ticket["id"]
        assert f"{stored[key]['total_cents'] / 100:.2f}" == ticket["totalAmount"]
    for key in load.ledger.cancelled:
        assert stored[key]["status"] == "CANCELLED"


async def drained(owner: Connection) -> None:
    """Until every event was done by the audit."""
    undone = "SELECT count(*) FROM outbox o WHERE NOT EXISTS (SELECT FROM inbox i WHERE i.event_id = o.id)"
    deadline_s = time.monotonic() + DRAINED_WITHIN_S
    while count := await owner.fetchval(undone):
        assert time.monotonic() < deadline_s, f"{count} events are not audited after {DRAINED_WITHIN_S} s"
        await asyncio.sleep(0.05)
