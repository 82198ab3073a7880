"""What the statements of many sellers and days cost: the plans that must stay as they are."""

from __future__ import annotations

from uuid import UUID

import pytest

from tests.arena import Arena

FILL = """
INSERT INTO statements (banca_id, dimension, entity_id, business_date, created_at, updated_at)
SELECT $1, 'VENDEDOR', md5('seller ' || n)::uuid, date '2026-01-01' + day, now(), now()
  FROM generate_series(1, 20) AS n, generate_series(0, 199) AS day
"""
LAST_DAY_BEFORE = """
SELECT s.closing_cents FROM statements s
 WHERE s.banca_id = '{banca}' AND s.dimension = 'VENDEDOR' AND s.entity_id = md5('seller 7')::uuid
   AND s.business_date < '2026-07-01'
 ORDER BY s.business_date DESC LIMIT 1
"""
NEXT_ENTITY = """
SELECT s.entity_id FROM statements s
 WHERE s.banca_id = '{banca}' AND s.dimension = 'VENDEDOR' AND s.entity_id > md5('seller 7')::uuid
 ORDER BY s.entity_id LIMIT 1
"""


async def plan_of(arena: Arena, role: str, query: str) -> str:
    owner = arena.owner
    async with owner.transaction():
        await owner.execute(f"SET LOCAL ROLE {role}")
        await owner.execute(f"SET LOCAL app.banca_id = '{UUID(str(arena.banca_id))}'")
        rows = await owner.fetch("EXPLAIN " + query.format(banca=arena.banca_id))
    return "\n".join(row[0] for row in rows)


@pytest.mark.parametrize("role", ["banca_definer", "banca_api"])
@pytest.mark.parametrize("query", [LAST_DAY_BEFORE, NEXT_ENTITY])
async def test_the_days_of_an_entity_are_found_in_their_order(arena: Arena, role: str, query: str) -> None:
    """However many there are: under row-level security the dimension leads into no index."""
    await arena.owner.execute(FILL, arena.banca_id)
    await arena.owner.execute("ANALYZE statements")
    plan = await plan_of(arena, role, query)
    assert "statements_of_entity" in plan
    assert "Sort" not in plan
