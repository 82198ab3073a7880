"""A banca's office in the tests of statements: tickets sold and evaluated, money moved, days computed, settled and closed."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import orjson

from core.domain.calendar import COSTA_RICA
from core.domain.permissions import Role
from core.queries import sql
from tests.after_sale.desk import Desk, moved
from tests.arena import Arena, Person, Seller
from tests.databases import TestDatabase
from tests.evaluating import Evaluator, draw_now, open_evaluator, request, request_revert
from tests.pos import new_key
from tests.till.shop import Shop, open_shop, sold
from tests.till.state import findings
from tests.till.tickets import Bet, sale, ticket
from workers.statements import Statements

DIMENSIONS = ("VENDEDOR", "VENTANA", "BANCA")
ZERO = timedelta()


@dataclass
class Office:
    arena: Arena
    shop: Shop
    evaluator: Evaluator
    statements: Statements
    admin: Person
    desk: Desk

    async def sell(
        self, *bets: Bet, seller: Seller | None = None, sorteo_id: UUID | None = None, half: UUID | None = None
    ) -> UUID:
        """half: every other bet has this multiplier."""
        chosen = sorteo_id or self.arena.sorteo_id
        asked = ticket(chosen, *bets)
        if half is not None:
            others = ticket(chosen, *bets, multiplier_id=half).jugadas
            mixed = (pair[place % 2] for place, pair in enumerate(zip(asked.jugadas, others, strict=True)))
            asked = msgspec.structs.replace(asked, jugadas=tuple(mixed))
        return sold(await self.shop.sell(sale(seller or self.arena.seller, asked))).id

    async def evaluate(self, number: str, *, sorteo_id: UUID | None = None) -> None:
        chosen = sorteo_id or self.arena.sorteo_id
        await draw_now(self.arena.owner, chosen)
        assert await request(self.arena, number, sorteo_id=chosen) == "REQUESTED"
        await self.evaluator.finish()

    async def exclude(self, seller: Seller, *, multiplier_id: UUID | None = None) -> None:
        """The list of the seller, of the first draw."""
        moved(await self.desk.exclude(vendedor_id=seller.id, multiplier_id=multiplier_id))

    async def revert(self, *, sorteo_id: UUID | None = None) -> None:
        assert await request_revert(self.arena, force=True, sorteo_id=sorteo_id or self.arena.sorteo_id) == "REQUESTED"
        await self.evaluator.finish()

    async def compute(self) -> int:
        """All that waits; how many requests that were."""
        done = 0
        while made := await self.statements.run_once():
            done += made
        return done

    async def compute_on(self, day: date) -> None:
        """All that waits, as if today were that day."""
        while await self.arena.owner.fetchval(
            "SELECT done FROM recompute_statements($1, 100, $2)", self.arena.banca_id, noon(day)
        ):
            pass

    async def move(
        self,
        day: date,
        amount_cents: int,
        *,
        kind: str = "collection",
        dimension: str = "VENDEDOR",
        entity_id: UUID | None = None,
        at: time = time(),
        key: str | None = None,
        actor: Person | None = None,
        now: datetime | None = None,
    ) -> dict[str, Any]:
        """What register_movement answers."""
        key = key or new_key()
        content = f"{dimension} {entity_id} {day} {at} {amount_cents} {kind}"
        row = await self.arena.owner.fetchrow(
            "SELECT * FROM register_movement($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'cash', NULL, false, 'r', $12)",
            self.arena.banca_id, (actor or self.admin).id, key, hashlib.sha256(content.encode()).digest(), uuid4(),
            dimension, entity_id or self.arena.seller.id, day, at, amount_cents, kind, now,
        )  # fmt: skip
        return answer_of(row)

    async def reverse(
        self, movement_id: UUID, *, key: str | None = None, now: datetime | None = None
    ) -> dict[str, Any]:
        row = await self.arena.owner.fetchrow(
            "SELECT * FROM reverse_movement($1, $2, $3, $4, $5, 'no such cheque', 'r', $6)",
            self.arena.banca_id, self.admin.id, key or new_key(), hashlib.sha256(movement_id.bytes).digest(), movement_id,
            now,
        )  # fmt: skip
        return answer_of(row)

    async def end_memo(
        self, ticket_id: UUID, kind: str, *, cents: int | None = None, now: datetime | None = None
    ) -> dict[str, Any]:
        """What end_cash_memo answers."""
        row = await self.arena.owner.fetchrow(
            "SELECT * FROM end_cash_memo($1, $2, $3, $4, $5, $6, $7, $8, 'it is gone', 'r', $9)",
            self.arena.banca_id, self.admin.id, new_key(), bytes(32), uuid4(), ticket_id, kind, cents, now,
        )  # fmt: skip
        return answer_of(row)

    async def reset(self, at: datetime | None, *, seller: Seller | None = None, now: datetime | None = None) -> str:
        outcome: str = await self.arena.owner.fetchval(
            "SELECT outcome FROM reset_balance($1, $2, $3, $4, $5, $6, 'r', $7)",
            self.arena.banca_id, self.admin.id, new_key(), bytes(32), (seller or self.arena.seller).id, at, now,
        )  # fmt: skip
        return outcome

    async def settle(self, before: date, *, limit: int = 1000) -> tuple[int, int, int]:
        row = await self.arena.owner.fetchrow(
            "SELECT * FROM settle_statements($1, $2, $3, NULL)", self.arena.banca_id, before, limit
        )
        assert row is not None
        return row["settled"], row["skipped"], row["pending"]

    async def close_month(self, month: date) -> int:
        return sum(
            [
                await self.arena.owner.fetchval(
                    "SELECT closed FROM close_month($1, $2, $3)", self.arena.banca_id, month, dimension
                )
                for dimension in DIMENSIONS
            ]
        )

    async def day(self, day: date, *, dimension: str = "VENDEDOR", entity_id: UUID | None = None) -> dict[str, Any]:
        """The row of a day; empty: there is none."""
        row = await self.arena.owner.fetchrow(
            "SELECT * FROM statements WHERE banca_id = $1 AND dimension = $2 AND entity_id = $3 AND business_date = $4",
            self.arena.banca_id, dimension, entity_id or self.arena.seller.id, day,
        )  # fmt: skip
        return {} if row is None else dict(row)

    async def day_of_draw(self, sorteo_id: UUID | None = None) -> date:
        day: date = await self.arena.owner.fetchval(
            "SELECT business_date FROM sorteos WHERE id = $1", sorteo_id or self.arena.sorteo_id
        )
        return day

    async def findings(self) -> list[tuple[str, str]]:
        """Of the books, the statements among them."""
        rows = await self.arena.owner.fetch(sql("books/statements"), ZERO)
        return [
            *await findings(self.arena.owner, self.arena.banca_id),
            *(("statements", row["finding"]) for row in rows),
        ]


def noon(day: date) -> datetime:
    return datetime.combine(day, time(12), COSTA_RICA)


def answer_of(row: asyncpg.Record | None) -> dict[str, Any]:
    assert row is not None
    answer = row["answer"]
    return {**row, "answer": None if answer is None else orjson.loads(answer)}


@asynccontextmanager
async def open_office(arena: Arena, database: TestDatabase) -> AsyncIterator[Office]:
    async with open_shop(database.api_url) as shop, open_evaluator(database.worker_url) as evaluator:
        admin = await arena.add_user(Role.ADMIN, has_banca=False)
        yield Office(arena, shop, evaluator, Statements(evaluator.database), admin, Desk.of(arena, shop))
