"""What statements read, and a banca whose tickets no statistics have seen."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from tests.arena import Arena

if TYPE_CHECKING:
    from tests.arena import Owner


async def analyze_as_if_they_were_anothers(arena: Arena) -> None:
    """The tables are full, but of a banca that the statistics do not know."""
    other = uuid4()
    for seen_as, really in ((other, arena.banca_id), (arena.banca_id, other)):
        async with arena.owner.transaction():
            await arena.owner.execute("SET LOCAL session_replication_role = replica")
            for table in ("tickets", "jugadas", "transfers", "accounts"):
                await arena.owner.execute(f"UPDATE {table} SET banca_id = $1 WHERE banca_id = $2", seen_as, really)
        if seen_as == other:
            await arena.owner.execute("ANALYZE")


async def rows_read(owner: Owner, table: str) -> int:
    """Of the table, or of all its months; by sessions that ended, or told."""
    await owner.execute("SELECT pg_stat_force_next_flush()")
    await owner.execute("SELECT pg_stat_clear_snapshot()")
    count: int = await owner.fetchval(
        "SELECT coalesce(sum(coalesce(idx_tup_fetch, 0) + seq_tup_read), 0)::bigint FROM pg_stat_user_tables"
        " WHERE relname ~ ('^' || $1 || '(_[0-9_]+)?$')",
        table,
    )
    return count
