"""The dead letters over HTTP and on the command line: for an ADMIN, and once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from uuid import UUID, uuid4

import orjson
import pytest

from core.domain.permissions import Role
from core.queries import sql
from tests.arena import Arena, Person
from tests.running_api import RunningApi
from tests.workers.pipeline import eventually

LETTERS = "/api/v1/admin/dead-letters"
ROOT = Path(__file__).resolve().parents[2]
QUEUE = "banca.tests.audit"


@pytest.fixture
async def admin(arena: Arena) -> Person:
    return await arena.add_user(Role.ADMIN, has_banca=False)


async def park(arena: Arena, *, event_id: int | None = None, queue: str = QUEUE) -> UUID:
    key = str(uuid4())
    columns = [queue], [key], ["audit"], [key], [event_id], [b"\xff bytes"], ["POISONOUS"], ["why\nreally"], [3]
    await arena.owner.execute(sql("dead_letters/park"), "tests", *columns)
    letter_id: UUID = await arena.owner.fetchval("SELECT id FROM dead_letters WHERE letter_key = $1", key)
    return letter_id


async def state(arena: Arena, letter_id: UUID) -> tuple[str, str | None]:
    row = await arena.owner.fetchrow("SELECT state::text, decided_by FROM dead_letters WHERE id = $1", letter_id)
    assert row is not None
    return row["state"], row["decided_by"]


async def test_an_admin_lists_them_by_state_and_queue_page_by_page(
    api: RunningApi, arena: Arena, admin: Person
) -> None:
    ids = [str(await park(arena)) for _ in range(3)]
    elsewhere = str(await park(arena, queue="banca.tests.statements"))
    assert (await api.post(f"{LETTERS}/{ids[0]}/drop", token=admin.token)).status == 204
    found = {}
    for query in ("", "?state=PARKED", "?state=DROPPED", f"?queue={QUEUE}", "?pageSize=2"):
        answer = await api.get(LETTERS + query, token=admin.token)
        assert answer.status == 200, answer.body
        found[query] = [row["id"] for row in answer.json()["data"]]
    assert found[""] == [elsewhere, *reversed(ids)]
    assert found["?state=PARKED"] == [elsewhere, ids[2], ids[1]]
    assert found["?state=DROPPED"] == [ids[0]]
    assert found[f"?queue={QUEUE}"] == ids[::-1]
    cursor = answer.json()["meta"]["nextCursor"]
    following = (await api.get(f"{LETTERS}?pageSize=2&cursor={cursor}", token=admin.token)).json()["data"]
    assert found["?pageSize=2"] + [row["id"] for row in following] == found[""]
    assert (following[0]["error"], following[0]["attempts"], following[0]["payloadBytes"]) == ("why\nreally", 3, 7)


@pytest.mark.parametrize(("word", "decision"), [("replay", "REPLAYED"), ("drop", "DROPPED")])
async def test_a_letter_is_decided_once_and_says_by_whom(
    api: RunningApi, arena: Arena, admin: Person, word: str, decision: str
) -> None:
    letter_id = await park(arena)
    assert (await api.post(f"{LETTERS}/{letter_id}/{word}", token=admin.token)).status == 204
    assert await state(arena, letter_id) == (decision, f"user:{admin.id}")
    for again in ("replay", "drop"):
        answer = await api.post(f"{LETTERS}/{letter_id}/{again}", token=admin.token)
        assert (answer.status, answer.code) == (409, "DEAD_LETTER_NOT_PARKED")
    unknown = await api.post(f"{LETTERS}/{uuid4()}/{word}", token=admin.token)
    assert (unknown.status, unknown.code) == (404, "DEAD_LETTER_NOT_FOUND")


async def test_a_letter_whose_event_is_done_says_so(api: RunningApi, arena: Arena, admin: Person) -> None:
    await park(arena, event_id=987_654)
    [row] = (await api.get(LETTERS, token=admin.token)).json()["data"]
    assert (row["eventId"], row["isDone"]) == (987_654, True)


async def test_nobody_else_sees_or_decides_them(api: RunningApi, arena: Arena) -> None:
    letter_id = await park(arena)
    for role in (Role.BANCA, Role.VENTANA, Role.VENDEDOR):
        person = await arena.add_user(role)
        assert (await api.get(LETTERS, token=person.token)).code == "FORBIDDEN"
        assert (await api.post(f"{LETTERS}/{letter_id}/drop", token=person.token)).code == "FORBIDDEN"
    assert await state(arena, letter_id) == ("PARKED", None)


async def test_the_metrics_count_the_parked_ones_by_queue(api: RunningApi, arena: Arena, admin: Person) -> None:
    queue = f"banca.{uuid4().hex[:8]}.audit"
    letter_id = await park(arena, queue=queue)
    assert f'banca_dead_letters{{queue="{queue}"}} 1.0' in (await api.get("/metrics")).body.decode()
    await api.post(f"{LETTERS}/{letter_id}/drop", token=admin.token)

    async def none_parked() -> bool:
        # The parts are examined at most once a second.
        return f'banca_dead_letters{{queue="{queue}"}} 0.0' in (await api.get("/metrics")).body.decode()

    await eventually(none_parked)


def dead(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "cli", "dead", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


async def test_the_command_line_lists_shows_replays_and_drops(
    arena: Arena, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.delenv("MIGRATION_DATABASE_URL", raising=False)
    first, second, third = [await park(arena) for _ in range(3)]
    listed = dead("list")
    assert listed.returncode == 0, listed.stderr
    assert [line.split()[0] for line in listed.stdout.splitlines()] == [str(third), str(second), str(first)]
    assert listed.stdout.splitlines()[0].endswith("really")
    shown = orjson.loads(dead("show", str(first)).stdout)
    assert (shown["payload"], shown["reason"]) == ("\\xff bytes", "POISONOUS")
    dropped = dead("drop", str(first))
    assert dropped.stdout == f"{first} DROPPED\n"
    again = dead("replay", str(first))
    assert (again.returncode, "replayed or dropped already" in again.stderr) == (1, True)
    assert dead("replay", "all").returncode == 0
    states = [await state(arena, letter_id) for letter_id in (first, second, third)]
    assert [each[0] for each in states] == ["DROPPED", "REPLAYED", "REPLAYED"]
    assert {str(each[1]).partition(":")[0] for each in states} == {"cli"}
    assert dead("list").stdout == "Nothing is parked.\n"
    assert len(orjson.loads(dead("list", "--all", "--json").stdout)) == 3
