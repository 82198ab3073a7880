"""Resets and deletions of statements over HTTP."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from core.domain.permissions import Role
from tests.api.selling import Contract, require_no_insides
from tests.arena import Arena
from tests.pos import new_key
from tests.running_api import Answer, RunningApi
from tests.statements.clerk import ACCOUNTS, REPLAYED, Clerk, days_ago, money, today
from tests.statements.office import Office


@pytest.fixture
async def boss(api: RunningApi, arena: Arena) -> Clerk:
    return await Clerk.of(api, arena)


async def reset(clerk: Clerk, seller_id: object, *, key: str | None = None, **others: Any) -> Answer:
    document = {"vendedorId": str(seller_id), **others}
    return await clerk.send("POST", "/reset-balance", document, key=key or new_key())


async def test_a_reset_begins_at_nothing_and_can_be_taken_back(
    api: RunningApi, arena: Arena, boss: Clerk, office: Office
) -> None:
    """STM-12."""
    contract, seller = await Contract.of(api), Clerk(api, arena.seller)
    await boss.moved("7.00", vendedorId=arena.seller.id, day=days_ago(3), type="payment")
    answer = await reset(boss, arena.seller.id)
    document = contract.require(answer, "POST", f"{ACCOUNTS}/reset-balance")
    assert (document["revertedAt"], document["statement"]["openingBalance"]) == (None, "0.00")
    assert document["statement"]["date"] == str(today())
    assert (await seller.get("/balance/current"))["balance"] == "0.00"
    stored = await arena.owner.fetchval("SELECT balance_cents FROM accounts WHERE id = $1", arena.seller.id)
    assert stored == -700
    back = contract.require(await reset(boss, arena.seller.id, revert=True), "POST", f"{ACCOUNTS}/reset-balance")
    assert (back["resetAt"], back["revertedAt"] is None) == (document["resetAt"], False)
    assert (await seller.get("/balance/current"))["balance"] == "7.00"
    earlier = f"{days_ago(2)}T10:00:00-06:00"
    assert (await reset(boss, arena.seller.id, resetAt=earlier)).json()["resetAt"] == f"{days_ago(2)}T16:00:00.000Z"
    listed = await boss.get(f"/statement?vendedorId={arena.seller.id}&fromDate={days_ago(3)}&toDate={days_ago(1)}")
    assert [day["remainingBalance"] for day in listed["statements"]] == ["0.00", "0.00", "7.00"]
    assert await office.findings() == []


async def test_bad_resets_are_refused_and_change_nothing(api: RunningApi, arena: Arena, boss: Clerk) -> None:
    stranger = await Arena.create(arena.owner, arena.settings)
    other = arena.sellers[1].id
    assert (await reset(boss, other, resetAt=f"{days_ago(1)}T12:00:00Z")).status == 200
    await boss.moved(vendedorId=other, day=days_ago(9))
    await arena.owner.execute("UPDATE statements SET settled_at = now() WHERE business_date = $1", days_ago(9))
    listero, before, own = await Clerk.of(api, arena, Role.VENTANA), await money(arena), arena.seller.id
    later = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    table: list[tuple[Clerk, object, dict[str, Any], int, str]] = [
        (listero, own, {}, 403, "FORBIDDEN"),
        (Clerk(api, arena.seller), own, {}, 403, "FORBIDDEN"),
        (boss, stranger.seller.id, {}, 404, "ENTITY_NOT_FOUND"),
        (boss, uuid4(), {}, 404, "ENTITY_NOT_FOUND"),
        (boss, arena.ventana_id, {}, 404, "ENTITY_NOT_FOUND"),
        (boss, own, {"resetAt": later}, 400, "FUTURE_DATE"),
        (boss, own, {"resetAt": f"{days_ago(368)}T12:00:00Z"}, 400, "DATE_TOO_OLD"),
        (boss, own, {"revert": True}, 409, "NOT_RESET"),
        (boss, other, {"resetAt": f"{days_ago(1)}T12:00:00Z"}, 409, "ALREADY_RESET"),
        (boss, other, {"resetAt": f"{days_ago(1)}T11:59:59Z"}, 409, "ALREADY_RESET"),
        (boss, other, {"resetAt": f"{days_ago(9)}T12:00:00Z"}, 409, "STATEMENT_SETTLED"),
        (boss, own, {"resetAt": later, "revert": True}, 400, "VALIDATION_FAILED"),
        (boss, own, {"resetAt": "noon"}, 400, "VALIDATION_FAILED"),
        # In Costa Rica this was before the first year.
        (boss, own, {"resetAt": "0001-01-01T00:00:00Z"}, 400, "VALIDATION_FAILED"),
        (boss, own, {"resetAt": "9999-12-31T23:59:59Z"}, 400, "VALIDATION_FAILED"),
        (boss, own, {"revert": "yes"}, 400, "VALIDATION_FAILED"),
        (boss, "nonsense", {}, 400, "VALIDATION_FAILED"),
        (boss, own, {"key": "short"}, 400, "IDEMPOTENCY_KEY_INVALID"),
    ]  # fmt: skip
    for clerk, seller_id, members, status, code in table:
        answer = await reset(clerk, seller_id, **members)
        assert (answer.status, answer.code) == (status, code), members
        require_no_insides(answer)
        if code == "STATEMENT_SETTLED":
            assert answer.json()["violations"][0]["settledThrough"] == str(days_ago(9))
    keyless = await boss.send("POST", "/reset-balance", {"vendedorId": str(own)})
    assert (keyless.status, keyless.code) == (400, "IDEMPOTENCY_KEY_REQUIRED")
    assert await money(arena) == before


async def test_resets_are_replayed_with_the_same_bytes(arena: Arena, boss: Clerk, office: Office) -> None:
    """What came after them counts once: a POST without an answer is sent again."""
    key, back_key, own, other = new_key(), new_key(), arena.seller.id, arena.sellers[1].id
    await boss.moved("7.00", vendedorId=own, day=days_ago(3), type="payment")
    first = await reset(boss, own, key=key)
    await boss.moved("1.00", vendedorId=own, day=today(), type="payment")
    back = await reset(boss, own, key=back_key, revert=True)
    assert (first.status, back.status) == (200, 200)
    assert REPLAYED not in first.headers
    assert REPLAYED not in back.headers
    before = await money(arena)
    for known, again in (
        (first, await reset(boss, own, key=key)),
        (first, await reset(boss, own, key=key, revert=False, resetAt=None)),
        (back, await reset(boss, own, key=back_key, revert=True)),
    ):
        assert (again.status, again.body, again.headers[REPLAYED]) == (200, known.body, "true")
    mismatches = (
        await reset(boss, own, key=key, revert=True),
        await reset(boss, other, key=key),
        await reset(boss, own, key=back_key),
        await boss.move("1.00", key=key, vendedorId=own),
    )
    assert [(answer.status, answer.code) for answer in mismatches] == [(422, "IDEMPOTENCY_PAYLOAD_MISMATCH")] * 4
    assert await money(arena) == before
    assert await office.findings() == []


async def test_the_same_key_at_once_is_one_reset(arena: Arena, boss: Clerk, office: Office) -> None:
    key = new_key()
    answers = await asyncio.gather(*(reset(boss, arena.seller.id, key=key) for _ in range(10)))
    assert {(answer.status, answer.body) for answer in answers} == {(200, answers[0].body)}
    assert sum(REPLAYED not in answer.headers for answer in answers) == 1
    # One key for two sellers: whoever comes second is told so.
    key = new_key()
    pair = await asyncio.gather(*(reset(boss, seller.id, key=key) for seller in arena.sellers[:2]))
    assert sorted(answer.status for answer in pair) == [200, 422]
    assert await arena.owner.fetchval("SELECT count(*) FROM balance_resets") == 2
    assert await office.findings() == []


async def test_a_day_on_which_nothing_happened_is_deleted(
    api: RunningApi, arena: Arena, boss: Clerk, office: Office
) -> None:
    admin = Clerk(api, await arena.add_user(Role.ADMIN, has_banca=False), arena.banca_id)
    await boss.moved("7.00", vendedorId=arena.seller.id, day=days_ago(5), type="payment")
    await arena.owner.fetchval("SELECT created FROM carry_forward($1, $2)", arena.banca_id, days_ago(2))
    path = f"/statement/vendedor:{arena.seller.id}:{days_ago(2)}"
    assert (await boss.send("DELETE", path)).code == "FORBIDDEN"
    answer = await admin.send("DELETE", path)
    assert (answer.status, answer.body) == (204, b"")
    assert await office.day(days_ago(2)) == {}
    assert (await boss.get(f"/balance/current?vendedorId={arena.seller.id}"))["balance"] == "7.00"
    assert (await admin.send("DELETE", path)).code == "STATEMENT_NOT_FOUND"
    assert await office.findings() == []


async def test_a_day_that_says_something_stays(api: RunningApi, arena: Arena, boss: Clerk, office: Office) -> None:
    admin = Clerk(api, await arena.add_user(Role.ADMIN, has_banca=False), arena.banca_id)
    seller, other = arena.seller.id, arena.sellers[1].id
    await office.sell(("07", 50_000))
    await office.evaluate("07")
    await office.compute()
    sold = await office.day_of_draw()
    taken_back = await boss.moved(vendedorId=seller, day=days_ago(3))
    assert (await boss.reverse(taken_back["id"])).status == 200
    await boss.moved(vendedorId=seller, day=days_ago(4))
    await reset(boss, other, resetAt=f"{days_ago(3)}T12:00:00Z")
    stranger = await Arena.create(arena.owner, arena.settings)
    await (await Clerk.of(api, stranger)).moved(vendedorId=stranger.seller.id, day=days_ago(4))
    ventana = arena.ventana_id
    await boss.moved(ventanaId=ventana, day=days_ago(6))
    await boss.moved(ventanaId=ventana, day=days_ago(5))
    await arena.owner.execute(
        "UPDATE statements SET settled_at = now() WHERE dimension = 'VENTANA' AND business_date = $1", days_ago(5)
    )
    before = await money(arena)
    table = [
        (f"vendedor:{seller}:{sold}", 409, "STATEMENT_HAS_TICKETS"),
        (f"banca:{arena.banca_id}:{sold}", 409, "STATEMENT_HAS_TICKETS"),
        (f"vendedor:{seller}:{days_ago(3)}", 409, "STATEMENT_HAS_PAYMENTS"),
        (f"vendedor:{seller}:{days_ago(4)}", 409, "STATEMENT_HAS_PAYMENTS"),
        (f"vendedor:{other}:{days_ago(3)}", 409, "STATEMENT_IS_RESET"),
        (f"ventana:{ventana}:{days_ago(6)}", 409, "STATEMENT_SETTLED"),
        (f"ventana:{ventana}:{days_ago(5)}", 409, "STATEMENT_SETTLED"),
        (f"vendedor:{seller}:{days_ago(1)}", 404, "STATEMENT_NOT_FOUND"),
        (f"ventana:{seller}:{days_ago(3)}", 404, "STATEMENT_NOT_FOUND"),
        (f"vendedor:{stranger.seller.id}:{days_ago(4)}", 404, "STATEMENT_NOT_FOUND"),
        (f"vendedor:{seller}:2026-02-30", 404, "STATEMENT_NOT_FOUND"),
        (f"vendedor:{'-' * 36}:{days_ago(3)}", 404, "STATEMENT_NOT_FOUND"),
        (str(uuid4()), 404, "STATEMENT_NOT_FOUND"),
    ]
    for name, status, code in table:
        answer = await admin.send("DELETE", f"/statement/{name}")
        assert (answer.status, answer.code) == (status, code), name
    assert await money(arena) == before
