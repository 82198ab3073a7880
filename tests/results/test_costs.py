"""What a result costs: each ticket is read a few times at most, whatever the statistics know of the banca."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.arena import Arena
from tests.databases import TestDatabase
from tests.evaluating import draw_now, open_evaluator, request, request_revert
from tests.reads import analyze_as_if_they_were_anothers, rows_read
from tests.till.shop import Shop
from tests.till.tickets import sale, ticket

if TYPE_CHECKING:
    from tests.arena import Owner

TICKETS, WINNERS = 400, 20
# Each winner's once, and at the end the draw as a whole; not the whole for each winner.
READS_MAX = 2 * TICKETS


async def test_a_banca_that_the_statistics_have_not_seen_is_not_read_for_each_winner(
    arena: Arena, shop: Shop, database: TestDatabase
) -> None:
    numbers = ["07"] * WINNERS + ["15"] * (TICKETS - WINNERS)
    await shop.record([sale(arena.seller, ticket(arena.sorteo_id, (number, 100))) for number in numbers])
    await analyze_as_if_they_were_anothers(arena)
    await draw_now(arena.owner, arena.sorteo_id)
    await request(arena, "07")
    assert WINNERS <= await tickets_read(arena.owner, database) <= READS_MAX
    await request_revert(arena)
    assert WINNERS <= await tickets_read(arena.owner, database) <= READS_MAX


async def tickets_read(owner: Owner, database: TestDatabase) -> int:
    """By finishing what was asked of the result."""
    before = await rows_read(owner, "tickets")
    async with open_evaluator(database.worker_url, step_tickets=TICKETS) as evaluator:
        assert await evaluator.finish() > 0
    # The statistics of a session are sent when it ends.
    return await rows_read(owner, "tickets") - before
