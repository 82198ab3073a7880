"""Whatever is done to tickets after their sale, in whatever order and at once, the books stay right."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from core.cash_memos import Ended, EndingKind
from core.domain.permissions import Role
from core.till.cancels import Cancelled
from core.till.listas import ListaMoved
from core.till.restores import Restored
from core.till.sales import Sold
from tests.after_sale.desk import Desk
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.evaluating import Evaluator, balances, draw_now, request, request_revert
from tests.till.shop import open_shop
from tests.till.state import exposure, findings
from tests.till.tickets import Bet, actor_for, sale, ticket

SEEDS = range(6)
ROUNDS = 14
AT_ONCE = 6
NUMBERS = ("07", "15", "99")
CAP_CENTS = 6_000


class Day:
    """One draw of two ventanas; desks: two processes. done: what succeeded."""

    def __init__(self, seed: int, arena: Arena, desks: list[Desk], evaluator: Evaluator, people: People) -> None:
        self.chance = random.Random(seed)
        self.arena, self.desks, self.evaluator, self.people = arena, desks, evaluator, people
        self.tickets: list[UUID] = []
        self.cancelled: list[UUID] = []
        self.done: set[str] = set()
        # The owner's one connection.
        self.owner = asyncio.Lock()

    async def together(self, *operations: Callable[[], Awaitable[Any]]) -> None:
        for answer in await asyncio.gather(
            *(self.chance.choice(operations)() for _ in range(self.chance.randint(1, AT_ONCE)))
        ):
            self.done.add(answer if isinstance(answer, str) else type(answer).__name__)

    @property
    def desk(self) -> Desk:
        return self.chance.choice(self.desks)

    def ticket_id(self) -> UUID:
        return self.chance.choice(self.tickets) if self.tickets else UUID(int=0)

    async def sell(self) -> Any:
        bets: list[Bet] = []
        for number in self.chance.sample(NUMBERS, k=self.chance.randint(1, 2)):
            cents = self.chance.randint(1, 999)
            bets += [(number, cents)] + [(f"R{number}", self.chance.randint(1, cents))] * self.chance.randint(0, 1)
        multiplier = self.chance.choice(self.people.multipliers)
        asked = ticket(self.arena.sorteo_id, *bets, multiplier_id=multiplier)
        answer = await self.desk.shop.sell(sale(self.chance.choice(self.arena.sellers), asked))
        if isinstance(answer, Sold):
            self.tickets.append(answer.record.id)
        return answer

    async def cancel(self) -> Any:
        ticket_id = self.ticket_id()
        answer = await self.desk.shop.cancel(self.arena.seller, ticket_id=ticket_id, actor=self.people.admin)
        if isinstance(answer, Cancelled):
            self.cancelled.append(ticket_id)
        return answer

    async def restore(self) -> Any:
        ticket_id = self.chance.choice(self.cancelled) if self.cancelled else self.ticket_id()
        return await self.desk.restore(ticket_id, actor=self.people.admin)

    async def exclude(self) -> Any:
        return await self.desk.exclude(**self.scope())

    async def include(self) -> Any:
        return await self.desk.include(**self.scope())

    def scope(self) -> dict[str, UUID | None]:
        seller = self.chance.choice((None, *self.arena.sellers))
        return {
            "ventana_id": self.chance.choice(self.people.ventanas),
            "vendedor_id": None if seller is None else seller.id,
            "multiplier_id": self.chance.choice((None, *self.people.multipliers)),
        }

    async def evaluate(self) -> str:
        extra = self.chance.choice((None, self.people.extra))
        async with self.owner:
            return f"evaluate {await request(self.arena, self.chance.choice(NUMBERS), extra=extra)}"

    async def revert(self) -> str:
        async with self.owner:
            return f"revert {await request_revert(self.arena, force=self.chance.random() < 0.5)}"

    async def work(self) -> str:
        await self.evaluator.finish()
        return "worked"

    async def pay(self) -> Any:
        cents = self.chance.choice((1, 1_000, 45_000))
        return await self.desk.pay(
            self.ticket_id(), cents, is_final=self.chance.random() < 0.2, actor=self.people.admin
        )

    async def reverse(self) -> Any:
        return await self.desk.reverse(self.ticket_id(), actor=self.people.admin)

    async def finalize(self) -> Any:
        return await self.desk.finalize(self.ticket_id(), actor=self.people.admin)

    async def end_memo(self) -> Any:
        """Of whatever ticket has one, all or a part."""
        async with self.owner:
            memos = [row[0] for row in await self.arena.owner.fetch("SELECT ticket_id FROM cash_memos ORDER BY 1")]
        if not memos:
            return "no memo"
        kind, cents = self.chance.choice(list(EndingKind)), self.chance.choice((None, None, 1, 500))
        answer = await self.desk.end_memo(self.chance.choice(memos), kind, cents, actor_id=self.people.admin.user_id)
        return kind.value if isinstance(answer, Ended) else answer.refusal.value


class People:
    """What a day needs besides the arena's own."""

    def __init__(self, arena: Arena) -> None:
        self.arena = arena
        self.ventanas = [arena.ventana_id]
        self.multipliers = [arena.multiplier_id]

    async def come(self) -> None:
        arena = self.arena
        self.ventanas.append(await arena.add_ventana())
        arena.sellers.append(await arena.add_seller(ventana_id=self.ventanas[1]))
        self.multipliers.append(await arena.add_multiplier("Otra", 150))
        self.extra = await arena.add_multiplier("Roja", 250, kind="REVENTADO")
        administrator = await arena.add_user(Role.ADMIN)
        # Of no ventana's seller in particular; the far ventana's tickets it may not touch.
        self.admin = actor_for(administrator, arena.banca_id, arena.seller.terminal)
        await arena.give_policy("users", arena.seller.id, "12.5")
        for ventana_id in self.ventanas:
            await arena.give_policy("ventanas", ventana_id, "7.25")
        await arena.owner.execute("UPDATE bancas SET global_max_per_number_cents = $1", CAP_CENTS)


