"""Rounds in which everything breaks; and that their checker sees what it is there to see."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from loadtests.faults.breakages import BREAKAGES
from loadtests.faults.round import Round
from loadtests.faults.schedule import schedule_of
from loadtests.faults.stack import FaultStack
from loadtests.history import Event, Kind, read_entries
from tests.faults.mutations import MUTATIONS
from tests.faults.seeds import RABBITMQ_SEED, SEEDS
from tests.rabbitmq import reachable_rabbitmq

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc"),
    pytest.mark.timeout(180),
]

# A batch of sales is one event; so many that there are several.
QUIET_OPERATIONS = 120
TICKETS_AMID_OTHERS = """
WITH sales AS (
    SELECT t.id, t.sequence, c.position,
           min(c.position) OVER draw AS first_link, max(c.position) OVER draw AS last_link,
           min(t.sequence) OVER event AS first_sold, max(t.sequence) OVER event AS last_sold,
           max(t.sequence) OVER draw AS last_sequence
      FROM tickets t
      JOIN audit_chain c ON c.banca_id = t.banca_id AND c.event_id = t.event_id
    WINDOW draw AS (PARTITION BY t.sorteo_id), event AS (PARTITION BY t.sorteo_id, t.event_id)
)
SELECT array_agg(id ORDER BY position, sequence) FROM sales
 WHERE position > first_link AND position < last_link AND first_sold > 1 AND last_sold < last_sequence"""


async def stack_on(folder: Path, *, amqp_url: str | None) -> AsyncIterator[FaultStack]:
    stack = FaultStack(folder, amqp_url=amqp_url)
    async with stack:
        yield stack
    stack.remove()


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FaultStack]:
    async for each in stack_on(tmp_path_factory.mktemp("rounds") / "stack", amqp_url=None):
        yield each


@pytest.fixture
async def rabbitmq_stack(tmp_path: Path) -> AsyncIterator[FaultStack]:
    async for each in stack_on(tmp_path / "stack", amqp_url=await reachable_rabbitmq()):
        yield each


@pytest.fixture(scope="module")
async def quiet_round(stack: FaultStack) -> AsyncIterator[Round]:
    """One in which nothing broke, and nothing is found."""
    async with Round(stack, 0, (), operations=QUIET_OPERATIONS) as a_round:
        report = await a_round.run()
        assert report.findings == ()
        yield a_round


@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_breaks_nothing_is_lost_nothing_is_done_twice_and_the_books_are_right(
    stack: FaultStack, seed: int
) -> None:
    await require_clean_round(stack, seed)


async def test_on_rabbitmq_too(rabbitmq_stack: FaultStack) -> None:
    await require_clean_round(rabbitmq_stack, RABBITMQ_SEED)


async def require_clean_round(stack: FaultStack, seed: int) -> None:
    strikes = schedule_of(seed, tuple(BREAKAGES))
    async with Round(stack, seed, strikes) as a_round:
        report = await a_round.run()
    assert report.findings == (), report
    # One that waits for its moment may be told after the next.
    assert sorted(report.struck) == sorted(map(str, strikes)), report


@pytest.mark.parametrize("name", MUTATIONS)
async def test_the_checker_sees(stack: FaultStack, quiet_round: Round, name: str) -> None:
    mutation, telling = MUTATIONS[name]
    async with stack.connection() as owner:
        # Neither triggers nor foreign keys stand in the way.
        await owner.execute("SET session_replication_role = replica")
        async with mutation(owner, await acknowledged_ticket(owner, quiet_round)):
            found = {finding.check for finding in await quiet_round.check()}
    assert telling <= found
    assert await quiet_round.check() == []


async def acknowledged_ticket(owner: asyncpg.Connection[asyncpg.Record], a_round: Round) -> UUID:
    """One not cancelled, with sales of other events before and after it, in its draw and in the trail."""
    entries = list(read_entries([a_round.history.path]))
    cancelled = {entry.operation.content["saleKey"] for entry in entries if entry.operation.kind is Kind.CANCEL}
    sold = {
        entry.ticket["id"]
        for entry in entries
        if entry.event is Event.OK and entry.operation.kind is Kind.SALE and entry.operation.key not in cancelled
    }
    amid = [ticket_id for ticket_id in await owner.fetchval(TICKETS_AMID_OTHERS) if str(ticket_id) in sold]
    chosen: UUID = amid[len(amid) // 2]
    return chosen
