"""What is done to accounts by hand is in the audit trail: who, what, of which movement or statement, before and after."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import orjson
import pytest

from core.books import check_books
from core.database import Database, create_pool
from core.domain.permissions import Role
from tests.api.auditing import audited, proven_rows
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.pos import new_key
from tests.running_api import RunningApi
from tests.statements.clerk import Clerk, days_ago
from workers.audit import Auditor


@pytest.fixture
async def auditor(database: TestDatabase) -> AsyncIterator[Auditor]:
    pool = await create_pool(database.worker_url, size=1, timeout_s=10, application_name="tests")
    yield Auditor(Database(pool, acquire_timeout_s=10))
    await pool.close()


async def test_every_change_has_its_row_and_the_books_know_them(
    api: RunningApi, arena: Arena, auditor: Auditor, database: TestDatabase
) -> None:
    boss = Clerk(api, await arena.add_user(Role.ADMIN, has_banca=False), arena.banca_id)
    seller = arena.seller.id
    moved = await boss.moved("7.00", vendedorId=seller, day=days_ago(5), type="payment")
    taken_back = await boss.reverse(moved["id"], reason="no such money")
    assert (await boss.move(vendedorId=seller, day=days_ago(400))).status == 400
    resets = [
        await boss.send("POST", "/reset-balance", {"vendedorId": str(seller), **members}, key=new_key())
        for members in ({"resetAt": f"{days_ago(2)}T12:00:00Z"}, {"revert": True})
    ]
    deleted = await boss.send("DELETE", f"/statement/vendedor:{seller}:{days_ago(2)}")
    assert [answer.status for answer in (taken_back, *resets, deleted)] == [200, 200, 200, 204]
    await audited(arena, auditor)
    rows = await arena.owner.fetch(
        "SELECT action, target_type, target_id, actor_id, details FROM activity_log ORDER BY event_id"
    )
    assert [(row["action"], row["target_type"], str(row["target_id"])) for row in rows] == [
        ("ACCOUNT_PAYMENT_CREATE", "ACCOUNT_PAYMENT", moved["id"]),
        ("ACCOUNT_PAYMENT_REVERSE", "ACCOUNT_PAYMENT", moved["id"]),
        ("BALANCE_RESET", "USER", str(seller)),
        ("BALANCE_RESET", "USER", str(seller)),
        ("ACCOUNT_STATEMENT_DELETE", "ACCOUNT_STATEMENT", str(seller)),
    ]
    assert {row["actor_id"] for row in rows} == {boss.person.id}
    created, reversed_, *_, last = [orjson.loads(row["details"]) for row in rows]
    assert (created["after"]["amountCents"], created.get("before")) == (700, None)
    assert reversed_["after"]["reversedReason"] == "no such money"
    assert (last["before"]["date"], last.get("after")) == (str(days_ago(2)), None)
    assert await proven_rows(arena) == len(rows)
    await arena.owner.execute("UPDATE outbox SET published_at = now()")
    report = await check_books(database.owner_url, pipeline_grace=timedelta(0))
    assert report.findings == ()
