"""The chain proves the trail: whatever a superuser changes, verify names the first link that breaks."""

from __future__ import annotations

import json
import uuid

import asyncpg
import pytest

from core.audit_chain import GENESIS_HASH, ChainBreak, ChainFault, hash_content
from tests.workers.pipeline import Pipeline, sold
from workers.audit import Auditor

SESSION_SETTINGS = "SET TimeZone = 'Pacific/Auckland'; SET DateStyle = 'SQL, DMY'; SET extra_float_digits = -15"

Chained = tuple[Pipeline, uuid.UUID, list[int]]


@pytest.fixture
async def chained(redis_pipeline: Pipeline) -> Chained:
    """A banca with five events of two tickets, beside another; gives the pipeline, the banca and the event ids."""
    banca_id, other_id = await redis_pipeline.banca(), await redis_pipeline.banca()
    ids = [await redis_pipeline.sale(banca_id) for _ in range(5)]
    await redis_pipeline.sale(other_id)
    await record_all(redis_pipeline)
    await redis_pipeline.owner.execute("SET session_replication_role = replica")
    return redis_pipeline, banca_id, ids


async def record_all(pipeline: Pipeline) -> None:
    rows = await pipeline.owner.fetch("SELECT id, banca_id, type, payload::text AS payload, created_at FROM outbox")
    wires = [
        {
            "id": row["id"],
            "bancaId": str(row["banca_id"]),
            "type": row["type"],
            "payload": row["payload"],
            "createdAt": row["created_at"].isoformat(),
        }
        for row in rows
    ]
    await Auditor(pipeline.database).record(wires)


async def test_an_untouched_chain_is_whole_whatever_the_session_says(chained: Chained) -> None:
    pipeline, banca_id, ids = chained
    await pipeline.owner.execute(SESSION_SETTINGS)
    report = await pipeline.verify(banca_id)
    assert report.first_break is None
    assert (report.first_position, report.links_count, report.rows_count) == (1, 5, 10)
    link = await pipeline.owner.fetchrow(
        "SELECT previous_hash, content_hash FROM audit_chain WHERE banca_id = $1 AND event_id = $2", banca_id, ids[0]
    )
    assert link is not None
    assert link["previous_hash"] == GENESIS_HASH
    assert link["content_hash"] == hash_content((await pipeline.events())[ids[0]]["payload"])


@pytest.mark.parametrize(
    ("tampering", "expected"),
    [
        (
            "UPDATE activity_log SET details = jsonb_set(details, '{totalCents}', '1') WHERE event_id = $1 AND line = 2",
            (ChainFault.ROWS_CHANGED, 3),
        ),
        (
            "UPDATE activity_log SET actor_id = gen_random_uuid() WHERE event_id = $1 AND line = 1",
            (ChainFault.ROWS_CHANGED, 3),
        ),
        (
            "UPDATE activity_log SET occurred_at = occurred_at + interval '1 microsecond' WHERE event_id = $1",
            (ChainFault.ROWS_CHANGED, 3),
        ),
        ("UPDATE activity_log SET request_id = NULL WHERE event_id = $1 AND line = 1", (ChainFault.ROWS_CHANGED, 3)),
        ("DELETE FROM activity_log WHERE event_id = $1 AND line = 2", (ChainFault.ROWS_MISSING, 3)),
        ("DELETE FROM activity_log WHERE event_id = $1", (ChainFault.ROWS_MISSING, 3)),
        ("DELETE FROM audit_chain WHERE event_id = $1", (ChainFault.LINK_MISSING, 3)),
        ("UPDATE audit_chain SET content_hash = previous_hash WHERE event_id = $1", (ChainFault.EVENT_CHANGED, 3)),
        ("UPDATE audit_chain SET hash = content_hash WHERE event_id = $1", (ChainFault.ROWS_CHANGED, 3)),
        ("UPDATE audit_chain SET rows_count = 1 WHERE event_id = $1", (ChainFault.ROWS_CHANGED, 3)),
        ("UPDATE audit_chain SET previous_hash = hash WHERE event_id = $1", (ChainFault.NOT_CHAINED, 3)),
        ("UPDATE outbox SET payload = '{}' WHERE id = $1", (ChainFault.EVENT_CHANGED, 3)),
    ],
)
async def test_tampering_is_found_at_its_position(
    chained: Chained, tampering: str, expected: tuple[ChainFault, int]
) -> None:
    pipeline, banca_id, ids = chained
    await pipeline.owner.execute(tampering, ids[2])
    fault, position = expected
    broken = ChainBreak(fault, position, None if fault is ChainFault.LINK_MISSING else ids[2])
    report = await pipeline.verify(banca_id)
    assert report.first_break == broken
    assert report.links_count == 2