@pytest.mark.parametrize("seed", SEEDS)
async def test_any_interleaving_leaves_the_books_right(
    seed: int, arena: Arena, database: TestDatabase, evaluator: Evaluator
) -> None:
    people = People(arena)
    await people.come()
    async with open_shop(database.api_url) as one, open_shop(database.api_url) as two:
        day = Day(seed, arena, [Desk.of(arena, one), Desk.of(arena, two)], evaluator, people)
        # Before the first exclusion takes something off sale.
        for operation in (*[day.sell] * 9, *[day.cancel] * 6, day.restore, day.restore):
            await day.together(operation)
        selling = (day.sell, day.sell, day.cancel, day.restore, day.exclude, day.include, day.include)
        for _ in range(ROUNDS):
            await day.together(*selling)
            assert await findings(arena.owner, arena.banca_id) == []
        await draw_now(arena.owner, arena.sorteo_id)
        settling = (day.evaluate, day.work, day.pay, day.pay, day.pay, day.reverse, day.finalize, day.revert,
                    day.exclude, day.include, day.sell, day.cancel, day.restore, day.end_memo, day.end_memo)  # fmt: skip
        for _ in range(ROUNDS):
            await day.together(*settling)
            assert await findings(arena.owner, arena.banca_id) == []
        await evaluator.finish()
    assert await findings(arena.owner, arena.banca_id) == []
    assert {kind.__name__ for kind in (Sold, Cancelled, Restored, ListaMoved)} <= day.done
    assert "evaluate REQUESTED" in day.done


@pytest.mark.parametrize("seed", SEEDS)
async def test_lifting_every_exclusion_leaves_what_was_sold(
    seed: int, arena: Arena, database: TestDatabase, evaluator: Evaluator
) -> None:
    """The same balances and counters as if nothing had been excluded at all."""
    people = People(arena)
    await people.come()
    async with open_shop(database.api_url) as shop:
        desk = Desk.of(arena, shop)
        day = Day(seed, arena, [desk], evaluator, people)
        for _ in range(20):
            await day.sell()
        sold, stakes = await balances(arena.owner), await exposure(arena.owner, arena.sorteo_id)
        for _ in range(ROUNDS):
            await day.together(day.exclude, day.include)
        for row in await arena.owner.fetch("SELECT * FROM lista_exclusions WHERE lifted_at IS NULL"):
            scope = {name: row[name] for name in ("ventana_id", "vendedor_id", "multiplier_id")}
            assert isinstance(await desk.include(**scope), ListaMoved)
        assert await balances(arena.owner) == sold
        assert await exposure(arena.owner, arena.sorteo_id) == stakes
        assert await findings(arena.owner, arena.banca_id) == []
