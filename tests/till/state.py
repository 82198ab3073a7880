"""What a banca's tables say, read behind the till's back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from core.books import CHECKS, PIPELINE_CHECKS
from core.limit_history import over_limits
from core.queries import sql
from tests.workers.pipeline import eventually

if TYPE_CHECKING:
    from tests.arena import Owner

# What the till promises by itself; the others need the relay and the audit.
TILL_CHECKS = [check for check in CHECKS if check not in {*PIPELINE_CHECKS, "audit_chain"}]
IN_SQL = [check for check in TILL_CHECKS if check != "limits"]


async def findings(owner: Owner, banca_id: UUID) -> list[tuple[str, str]]:
    """(check, what it found) of the till's own checks, of one banca."""
    found = []
    for check in IN_SQL:
        rows = await owner.fetch(sql(f"books/{check}"))
        found += [(check, row["finding"]) for row in rows if row["banca_id"] == banca_id]
    async with owner.transaction():
        return found + [("limits", text) async for _, text in over_limits(owner, banca_id)]


async def row_counts(owner: Owner) -> dict[str, int]:
    """Of every table, partitioned ones as a whole."""
    tables = await owner.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
        " AND NOT relispartition ORDER BY relname"
    )
    return {row["relname"]: await owner.fetchval(f"SELECT count(*) FROM {row['relname']}") for row in tables}


async def everything(owner: Owner) -> dict[str, Any]:
    """What a sale or a cancel could have changed: the rows of every table, and the balances."""
    return {
        "rows": await row_counts(owner),
        "balances": await owner.fetch("SELECT id, balance_cents, balance_version FROM accounts ORDER BY id"),
        "sequences": await owner.fetch("SELECT id, last_sequence FROM sorteos ORDER BY id"),
        "exposure": await owner.fetch("SELECT * FROM exposure ORDER BY sorteo_id, number"),
        "cancelled": await owner.fetchval("SELECT count(*) FROM tickets WHERE status = 'CANCELLED'"),
    }


async def exposure(owner: Owner, sorteo_id: UUID) -> dict[int, int]:
    """Cents by number; numbers that everything was cancelled of are left out."""
    rows = await owner.fetch(
        "SELECT number, amount_cents FROM exposure WHERE sorteo_id = $1 AND amount_cents > 0 AND number >= 0", sorteo_id
    )
    return {row["number"]: row["amount_cents"] for row in rows}


async def tickets_count(owner: Owner) -> int:
    count: int = await owner.fetchval("SELECT count(*) FROM tickets")
    return count


async def poll(check: Callable[[], Awaitable[Any]]) -> Any:
    return await eventually(check)


async def forget_banca(owner: Owner, banca_id: UUID) -> None:
    """As if it had never been, so that the next example reads small tables."""
    async with owner.transaction():
        await owner.execute("SET LOCAL session_replication_role = replica")
        tables = await owner.fetch(
            "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'banca_id'"
            " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
        )
        for row in tables:
            await owner.execute(f"DELETE FROM {row['relname']} WHERE banca_id = $1", banca_id)
        await owner.execute("DELETE FROM bancas WHERE id = $1", banca_id)