async def test_two_events_that_changed_places_are_found(chained: Chained) -> None:
    pipeline, banca_id, ids = chained
    await pipeline.owner.execute(
        "UPDATE activity_log SET event_id = CASE event_id WHEN $1 THEN -1 ELSE $1 END WHERE event_id IN ($1, $2)",
        ids[1],
        ids[3],
    )
    await pipeline.owner.execute("UPDATE activity_log SET event_id = $1 WHERE event_id = -1", ids[3])
    assert (await pipeline.verify(banca_id)).first_break == ChainBreak(ChainFault.ROWS_CHANGED, 2, ids[1])


async def test_a_row_added_to_an_event_or_beside_all_events_is_found(chained: Chained) -> None:
    pipeline, banca_id, ids = chained
    add = (
        "INSERT INTO activity_log (banca_id, occurred_on, event_id, line, occurred_at, action, layer)"
        " SELECT banca_id, occurred_on, $2, 3, occurred_at, 'TICKET_PAY', layer FROM activity_log"
        " WHERE banca_id = $1 LIMIT 1"
    )
    await pipeline.owner.execute(add, banca_id, 999_999)
    assert (await pipeline.verify(banca_id)).first_break == ChainBreak(ChainFault.ROWS_UNCHAINED, None, 999_999)
    await pipeline.owner.execute(add, banca_id, ids[4])
    assert (await pipeline.verify(banca_id)).first_break == ChainBreak(ChainFault.ROWS_CHANGED, 5, ids[4])


async def test_what_retention_cut_off_is_named_and_the_rest_proven(chained: Chained) -> None:
    pipeline, banca_id, ids = chained
    await pipeline.owner.execute("DELETE FROM audit_chain WHERE banca_id = $1 AND position <= 2", banca_id)
    await pipeline.owner.execute("DELETE FROM activity_log WHERE event_id = ANY ($1)", ids[:2])
    report = await pipeline.verify(banca_id)
    assert (report.first_position, report.links_count, report.first_break) == (3, 3, None)
    await pipeline.owner.execute("UPDATE activity_log SET target_type = 'X' WHERE event_id = $1", ids[3])
    assert (await pipeline.verify(banca_id)).first_break == ChainBreak(ChainFault.ROWS_CHANGED, 4, ids[3])


async def test_the_proof_needs_no_outbox(chained: Chained) -> None:
    pipeline, banca_id, ids = chained
    await pipeline.owner.execute("DELETE FROM outbox")
    assert (await pipeline.verify(banca_id)).links_count == 5
    await pipeline.owner.execute(
        "UPDATE activity_log SET action = 'TICKET_PAY' WHERE event_id = $1 AND line = 1", ids[0]
    )
    assert (await pipeline.verify(banca_id)).first_break == ChainBreak(ChainFault.ROWS_CHANGED, 1, ids[0])


async def test_a_banca_without_events_has_an_empty_chain(redis_pipeline: Pipeline) -> None:
    report = await redis_pipeline.verify(await redis_pipeline.banca())
    assert (report.first_position, report.links_count, report.head_hash) == (None, 0, GENESIS_HASH)


async def test_an_operation_in_a_month_without_partition_makes_one(redis_pipeline: Pipeline) -> None:
    banca_id = await redis_pipeline.banca()
    event_id = await redis_pipeline.sale(banca_id, at="2031-03-01T05:59:59.5+00:00")
    await record_all(redis_pipeline)
    assert await redis_pipeline.done() == {event_id}
    assert {str(row["occurred_on"]) for row in await redis_pipeline.trail(banca_id)} == {"2031-02-28"}


async def test_a_number_beyond_64_bits_is_told_as_it_is(redis_pipeline: Pipeline) -> None:
    banca_id = await redis_pipeline.banca()
    await redis_pipeline.event(banca_id, "tickets.sold", json.dumps(sold(1) | {"totalsCents": [2**70]}))
    await record_all(redis_pipeline)
    [row] = await redis_pipeline.trail(banca_id)
    assert str(2**70) in row["details"]
    assert (await redis_pipeline.verify(banca_id)).first_break is None


async def test_the_trail_of_another_banca_is_not_there_even_without_a_filter(chained: Chained) -> None:
    pipeline, banca_id, _ = chained
    async with pipeline.database.tenant(banca_id) as connection:
        assert await connection.fetchval("SELECT count(*) FROM activity_log") == 10
        assert await connection.fetchval("SELECT count(*) FROM audit_chain") == 5
    async with pipeline.database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM activity_log") == 0
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        async with pipeline.database.tenant(banca_id, readonly=False) as connection:
            await connection.execute(
                "INSERT INTO audit_chain VALUES (gen_random_uuid(), 1, 1, 1, sha256(''), sha256(''), sha256(''))"
            )
