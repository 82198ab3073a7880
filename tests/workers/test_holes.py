"""The trail of a draw's sales has no hole: each event says its range, so what is missing shows."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from core.books import CHECKS, check_books
from core.queries import sql
from tests.databases import TestDatabase
from tests.workers.pipeline import Pipeline
from tests.workers.test_chain import record_all

CHECK = "audit_sequences"


async def sell(pipeline: Pipeline, banca_id: uuid.UUID, sorteo_id: str, first: int, last: int) -> int:
    count = last - first + 1
    return await pipeline.sale(
        banca_id,
        tickets=count,
        sorteoIds=[sorteo_id] * count,
        sequences=list(range(first, last + 1)),
        sorteos=[{"sorteoId": sorteo_id, "from": first, "to": last}],
    )


async def findings(pipeline: Pipeline, *, grace: timedelta = timedelta(0)) -> list[str]:
    return [row["finding"] for row in await pipeline.owner.fetch(sql(f"books/{CHECK}"), grace)]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([(1, 2), (3, 4), (5, 6)], []),
        ([(5, 6), (1, 2), (3, 4)], []),
        ([(1, 2), (5, 6)], ["the trail has a hole from 3 to 4"]),
        ([(3, 4), (5, 6)], ["the trail has a hole from 1 to 2"]),
        ([(1, 2), (2, 3)], ["the trail tells the sale 2 twice"]),
    ],
)
async def test_what_is_missing_or_twice_in_a_draws_trail_is_named(
    redis_pipeline: Pipeline, told: list[tuple[int, int]], expected: list[str]
) -> None:
    banca_id, sorteo_id = await redis_pipeline.banca(), str(uuid.uuid4())
    for first, last in told:
        await sell(redis_pipeline, banca_id, sorteo_id, first, last)
    await record_all(redis_pipeline)
    assert await findings(redis_pipeline) == [f"draw {sorteo_id}: {finding}" for finding in expected]


async def test_a_hole_before_younger_sales_may_still_be_filled(redis_pipeline: Pipeline) -> None:
    banca_id, sorteo_id = await redis_pipeline.banca(), str(uuid.uuid4())
    await sell(redis_pipeline, banca_id, sorteo_id, 3, 4)
    await record_all(redis_pipeline)
    long_ago = await redis_pipeline.owner.fetchval("SELECT now() - min(occurred_at) FROM activity_log")
    assert await findings(redis_pipeline, grace=long_ago + timedelta(days=1)) == []
    assert len(await findings(redis_pipeline)) == 1


async def test_the_books_ask_for_it(redis_pipeline: Pipeline, database: TestDatabase) -> None:
    banca_id = await redis_pipeline.banca()
    await sell(redis_pipeline, banca_id, str(uuid.uuid4()), 2, 3)
    await record_all(redis_pipeline)
    report = await check_books(database.owner_url)
    assert CHECK in CHECKS
    assert [finding.banca_id for finding in report.findings_of(CHECK)] == [banca_id]
