"""Locks that a test holds, and who waits for them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from asyncpg.transaction import Transaction

from tests.workers.pipeline import eventually

if TYPE_CHECKING:
    from tests.arena import Owner

# Waiting for a lock of ours, sent by a shop.
WAITING = """
SELECT array_agg(a.pid ORDER BY a.query_start) FROM pg_stat_activity a
 WHERE a.datname = current_database() AND a.application_name = 'shop' AND a.wait_event_type = 'Lock'
"""


async def hold_draw(intruder: Owner, sorteo_id: UUID) -> Transaction:
    """Whoever writes in the draw waits until the transaction ends."""
    transaction = intruder.transaction()
    await transaction.start()
    await intruder.execute("SELECT 1 FROM sorteos WHERE id = $1 FOR UPDATE", sorteo_id)
    return transaction


async def waiting(owner: Owner, *, calls: int = 1) -> list[int]:
    """The pids of so many calls of shops once they wait for a lock, the longest waiting first."""

    async def check() -> list[int] | None:
        pids: list[int] = await owner.fetchval(WAITING) or []
        return pids if len(pids) >= calls else None

    return await eventually(check) or []
