"""Whatever a banca does, in whatever order, its statements are what a computation from scratch gives, and agree with the
ledger.
"""

from __future__ import annotations

import pytest

from tests.arena import Arena
from tests.databases import TestDatabase
from tests.statements.doings import doings_of
from tests.statements.office import open_office

SEEDS = range(6)
STEPS = 60


@pytest.mark.parametrize("seed", SEEDS)
async def test_statements_are_what_a_computation_from_scratch_gives(
    arena: Arena, database: TestDatabase, seed: int
) -> None:
    async with open_office(arena, database) as office:
        doings = await doings_of(office, seed)
        await doings.do(STEPS)
        await office.evaluator.finish()
        await office.compute_on(doings.today)
        assert await office.findings() == []
