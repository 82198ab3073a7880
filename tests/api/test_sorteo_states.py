"""A draw's way from state to state over HTTP: the table of transitions, its history, and who sells meanwhile."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import pytest

from core.domain.permissions import Role
from core.domain.sorteo_states import SorteoAction, SorteoStatus, State, after
from tests.api.auditing import audited, told
from tests.api.ruling import API, Ruler, offered, ruler, somebody_waits
from tests.api.selling import sell, ticket
from tests.arena import Arena
from tests.pos import Pos
from tests.running_api import Answer, RunningApi
from tests.till.state import findings
from tests.workers.pipeline import eventually
from workers.audit import Auditor

ACTIONS = {
    SorteoAction.OPEN: "open",
    SorteoAction.CLOSE: "close",
    SorteoAction.FORCE_OPEN: "force-open",
    SorteoAction.DEACTIVATE: "deactivate",
    SorteoAction.RESTORE: "restore",
}


async def act(banca: Ruler, sorteo_id: object, action: str, document: Any = None) -> Answer:
    return await banca.send("POST", f"{API}/sorteos/{sorteo_id}/{action}", document)


async def states(banca: Ruler, sorteo_id: object) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = (await banca.get(f"{API}/sorteos/{sorteo_id}/states"))["data"]
    return data


async def move(arena: Arena, sorteo_id: UUID, state: State) -> None:
    await arena.owner.execute(
        "UPDATE sorteos SET status = $2::text::sorteo_status, is_active = $3 WHERE id = $1", sorteo_id, *state
    )


@pytest.mark.parametrize("action", ACTIONS)
async def test_every_action_from_every_state_does_what_the_table_says(
    banca: Ruler, arena: Arena, action: SorteoAction
) -> None:
    for number, state in enumerate(State(s, is_active=a) for s in SorteoStatus for a in (True, False)):
        sorteo_id = await arena.add_sorteo(minutes=100 + number)
        await move(arena, sorteo_id, state)
        answer, expected = await act(banca, sorteo_id, ACTIONS[action]), after(action, state)
        row = await arena.owner.fetchrow("SELECT status::text, is_active FROM sorteos WHERE id = $1", sorteo_id)
        assert row is not None
        history = await states(banca, sorteo_id)
        if expected is None:
            assert (answer.status, answer.code) == (409, "SORTEO_STATE_INVALID"), state
            assert (tuple(row), history) == (state, [])
            continue
        assert answer.status == 200, answer.body
        assert (answer.json()["status"], answer.json()["isActive"]) == tuple(row) == expected
        [change] = history
        assert (change["fromStatus"], change["toStatus"], change["isActive"]) == (state.status, *expected)
        assert change["actorId"] == str(banca.person.id)
    assert await findings(arena.owner, arena.banca_id) == []


async def test_a_history_tells_who_when_why_and_how_much_was_sold(
    api: RunningApi, banca: Ruler, arena: Arena, auditor: Auditor
) -> None:
    made = await banca.write("POST", f"{API}/sorteos", draw(arena))
    assert made["status"] == "SCHEDULED"
    path = f"{API}/sorteos/{made['id']}"
    await banca.write("POST", f"{path}/open")
    for _ in range(2):
        await sell(Pos(api, arena.seller), ticket(arena, sorteoId=made["id"]))
    await banca.write("POST", f"{path}/close", {"reason": "  too many people  "})
    await banca.write("POST", f"{path}/force-open", {"reason": "closed by mistake"})
    told_here = [
        (row["ordinal"], row["fromStatus"], row["toStatus"], row["ticketsSold"], row["reason"])
        for row in await states(banca, made["id"])
    ]
    assert told_here == [
        (4, "CLOSED", "OPEN", 2, "closed by mistake"),
        (3, "OPEN", "CLOSED", 2, "too many people"),
        (2, "SCHEDULED", "OPEN", 0, None),
        (1, None, "SCHEDULED", 0, None),
    ]
    await audited(arena, auditor)
    trail = await told(api, banca.person, f"?targetId={made['id']}")
    assert [row["action"] for row in trail] == [
        "SORTEO_FORCE_OPEN", "SORTEO_CLOSE", "SORTEO_OPEN", "SORTEO_CREATE",
    ]  # fmt: skip
    assert trail[1]["details"] == {
        "before": {"status": "OPEN", "isActive": True}, "after": {"status": "CLOSED", "isActive": True},
        "reason": "too many people", "lastSequence": 2,
    }  # fmt: skip
    assert {row["actorId"] for row in trail} == {str(banca.person.id)}
    page = await banca.get(f"{path}/states?pageSize=3")
    rest = await banca.get(f"{path}/states?pageSize=3&cursor={page['meta']['nextCursor']}")
    assert [row["ordinal"] for row in (*page["data"], *rest["data"])] == [4, 3, 2, 1]
    assert await findings(arena.owner, arena.banca_id) == []


async def test_what_is_closed_or_switched_off_is_not_sold_and_what_is_opened_again_is(
    api: RunningApi, banca: Ruler, arena: Arena
) -> None:
    told_of = []
    for action in ("close", "force-open", "deactivate", "restore"):
        await banca.write("POST", f"{API}/sorteos/{arena.sorteo_id}/{action}")
        told_of.append(await offered(api, arena, "1.00"))
    assert told_of == ["SORTEO_CLOSED", "SOLD", "SORTEO_NOT_OPEN", "SOLD"]
    assert await findings(arena.owner, arena.banca_id) == []


@pytest.mark.parametrize(
    ("document", "code"),
    [({"reason": "x"}, "FIELD_LENGTH_INVALID"), ({"reason": "x" * 201}, "FIELD_LENGTH_INVALID"),
     ({"reason": 7}, "FIELD_INVALID"), ({"because": "so"}, "FIELD_UNKNOWN")],
)  # fmt: skip
async def test_a_bad_reason_moves_nothing(banca: Ruler, arena: Arena, document: Any, code: str) -> None:
    for action in ACTIONS.values():
        answer = await act(banca, arena.sorteo_id, action, document)
        assert (answer.status, [violation["code"] for violation in answer.json()["violations"]]) == (400, [code])
    assert await states(banca, arena.sorteo_id) == []


async def test_nobody_moves_another_bancas_draw(api: RunningApi, banca: Ruler, arena: Arena) -> None:
    stranger = await Arena.create(arena.owner, arena.settings)
    for target in (stranger.sorteo_id, uuid4()):
        for action in ACTIONS.values():
            answer = await act(banca, target, action)
            assert (answer.status, answer.code) == (404, "SORTEO_NOT_FOUND")
        answer = await banca.send("GET", f"{API}/sorteos/{target}/states")
        assert (answer.status, answer.code) == (404, "SORTEO_NOT_FOUND")
    for role in (Role.VENTANA, Role.VENDEDOR):
        answer = await act(await ruler(api, arena, role), arena.sorteo_id, "close")
        assert (answer.status, answer.code) == (403, "FORBIDDEN")
    assert await arena.owner.fetchval("SELECT count(*) FROM sorteo_states") == 0


async def test_a_draw_whose_prizes_are_being_paid_stays_what_it_is(banca: Ruler, arena: Arena) -> None:
    await move(arena, arena.sorteo_id, State(SorteoStatus.CLOSED, is_active=True))
    await arena.owner.execute(
        "INSERT INTO sorteo_results (banca_id, sorteo_id, evaluation, winning_number, last_sequence, progressed_at,"
        " event_id, requested_by, requested_at) VALUES ($1, $2, 1, 7, 0, now(), 1, $3, now())",
        arena.banca_id, arena.sorteo_id, banca.person.id,
    )  # fmt: skip
    for action in ACTIONS.values():
        answer = await act(banca, arena.sorteo_id, action)
        assert (answer.status, answer.code) == (409, "EVALUATION_RUNNING")
    assert await states(banca, arena.sorteo_id) == []


async def test_fifty_close_a_draw_at_once_and_one_does(banca: Ruler, arena: Arena) -> None:
    answers = await asyncio.gather(*(act(banca, arena.sorteo_id, "close") for _ in range(50)))
    assert Counter(answer.status for answer in answers) == {200: 1, 409: 49}
    assert len(await states(banca, arena.sorteo_id)) == 1
    events = await arena.owner.fetchval("SELECT count(*) FROM outbox WHERE type = 'sorteos.moved'")
    assert events == 1


async def test_a_close_waits_for_the_batch_in_flight(banca: Ruler, arena: Arena) -> None:
    async with arena.owner.transaction():
        await arena.owner.execute("SELECT FROM sorteos WHERE id = $1 FOR NO KEY UPDATE", arena.sorteo_id)
        closing = asyncio.create_task(act(banca, arena.sorteo_id, "close"))
        await eventually(lambda: somebody_waits(arena.owner))
        await arena.owner.execute("UPDATE sorteos SET last_sequence = 7 WHERE id = $1", arena.sorteo_id)
    assert (await closing).status == 200
    [change] = await states(banca, arena.sorteo_id)
    assert change["ticketsSold"] == 7


def draw(arena: Arena, **members: Any) -> dict[str, Any]:
    return {"loteriaId": str(arena.loteria_id), "scheduledAt": "2030-01-15T19:30:00-06:00", **members}
