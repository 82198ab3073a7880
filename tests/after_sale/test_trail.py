"""What is done after a sale is told: one event for each operation, and a row of the trail with who did what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from core.books import check_books
from core.database import Database, create_pool
from tests.after_sale.desk import Desk, draw, moved, restored, settled
from tests.api.auditing import audited, proven_rows
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.evaluating import Evaluator
from workers.audit import Auditor
from workers.statements import Statements


@pytest.fixture
async def auditor(database: TestDatabase) -> AsyncIterator[Auditor]:
    pool = await create_pool(database.worker_url, size=1, timeout_s=10, application_name="tests")
    yield Auditor(Database(pool, acquire_timeout_s=10))
    await pool.close()


async def test_every_operation_has_its_row_and_the_books_know_them(
    arena: Arena, desk: Desk, evaluator: Evaluator, auditor: Auditor, database: TestDatabase
) -> None:
    ticket_id = await desk.sell(("07", 100))
    for _ in range(2):
        await desk.shop.cancel(arena.seller, ticket_id=ticket_id)
        restored(await desk.restore(ticket_id))
    seller_id = arena.seller.id
    exclusion = moved(await desk.exclude(vendedor_id=seller_id)).facts["exclusionId"]
    moved(await desk.include(vendedor_id=seller_id))
    await draw(arena, evaluator, "07")
    settled(await desk.pay(ticket_id, 100))
    settled(await desk.finalize(ticket_id))
    settled(await desk.reverse(ticket_id))
    await audited(arena, auditor)
    rows = await arena.owner.fetch(
        "SELECT action, target_type, target_id, actor_id, request_id, details FROM activity_log"
        " WHERE target_type IN ('TICKET', 'LISTA') ORDER BY event_id"
    )
    assert [(row["action"], row["target_type"]) for row in rows] == [
        ("TICKET_CREATE", "TICKET"), ("TICKET_CANCEL", "TICKET"), ("TICKET_RESTORE", "TICKET"),
        ("TICKET_CANCEL", "TICKET"), ("TICKET_RESTORE", "TICKET"), ("LISTA_EXCLUDE", "LISTA"),
        ("LISTA_INCLUDE", "LISTA"), ("TICKET_PAY", "TICKET"), ("TICKET_PAY_FINALIZE", "TICKET"),
        ("TICKET_PAYMENT_REVERSE", "TICKET"),
    ]  # fmt: skip
    assert {(row["actor_id"], row["request_id"]) for row in rows} == {(seller_id, "test")}
    targets = {str(row["target_id"]) for row in rows}
    assert targets == {str(ticket_id), exclusion}
    assert await proven_rows(arena) == await arena.owner.fetchval("SELECT count(*) FROM activity_log")
    await Statements(evaluator.database).run_once()
    await arena.owner.execute("UPDATE outbox SET published_at = now()")
    report = await check_books(database.owner_url, pipeline_grace=timedelta(0))
    assert report.findings == ()


async def test_the_books_miss_a_row_that_was_taken_out_of_the_trail(
    arena: Arena, desk: Desk, auditor: Auditor, database: TestDatabase
) -> None:
    ticket_id = await desk.sell(("07", 100))
    await desk.shop.cancel(arena.seller, ticket_id=ticket_id)
    restored(await desk.restore(ticket_id))
    moved(await desk.exclude())
    await audited(arena, auditor)
    async with arena.owner.transaction():
        await arena.owner.execute("SET LOCAL session_replication_role = replica")
        await arena.owner.execute("DELETE FROM activity_log WHERE action IN ('TICKET_RESTORE', 'LISTA_EXCLUDE')")
    report = await check_books(database.owner_url, pipeline_grace=timedelta(0))
    texts = [finding.text for finding in report.findings_of("events_audited")]
    assert sum("audit rows of its restore" in text for text in texts) == 1
    assert sum(text.startswith("exclusion ") for text in texts) == 1
