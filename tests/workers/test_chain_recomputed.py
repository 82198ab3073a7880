"""The audit chain recomputed from its documented form (docs/audit-chain.md), by nothing that Banca itself uses.

The verifier and the writer share the SQL functions that hash a row and a link: a change of one of them would change
both sides alike.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import asyncpg

from tests.workers.pipeline import Pipeline, sold
from tests.workers.test_chain import record_all

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "audit-chain.md"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Text, numbers and nesting that one JSON writer may write differently from another.
AWKWARD = {
    "b": 'quotes " and \\ and / and \u00f1 and \u20a1 and \U0001f600',
    "aa": "line\nfeed, tab\t, bell\x07, unit separator\x1f, delete\x7f, \u2028",
    "a": [],
    "ccc": {},
    "bb": [1, -0.5, 12.50, 1e2, True, False, None, {"zz": 1, "y": 2, "\u00f1": 3}],
    "A": 2**70,
}
EVENT = {
    "at": "2026-11-21T03:26:34.123456+00:00",
    "action": "LOTERIA_UPDATE",
    "layer": "api",
    "actorId": "6f1c2d1e-8a49-4f0e-9a53-0f0c3b6f4d11",
    "targetType": "LOTERIA",
    "targetId": "0d4b6a0a-5a39-4a2f-8e0e-2f6f0e3d9c22",
    "requestId": "a request's id",
}


async def test_every_link_is_what_the_documented_form_makes_of_its_event_and_rows(redis_pipeline: Pipeline) -> None:
    banca_id, other_id = await redis_pipeline.banca(), await redis_pipeline.banca()
    await redis_pipeline.event(banca_id, "tickets.sold", sold(12))
    await redis_pipeline.event(banca_id, "activity.recorded", json.dumps(EVENT | {"after": AWKWARD}))
    await redis_pipeline.event(other_id, "tickets.sold", sold(1))
    await redis_pipeline.event(
        banca_id, "sessions.opened", {"sessionId": str(uuid.uuid4()), "actorId": str(uuid.uuid4())}
    )
    await redis_pipeline.event(banca_id, "activity.recorded", EVENT | {"actorId": None, "targetId": None})
    await record_all(redis_pipeline)

    assert await recomputed_links(redis_pipeline.owner, banca_id) == await stored_links(redis_pipeline.owner, banca_id)
    assert await recomputed_links(redis_pipeline.owner, other_id) == await stored_links(redis_pipeline.owner, other_id)
    assert len(await stored_links(redis_pipeline.owner, banca_id)) == 4


async def test_the_example_of_the_document_is_what_the_database_computes(redis_pipeline: Pipeline) -> None:
    """Fixed hashes: a chain of an earlier release must verify for as long as it is kept."""
    text = DOCUMENT.read_text()
    payload, row = re.findall(r"```json\n(.*)\n```", text)
    content_hash, link_hash = re.findall(r"`([0-9a-f]{64})`", text)
    banca_id = uuid.UUID(json.loads(row)[0])
    await redis_pipeline.owner.execute(
        "INSERT INTO bancas (id, name, code) VALUES ($1, 'Example', 'EXAMPLE')", banca_id
    )
    await redis_pipeline.owner.execute(
        "INSERT INTO outbox (id, banca_id, type, payload, created_at)"
        " VALUES (7, $1, 'activity.recorded', $2::text::json, '2026-11-21T03:26:35Z')",
        banca_id,
        payload,
    )
    await record_all(redis_pipeline)
    [link] = await stored_links(redis_pipeline.owner, banca_id)
    assert link == (1, 7, 1, bytes.fromhex(content_hash), bytes(32), bytes.fromhex(link_hash))
    assert canonical(json.loads(row)) == row


Link = tuple[int, int, int, bytes, bytes, bytes]


async def stored_links(owner: asyncpg.Connection[asyncpg.Record], banca_id: uuid.UUID) -> list[Link]:
    rows = await owner.fetch(
        "SELECT position, event_id, rows_count, content_hash, previous_hash, hash FROM audit_chain"
        " WHERE banca_id = $1 ORDER BY position",
        banca_id,
    )
    return [tuple(row) for row in rows]


async def recomputed_links(owner: asyncpg.Connection[asyncpg.Record], banca_id: uuid.UUID) -> list[Link]:
    """From the events in the outbox and the rows of the trail; of audit_chain only the order of the events."""
    order = await owner.fetch("SELECT event_id FROM audit_chain WHERE banca_id = $1 ORDER BY position", banca_id)
    previous, links = bytes(32), []
    for position, (event_id,) in enumerate(order, start=1):
        payload = await owner.fetchval("SELECT payload::text FROM outbox WHERE id = $1", event_id)
        rows = await owner.fetch(
            "SELECT banca_id, event_id, line, occurred_on, occurred_at, action, actor_id, target_type, target_id,"
            " layer, request_id, details::text AS details FROM activity_log WHERE banca_id = $1 AND event_id = $2"
            " ORDER BY line",
            banca_id,
            event_id,
        )
        content = hashlib.sha256(payload.encode()).digest()
        rows_hash = hashlib.sha256("\n".join(canonical_row(row) for row in rows).encode()).digest()
        own = hashlib.sha256(previous + content + rows_hash).digest()
        links.append((position, event_id, len(rows), content, previous, own))
        previous = own
    return links


def canonical_row(row: asyncpg.Record) -> str:
    members = dict(row)
    at: datetime = members["occurred_at"]
    members["occurred_at"] = (at - EPOCH) // timedelta(microseconds=1)
    members["details"] = json.loads(members["details"], parse_float=Decimal)
    return canonical(list(members.values()))


def canonical(value: object) -> str:
    """JSON in one spelling: keys by their length in bytes and then by their bytes, ", " and ": " between, decimals as stored."""
    match value:
        case list():
            return f"[{', '.join(canonical(each) for each in value)}]"
        case dict():
            members = sorted(value.items(), key=lambda member: (len(member[0].encode()), member[0].encode()))
            return f"{{{', '.join(f'{canonical(name)}: {canonical(each)}' for name, each in members)}}}"
        case Decimal():
            return str(value)
        case uuid.UUID() | date():
            return f'"{value}"'
        case _:
            return json.dumps(value, ensure_ascii=False)
