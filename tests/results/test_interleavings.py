"""Any interleaving of evaluating, taking back, paying and dying leaves the books right at every step, and at the end the
balances that the last result alone would have made."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
import pytest

from core.queries import sql
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.evaluating import STEP_TICKETS, Evaluator, balances, draw_now, request, request_revert
from tests.till.shop import Shop, sold
from tests.till.state import findings
from tests.till.tickets import sale, ticket

if TYPE_CHECKING:
    from tests.arena import Owner

SEEDS = range(8)
OPERATIONS = 60
NUMBERS = ("07", "15", "99")
CHECKS = ("account_balances", "prizes", "prize_transfers", "results", "ticket_transfers")
EXTRA_X = 150


class Day:
    """Two draws, sold out of one hat; each operation is what somebody or some worker does next."""

    def __init__(self, seed: int, arena: Arena, evaluator: Evaluator, extra: UUID, worker: Owner) -> None:
        self.chance = random.Random(seed)
        self.arena, self.evaluator, self.extra, self.worker = arena, evaluator, extra, worker
        # The last result that was asked for, of each draw.
        self.asked: dict[UUID, tuple[str, bool]] = {}
        self.outcomes: set[str] = set()

    async def operate(self) -> None:
        sorteo_id = self.chance.choice(self.arena.sorteo_ids)
        operation = self.chance.choices(
            (self.evaluate, self.revert, self.work, self.die, self.hand_out), weights=(3, 2, 6, 2, 1)
        )[0]
        await operation(sorteo_id)

    async def evaluate(self, sorteo_id: UUID) -> None:
        number, has_extra = self.chance.choice(NUMBERS), self.chance.random() < 0.5
        extra = self.extra if has_extra else None
        outcome = await request(self.arena, number, extra=extra, sorteo_id=sorteo_id)
        self.outcomes.add(outcome)
        if outcome == "REQUESTED":
            self.asked[sorteo_id] = (number, has_extra)

    async def revert(self, sorteo_id: UUID) -> None:
        outcome = await request_revert(self.arena, force=self.chance.random() < 0.5, sorteo_id=sorteo_id)
        self.outcomes.add(f"revert {outcome}")
        if outcome == "REQUESTED":
            del self.asked[sorteo_id]

    async def work(self, _: UUID) -> None:
        await self.evaluator.evaluations.run_once()

    async def die(self, sorteo_id: UUID) -> None:
        """A worker that is killed before its commit."""
        transaction = self.worker.transaction()
        await transaction.start()
        await self.worker.fetch(sql("evaluations/advance"), self.arena.banca_id, sorteo_id, STEP_TICKETS)
        await transaction.rollback()

    async def hand_out(self, sorteo_id: UUID) -> None:
        """A winner is paid, while the result stands."""
        await self.arena.owner.execute(
            "INSERT INTO ticket_payments (banca_id, business_date, ticket_id, ordinal, sorteo_id, sequence, evaluation,"
            " amount_cents, method, is_final, paid_by, paid_by_role, terminal_id, created_at)"
            " SELECT t.banca_id, t.business_date, t.id, (SELECT count(*) + 1 FROM ticket_payments q"
            "        WHERE q.ticket_id = t.id), t.sorteo_id, t.sequence, p.evaluation, 1, 'cash', false,"
            "        t.vendedor_id, 'VENDEDOR', t.terminal_id, now()"
            "   FROM prizes p JOIN sorteo_results r USING (banca_id, sorteo_id, evaluation)"
            "   JOIN tickets t USING (banca_id, business_date, sorteo_id, sequence)"
            "  WHERE p.sorteo_id = $1 AND r.state = 'DONE' LIMIT 1",
            sorteo_id,
        )
        # As pay_ticket does.
        await self.arena.owner.execute("SELECT refresh_cash_memos($1, $2)", self.arena.banca_id, sorteo_id)


@pytest.mark.parametrize("seed", SEEDS)
async def test_any_interleaving_leaves_the_books_right(
    seed: int, arena: Arena, shop: Shop, evaluator: Evaluator, database: TestDatabase
) -> None:
    arena.sorteo_ids.append(await arena.add_sorteo(minutes=24 * 60 + 9))
    extra = await arena.add_multiplier("Roja", EXTRA_X, kind="REVENTADO")
    stakes = await sell_by_chance(seed, arena, shop)
    before = await balances(arena.owner)
    for sorteo_id in arena.sorteo_ids:
        await draw_now(arena.owner, sorteo_id)
    worker = await asyncpg.connect(database.worker_url)
    try:
        day = Day(seed, arena, evaluator, extra, worker)
        for _ in range(OPERATIONS):
            await day.operate()
            assert await found_by(arena, CHECKS) == []
        await evaluator.finish()
    finally:
        await worker.close()
    assert "REQUESTED" in day.outcomes
    assert await findings(arena.owner, arena.banca_id) == []
    won = {seller.id: 0 for seller in arena.sellers}
    for sorteo_id, (number, has_extra) in day.asked.items():
        for seller_id, cents in prizes_of(stakes[sorteo_id], number, has_extra=has_extra):
            won[seller_id] += cents
    assert await balances(arena.owner) == {seller: cents + won[seller] for seller, cents in before.items()}


Stake = tuple[UUID, str, int]


async def sell_by_chance(seed: int, arena: Arena, shop: Shop) -> dict[UUID, list[Stake]]:
    """(seller, bet, cents) of what stands, by draw; some tickets are cancelled."""
    chance, stakes = random.Random(seed), {sorteo_id: list[Stake]() for sorteo_id in arena.sorteo_ids}
    for sorteo_id in arena.sorteo_ids:
        for _ in range(7):
            seller = chance.choice(arena.sellers)
            bets = [
                (kind + number, chance.randint(1, 999))
                for number in chance.choices(NUMBERS, k=chance.randint(1, 3))
                for kind in ("", "R")
            ]
            bets = [(bet, max(cents, 1_000)) if not bet.startswith("R") else (bet, cents) for bet, cents in bets]
            record = sold(await shop.sell(sale(seller, ticket(sorteo_id, *bets))))
            if chance.random() < 0.2:
                await shop.cancel(seller, ticket_id=record.id)
            else:
                stakes[sorteo_id] += [(seller.id, bet, cents) for bet, cents in bets]
    return stakes


def prizes_of(stakes: list[Stake], number: str, *, has_extra: bool) -> list[tuple[UUID, int]]:
    """What each stake wins, half a cent up: NUMERO 90.00 times, REVENTADO as the extra says."""
    odds = {number: 9_000, f"R{number}": EXTRA_X if has_extra else 0}
    return [(seller, (cents * odds.get(bet, 0) + 50) // 100) for seller, bet, cents in stakes]


async def found_by(arena: Arena, checks: tuple[str, ...]) -> list[str]:
    return [row["finding"] for check in checks for row in await arena.owner.fetch(sql(f"books/{check}"))]
