"""What statements cost: each taking is read a few times at most, of a banca too that no statistics have seen."""

from __future__ import annotations

from datetime import date
from uuid import UUID, uuid4

from tests.arena import Arena
from tests.reads import rows_read
from tests.statements.office import Office

DAYS, DRAWS, SELLERS = 14, 5, 20
TAKINGS = DAYS * DRAWS * SELLERS
LOOKS_MAX = 3

ADD_RESULTS = """
INSERT INTO sorteo_results (banca_id, sorteo_id, evaluation, winning_number, state, last_sequence, progressed_at,
                            total_in_cents, net_profit_cents, settled_at, event_id, requested_by, requested_at)
SELECT $1, md5('draw ' || d || n)::uuid, 1, 7, 'DONE', 1, now(), 0, 0, now(), 1, md5('admin')::uuid, now()
  FROM generate_series(1, $2) d, generate_series(1, $3) n
"""
ADD_TAKINGS = """
INSERT INTO sorteo_takings (banca_id, business_date, sorteo_id, evaluation, vendedor_id, ventana_id, sales_cents,
                            payouts_cents, commission_cents, vendedor_commission_cents, listero_commission_cents,
                            ticket_count, winning_tickets)
SELECT $1, $5::date + d - 1, md5('draw ' || d || n)::uuid, 1, md5('seller ' || v)::uuid, md5('ventana')::uuid, 100,
       0, 0, 0, 0, 1, 0
  FROM generate_series(1, $2) d, generate_series(1, $3) n, generate_series(1, $4) v
"""
ADD_WORK = """
INSERT INTO statement_work (banca_id, dimension, entity_id, business_date)
SELECT DISTINCT banca_id, 'VENDEDOR'::statement_dimension, vendedor_id, business_date FROM sorteo_takings
 WHERE banca_id = $1
"""


async def test_days_and_months_read_what_was_taken_a_few_times(office: Office) -> None:
    arena = office.arena
    month = (await office.day_of_draw()).replace(day=1)
    await take(arena, uuid4(), month)
    await arena.owner.execute("ANALYZE")
    await take(arena, arena.banca_id, month)
    before = await reads(arena)
    computed = await arena.owner.fetchval("SELECT done FROM recompute_statements($1, $2)", arena.banca_id, TAKINGS)
    assert computed == DAYS * SELLERS
    after = await reads(arena)
    assert after - before <= LOOKS_MAX * 2 * TAKINGS
    assert await office.close_month(month) == SELLERS
    assert await reads(arena) - after <= LOOKS_MAX * 2 * TAKINGS


async def take(arena: Arena, banca_id: UUID, month: date) -> None:
    """What many evaluated draws came to; the draws themselves nobody looks at."""
    async with arena.owner.transaction():
        await arena.owner.execute("SET LOCAL session_replication_role = replica")
        await arena.owner.execute(ADD_RESULTS, banca_id, DAYS, DRAWS)
        await arena.owner.execute(ADD_TAKINGS, banca_id, DAYS, DRAWS, SELLERS, month)
        await arena.owner.execute(ADD_WORK, banca_id)


async def reads(arena: Arena) -> int:
    """Of takings and results."""
    return await rows_read(arena.owner, "sorteo_takings") + await rows_read(arena.owner, "sorteo_results")
