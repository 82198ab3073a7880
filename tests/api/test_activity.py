"""What the audit trail is told by the routes, and how it is asked."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from prometheus_client import REGISTRY

from core.activity_events import TARGETS_BYTES_MAX, Action, Change, record_activities, record_activity
from core.database import Database, create_pool
from core.domain.permissions import Role
from core.queries import sql
from tests.api.auditing import ACTIVITY, audited, proven_rows, told
from tests.arena import PASSWORD, Arena, Person
from tests.databases import TestDatabase
from tests.running_api import RunningApi
from workers.audit import Auditor

LOGIN = "/api/v1/auth/login"


@pytest.fixture
async def banca_user(arena: Arena) -> Person:
    return await arena.add_user(Role.BANCA)


async def test_each_change_of_a_terminal_tells_who_what_before_and_after(
    api: RunningApi, arena: Arena, auditor: Auditor, banca_user: Person
) -> None:
    made = await api.post(
        "/api/v1/terminals", {"ventanaId": str(arena.ventana_id), "name": "Caja"}, token=banca_user.token,
        X_Request_Id="the-request",
    )  # fmt: skip
    terminal_id = made.json()["id"]
    for change in ("rotate", "disable", "disable", "enable"):
        body: dict[str, Any] | None = {} if change == "rotate" else None
        answer = await api.post(f"/api/v1/terminals/{terminal_id}/{change}", body, token=banca_user.token)
        assert answer.status == 200, answer.body
    await audited(arena, auditor)
    rows = await told(api, banca_user, f"?targetId={terminal_id}")
    assert [row["action"] for row in reversed(rows)] == [
        "TERMINAL_CREATE",
        "TERMINAL_ROTATE",
        "TERMINAL_DISABLE",
        "TERMINAL_DISABLE",
        "TERMINAL_ENABLE",
    ]
    assert {(row["actorId"], row["targetType"], row["layer"]) for row in rows} == {
        (str(banca_user.id), "TERMINAL", "api")
    }
    created, rotated, disabled, again, enabled = [row["details"] for row in reversed(rows)]
    assert created["before"] is None
    assert (created["after"]["name"], created["after"]["ventanaId"]) == ("Caja", str(arena.ventana_id))
    assert (rotated["before"]["keyVersion"], rotated["after"]["keyVersion"]) == (1, 2)
    assert [each["before"]["isActive"] for each in (disabled, again, enabled)] == [True, False, False]
    assert rows[-1]["requestId"] == "the-request"
    assert made.json()["secret"] not in str(rows)


async def test_a_change_that_is_refused_tells_nothing(api: RunningApi, arena: Arena, banca_user: Person) -> None:
    answer = await api.post(f"/api/v1/terminals/{uuid4()}/disable", token=banca_user.token)
    assert answer.code == "TERMINAL_NOT_FOUND"
    assert await arena.owner.fetchval("SELECT count(*) FROM outbox WHERE type = 'activity.recorded'") == 0


async def test_logins_failures_logouts_and_revocations_are_told(
    api: RunningApi, arena: Arena, auditor: Auditor, banca_user: Person
) -> None:
    seller, admin = arena.seller, await arena.add_user(Role.ADMIN)
    good = await api.post(LOGIN, {"username": seller.username, "password": PASSWORD})
    assert good.status == 200
    wrong = await api.post(LOGIN, {"username": seller.username, "password": "guess"})
    assert wrong.code == "INVALID_CREDENTIALS"
    other = {"username": seller.username, "password": PASSWORD, "terminalId": str(uuid4())}
    assert (await api.post(LOGIN, other)).code == "TERMINAL_UNKNOWN"
    assert (await api.post("/api/v1/auth/logout", token=good.json()["accessToken"])).status == 204
    session = arena.sellers[1].session_id
    assert (await api.delete(f"/api/v1/auth/sessions/{session}", token=admin.token)).status == 204
    await audited(arena, auditor)
    rows = [row for row in reversed(await told(api, banca_user)) if row["details"].get("reason") != "fifo_displacement"]
    assert [(row["action"], row["actorId"], row["targetType"]) for row in rows] == [
        ("LOGIN", str(seller.id), "SESSION"),
        ("LOGIN_FAILED", None, "USER"),
        ("LOGIN_FAILED", None, "USER"),
        ("LOGOUT", str(seller.id), "SESSION"),
        ("SESSION_REVOKE", str(admin.id), "SESSION"),
    ]
    assert [row["details"]["after"]["code"] for row in rows[1:3]] == ["INVALID_CREDENTIALS", "TERMINAL_UNKNOWN"]
    assert {row["targetId"] for row in rows[1:3]} == {str(seller.id)}
    assert rows[4]["details"] == {"reason": "revoked", "userId": str(arena.sellers[1].id)}
    assert "guess" not in str(rows)


async def test_a_name_that_nobody_has_is_counted_but_is_in_no_bancas_trail(api: RunningApi, arena: Arena) -> None:
    def failures() -> float:
        return REGISTRY.get_sample_value("login_failures_total", {"code": "INVALID_CREDENTIALS"}) or 0

    before = failures()
    answer = await api.post(LOGIN, {"username": "nobody-at-all", "password": "guess"})
    assert answer.code == "INVALID_CREDENTIALS"
    assert failures() == before + 1
    assert await arena.owner.fetchval("SELECT count(*) FROM outbox") == 0


async def test_the_trail_is_asked_by_user_target_action_and_time_and_paged_by_cursor(
    api: RunningApi, arena: Arena, auditor: Auditor, banca_user: Person
) -> None:
    admin = await arena.add_user(Role.ADMIN)
    targets = [uuid4() for _ in range(5)]
    async with arena.owner.transaction():
        await arena.owner.execute("SELECT set_config('app.banca_id', $1, true)", str(arena.banca_id))
        for number, target in enumerate(targets):
            await arena.owner.fetchval(
                "SELECT record_activity($1, $2, 'TERMINAL', $3, NULL, '{}', 'api', NULL)",
                "TERMINAL_ENABLE" if number % 2 else "TERMINAL_DISABLE",
                admin.id if number < 3 else banca_user.id,
                target,
            )
    await audited(arena, auditor)
    everything = [row["targetId"] for row in await told(api, banca_user)]
    assert everything == [str(target) for target in reversed(targets)]
    assert len(await told(api, banca_user, f"?actorId={admin.id}")) == 3
    assert len(await told(api, banca_user, "?action=TERMINAL_ENABLE")) == 2
    assert len(await told(api, banca_user, f"?actorId={admin.id}&action=TERMINAL_ENABLE&targetType=TERMINAL")) == 1
    first = await arena.owner.fetchval("SELECT min(occurred_at) FROM activity_log")
    instant = (first + timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    assert await told(api, banca_user, f"?from={instant}") == []
    assert len(await told(api, banca_user, f"?before={instant}")) == 5
    paged, cursor = [], ""
    while True:
        page = (await api.get(f"{ACTIVITY}?pageSize=2{cursor}", token=banca_user.token)).json()
        paged += [row["targetId"] for row in page["data"]]
        if page["meta"]["nextCursor"] is None:
            break
        cursor = f"&cursor={page['meta']['nextCursor']}"
    assert paged == everything


@pytest.mark.parametrize("query", ["?action=x", "?from=yesterday", "?actorId=7", "?cursor=W10=", "?unknown=1"])
async def test_a_query_out_of_form_is_refused(api: RunningApi, banca_user: Person, query: str) -> None:
    assert (await api.get(ACTIVITY + query, token=banca_user.token)).code == "VALIDATION_FAILED"


async def test_another_bancas_trail_does_not_exist_and_sellers_have_none(
    api: RunningApi, arena: Arena, auditor: Auditor
) -> None:
    stranger = await Arena.create(arena.owner, arena.settings)
    await api.post(LOGIN, {"username": arena.seller.username, "password": PASSWORD})
    await audited(arena, auditor)
    assert await told(api, await stranger.add_user(Role.BANCA)) == []
    for role in (Role.VENTANA, Role.VENDEDOR):
        person = await arena.add_user(role)
        assert (await api.get(ACTIVITY, token=person.token)).code == "FORBIDDEN"


async def test_an_activity_belongs_to_the_transaction_and_to_its_banca(database: TestDatabase, arena: Arena) -> None:
    pool = await create_pool(database.api_url, size=1, timeout_s=5, application_name="tests")
    api = Database(pool, acquire_timeout_s=5)
    facts: dict[str, Any] = {"actor_id": None, "target_type": "RESTRICTION", "target_id": uuid4(), "request_id": None}
    with pytest.raises(ZeroDivisionError):
        async with api.tenant(arena.banca_id, readonly=False) as connection:
            await record_activity(connection, Action.RESTRICTION_UPDATE, before={"limit": None}, **facts)
            raise ZeroDivisionError
    assert await arena.owner.fetchval("SELECT count(*) FROM outbox") == 0
    async with api.tenant(arena.banca_id, readonly=False) as connection:
        event_id = await record_activity(connection, Action.RESTRICTION_UPDATE, before={"limit": None}, **facts)
    row = await arena.owner.fetchrow("SELECT id, banca_id, payload ->> 'before' AS before FROM outbox")
    assert row is not None
    assert (row["id"], row["banca_id"], row["before"]) == (event_id, arena.banca_id, '{"limit": null}')
    async with api.connection() as connection:
        with pytest.raises(asyncpg.CheckViolationError):
            await record_activity(connection, Action.RESTRICTION_UPDATE, **facts)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(
                "SELECT write_activity($1, 'X', NULL, NULL, NULL, NULL, NULL, 'api', NULL)", arena.banca_id
            )
    await pool.close()


async def test_what_is_too_much_for_one_event_is_told_in_several(
    api: RunningApi, database: TestDatabase, arena: Arena, auditor: Auditor, banca_user: Person
) -> None:
    pool = await create_pool(database.api_url, size=1, timeout_s=5, application_name="tests")
    changes = [Change(uuid4(), {"all": "same"}, {"own": f"{number}" * 30_000}) for number in range(8)]
    async with Database(pool, acquire_timeout_s=5).tenant(arena.banca_id, readonly=False) as connection:
        await record_activities(
            connection, Action.RESTRICTION_UPDATE, changes, actor_id=None, target_type="RESTRICTION", request_id="r"
        )
    await pool.close()
    sizes = await arena.owner.fetch("SELECT length(payload::text) AS bytes FROM outbox")
    assert len(sizes) == 4
    assert max(row["bytes"] for row in sizes) < TARGETS_BYTES_MAX
    await audited(arena, auditor)
    assert await proven_rows(arena) == 8
    rows = [(UUID(row["targetId"]), row["details"]) for row in await told(api, banca_user)]
    assert rows[::-1] == [(one.target_id, {"before": one.before, "after": one.after}) for one in changes]


async def test_who_decides_a_dead_letter_is_in_the_trail_of_its_events_banca(
    api: RunningApi, arena: Arena, auditor: Auditor, banca_user: Person
) -> None:
    admin = await arena.add_user(Role.ADMIN, has_banca=False)
    event_id = await arena.owner.fetchval(
        "INSERT INTO outbox (id, banca_id, type, payload, created_at)"
        " VALUES (nextval('outbox_id'), $1, 'sessions.closed', $2, now()) RETURNING id",
        arena.banca_id, json.dumps({"sessionId": str(uuid4())}),
    )  # fmt: skip
    columns = ["banca.tests.audit"], ["letter"], ["audit"], ["m"], [event_id], [b"x"], ["POISONOUS"], ["why"], [3]
    for decision, state in (("replay", "REPLAYED"), ("drop", "DROPPED")):
        await arena.owner.execute("DELETE FROM dead_letters")
        await arena.owner.execute(sql("dead_letters/park"), "tests", *columns)
        letter_id = await arena.owner.fetchval("SELECT id FROM dead_letters")
        answer = await api.post(f"/api/v1/admin/dead-letters/{letter_id}/{decision}", token=admin.token)
        assert answer.status == 204, answer.body
        await audited(arena, auditor)
        [row] = await told(api, banca_user, f"?targetId={letter_id}")
        assert (row["action"], row["actorId"]) == (f"DEAD_LETTER_{decision.upper()}", str(admin.id))
        assert row["requestId"] == answer.headers["X-Request-Id"]
        assert row["details"] == {
            "before": {"state": "PARKED", "reason": "POISONOUS", "eventId": event_id},
            "after": {"state": state, "by": f"user:{admin.id}"},
        }
