"""Everything that is done in a banca, by chance: in tests one after the other, or at once."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from tests.arena import Seller
from tests.evaluating import draw_now, request, request_revert
from tests.statements.office import DIMENSIONS, Office, noon
from tests.till.tickets import actor_of, sale, ticket

NUMBERS = ("07", "15", "99")
DAY = timedelta(days=1)
# Whatever the day is on which the tests run, these lie in two months or three.
DAYS = (-1, 0, 1, 2, 3, 35, 40)


@dataclass
class Doings:
    """Draws of three days that may be drawn at once; today is weeks later. done: how often what was answered."""

    chance: random.Random
    office: Office
    sellers: list[Seller]
    sorteos: list[UUID]
    first: date
    movements: list[UUID] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)

    @property
    def today(self) -> date:
        return self.first + DAYS[-1] * DAY

    @property
    def now(self) -> datetime:
        return noon(self.today)

    def any_day(self) -> date:
        return self.first + self.chance.choice(DAYS) * DAY

    async def do(self, times: int) -> None:
        for _ in range(times):
            self.done[await self.chance.choice(self.doings())()] += 1

    async def sell(self) -> Any:
        asked = ticket(self.chance.choice(self.sorteos), (self.chance.choice(NUMBERS), self.chance.randint(1, 999)))
        return type(await self.office.shop.sell(sale(self.chance.choice(self.sellers), asked))).__name__

    async def evaluate(self) -> Any:
        sorteo_id = self.chance.choice(self.sorteos)
        if await self.office.arena.owner.fetchval("SELECT status = 'OPEN' FROM sorteos WHERE id = $1", sorteo_id):
            await draw_now(self.office.arena.owner, sorteo_id)
        answer = await request(self.office.arena, self.chance.choice(NUMBERS), sorteo_id=sorteo_id)
        if self.chance.random() < 0.8:
            await self.office.evaluator.finish()
        return f"EVALUATION_{answer}"

    async def revert(self) -> Any:
        sorteo_id = self.chance.choice(self.sorteos)
        answer = await request_revert(self.office.arena, force=True, sorteo_id=sorteo_id)
        if self.chance.random() < 0.8:
            await self.office.evaluator.finish()
        return f"REVERT_{answer}"

    async def move(self) -> Any:
        seller = self.chance.choice(self.sellers)
        dimension = self.chance.choice(DIMENSIONS)
        entity = {"VENDEDOR": seller.id, "VENTANA": seller.ventana_id, "BANCA": seller.banca_id}[dimension]
        row = await self.office.move(
            self.any_day(),
            self.chance.randint(1, 50_000),
            kind=self.chance.choice(("payment", "collection")),
            dimension=dimension,
            entity_id=entity,
            now=self.now,
        )
        if row["outcome"] == "REGISTERED":
            self.movements.append(UUID(row["answer"]["payment"]["id"]))
        return row["outcome"]

    async def reverse(self) -> Any:
        if not self.movements:
            return "NOTHING"
        return (await self.office.reverse(self.chance.choice(self.movements), now=self.now))["outcome"]

    async def pay(self) -> Any:
        """A winner of a result that stands, all of its prize or a part."""
        winner = await self.office.arena.owner.fetchrow(
            "SELECT t.id, t.vendedor_id, sum(p.amount_cents)::bigint AS cents FROM prizes p"
            " JOIN sorteo_results r USING (banca_id, sorteo_id, evaluation)"
            " JOIN tickets t USING (banca_id, business_date, sorteo_id, sequence) WHERE r.state = 'DONE'"
            " GROUP BY t.id, t.vendedor_id ORDER BY md5(t.id::text || $1::text) LIMIT 1",
            str(self.chance.random()),
        )
        if winner is None:
            return "NOTHING"
        seller = next(each for each in self.sellers if each.id == winner["vendedor_id"])
        cents = self.chance.choice((winner["cents"], winner["cents"], 1))
        return f"PAY_{type(await self.office.desk.pay(winner['id'], cents, actor=actor_of(seller))).__name__}"

    async def end_memo(self) -> Any:
        memos = [
            row[0]
            for row in await self.office.arena.owner.fetch(
                "SELECT ticket_id FROM cash_memos WHERE open_cents > 0 ORDER BY ticket_id"
            )
        ]
        if not memos:
            return "NOTHING"
        kind, cents = self.chance.choice(("WRITE_OFF", "WRITE_OFF", "SETTLEMENT")), self.chance.choice((None, None, 1))
        row = await self.office.end_memo(self.chance.choice(memos), kind, cents=cents, now=self.now)
        return f"MEMO_{row['outcome']}"

    async def reset(self) -> Any:
        at = self.chance.choice((None, datetime.now(UTC), datetime.now(UTC) - timedelta(seconds=1)))
        return f"RESET_{await self.office.reset(at, seller=self.chance.choice(self.sellers), now=self.now)}"

    async def settle(self) -> Any:
        settled, *_ = await self.office.settle(self.any_day(), limit=self.chance.randint(1, 4))
        return "SETTLED" if settled else "NOTHING"

    async def carry(self) -> Any:
        created = await self.office.arena.owner.fetchval(
            "SELECT created FROM carry_forward($1, $2)", self.office.arena.banca_id, self.any_day()
        )
        return "CARRIED" if created else "NOTHING"

    async def close(self) -> Any:
        return "CLOSED" if await self.office.close_month(self.any_day().replace(day=1)) else "NOTHING"

    async def compute(self) -> Any:
        self.office.statements.requests_at_once = self.chance.randint(1, 9)
        return "COMPUTED" if await self.office.statements.run_once() else "NOTHING"

    def doings(self) -> list[Callable[[], Awaitable[Any]]]:
        often = [self.sell, self.sell, self.sell, self.evaluate, self.move, self.compute, self.compute]
        often += [self.revert, self.pay, self.pay, self.end_memo, self.end_memo]
        return [*often, self.reverse, self.reset, self.settle, self.carry, self.close]


async def doings_of(office: Office, seed: int) -> Doings:
    arena = office.arena
    await arena.owner.execute("UPDATE instance SET test_clock = true")
    other = await arena.add_ventana()
    sellers = [*arena.sellers, await arena.add_seller(ventana_id=other, credit_limit_cents=100_000_000)]
    await arena.give_policy("users", sellers[0].id, "7.5")
    await arena.give_policy("ventanas", other, "12")
    sorteos = [await arena.add_sorteo(minutes=24 * 60 * day + place) for day in (1, 2, 3) for place in range(4)]
    return Doings(random.Random(seed), office, sellers, sorteos, await office.day_of_draw(sorteos[0]))
