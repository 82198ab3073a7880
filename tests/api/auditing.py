"""The audit trail in the tests of the API: the worker's part done here and now, and what is read of it afterwards."""

from __future__ import annotations

from typing import Any

from core.audit_chain import verify_chain
from tests.arena import Arena, Person
from tests.running_api import RunningApi
from workers.audit import Auditor

ACTIVITY = "/api/v1/activity"


async def audited(arena: Arena, auditor: Auditor) -> None:
    rows = await arena.owner.fetch(
        "SELECT id, banca_id, type, payload::text AS payload, created_at FROM outbox ORDER BY id"
    )
    await auditor.record(
        [
            {
                "id": row["id"],
                "bancaId": str(row["banca_id"]),
                "type": row["type"],
                "payload": row["payload"],
                "createdAt": row["created_at"].isoformat(),
            }
            for row in rows
        ]
    )


async def told(api: RunningApi, person: Person, query: str = "") -> list[dict[str, Any]]:
    answer = await api.get(ACTIVITY + query, token=person.token)
    assert answer.status == 200, answer.body
    data: list[dict[str, Any]] = answer.json()["data"]
    return data


async def proven_rows(arena: Arena) -> int:
    """How many rows of the banca's trail its chain proves; all of them."""
    async with arena.owner.transaction(isolation="repeatable_read", readonly=True):
        report = await verify_chain(arena.owner, arena.banca_id)
    assert report.first_break is None
    return report.rows_count
