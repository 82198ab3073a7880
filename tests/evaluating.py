"""What the tests of results share: a draw that was drawn, workers that evaluate, and what it did to the balances."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from core.database import Database, create_pool
from tests.arena import Arena
from workers.evaluations import Evaluations

if TYPE_CHECKING:
    from tests.arena import Owner

# Small, so that a handful of tickets takes several steps.
STEP_TICKETS = 2


@dataclass
class Evaluator:
    """One worker's evaluations. balances: (account, balance, version), as it told the readers."""

    database: Database
    evaluations: Evaluations
    balances: list[tuple[UUID, int, int]] = field(default_factory=list)

    async def finish(self) -> int:
        """Work until nothing is under way; returns how many steps it took."""
        steps = 0
        while made := await self.evaluations.run_once():
            steps += made
        return steps


@asynccontextmanager
async def open_evaluator(worker_url: str, *, step_tickets: int = STEP_TICKETS) -> AsyncIterator[Evaluator]:
    balances: list[tuple[UUID, int, int]] = []

    def publish(banca_id: UUID, account_id: UUID, *, balance_cents: int, version: int) -> None:
        balances.append((account_id, balance_cents, version))

    pool = await create_pool(worker_url, size=1, timeout_s=20, application_name="tests")
    try:
        database = Database(pool, acquire_timeout_s=10)
        yield Evaluator(database, Evaluations(database, publish_balance=publish, step_tickets=step_tickets), balances)
    finally:
        await pool.close()


async def draw_now(owner: Owner, sorteo_id: UUID, *, status: str = "CLOSED") -> None:
    """The draw is this instant, whatever was sold; of its business day it stays."""
    async with owner.transaction():
        await owner.execute("SET LOCAL session_replication_role = replica")
        await owner.execute("ALTER TABLE sorteos DROP CONSTRAINT IF EXISTS sorteos_business_date_is_costa_ricas")
        await owner.execute(
            "UPDATE sorteos SET status = $2::text::sorteo_status, scheduled_at = date_trunc('milliseconds', clock_timestamp())"
            " WHERE id = $1",
            sorteo_id, status,
        )  # fmt: skip
        # Or what its history says is another state.
        await owner.execute("DELETE FROM sorteo_states WHERE sorteo_id = $1", sorteo_id)


async def balances(owner: Owner) -> dict[UUID, int]:
    rows = await owner.fetch("SELECT id, balance_cents FROM accounts WHERE balance_cents IS NOT NULL")
    return {row["id"]: row["balance_cents"] for row in rows}


async def account(owner: Owner, seller_id: UUID) -> tuple[int, int]:
    """Balance and how far below the limit it may stand."""
    row = await owner.fetchrow("SELECT balance_cents, allowed_overdraft_cents FROM accounts WHERE id = $1", seller_id)
    assert row is not None
    return row["balance_cents"], row["allowed_overdraft_cents"]


async def result(owner: Owner, sorteo_id: UUID) -> dict[str, Any]:
    """The newest."""
    row = await owner.fetchrow(
        "SELECT * FROM sorteo_results WHERE sorteo_id = $1 ORDER BY evaluation DESC LIMIT 1", sorteo_id
    )
    return {} if row is None else dict(row)


async def prizes(owner: Owner, sorteo_id: UUID, *, evaluation: int = 1) -> list[tuple[int, int, int]]:
    """(sequence, line, cents)."""
    rows = await owner.fetch(
        "SELECT sequence, line, amount_cents FROM prizes WHERE sorteo_id = $1 AND evaluation = $2 ORDER BY 1, 2",
        sorteo_id, evaluation,
    )  # fmt: skip
    return [tuple(row) for row in rows]


async def request(
    arena: Arena, number: str, *, extra: UUID | None = None, outcome: str | None = None, sorteo_id: UUID | None = None
) -> str:
    """Ask for an evaluation as the API does; what the function answers."""
    answer: str = await arena.owner.fetchval(
        "SELECT outcome FROM request_evaluation($1, $2, ARRAY['CLOSED', 'CLOSED']::sorteo_status[], ARRAY[true, false],"
        " $3, $4, $5, $6, 'request')",
        arena.banca_id, sorteo_id or arena.sorteo_id, number, extra, outcome, arena.seller.id,
    )  # fmt: skip
    return answer


async def request_revert(arena: Arena, *, force: bool = False, sorteo_id: UUID | None = None) -> str:
    answer: str = await arena.owner.fetchval(
        "SELECT outcome FROM request_revert($1, $2, ARRAY['EVALUATED', 'EVALUATED']::sorteo_status[],"
        " ARRAY[true, false], 'typed wrong', $3, $4, 'request')",
        arena.banca_id, sorteo_id or arena.sorteo_id, force, arena.seller.id,
    )  # fmt: skip
    return answer
