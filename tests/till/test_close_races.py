"""Closing is a hard edge: while many sell, the batch in flight is finished and no ticket enters after it."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from core.domain.sorteo_states import TRANSITIONS, SorteoAction
from core.queries import sql
from core.settings import Settings
from core.till.refusals import Refused
from core.till.sales import SaleAnswer, Sold
from tests.arena import Arena
from tests.till.crowd import crowd
from tests.till.shop import Shop
from tests.till.state import findings
from tests.till.tickets import sale, ticket
from tests.workers.pipeline import eventually

if TYPE_CHECKING:
    from tests.arena import Owner

SELLERS = 50
TICKETS_EACH = 6


async def act(shop: Shop, arena: Arena, action: SorteoAction) -> str:
    """As the API does it, through its own pool; the outcome."""
    states = TRANSITIONS[action]
    async with shop.database.tenant(arena.banca_id, readonly=False) as connection:
        row = await connection.fetchrow(
            sql("sorteos/act"), arena.banca_id, arena.sorteo_id, action, *zip(*states.keys(), strict=True),
            *zip(*states.values(), strict=True), None, "tests", None, None, None, None, None, None,
        )  # fmt: skip
    assert row is not None
    outcome: str = row["outcome"]
    return outcome


async def test_fifty_sell_and_fifty_close_and_what_was_sold_is_what_the_close_counted(
    owner: Owner, settings: Settings, shops: list[Shop]
) -> None:
    arena = await crowd(owner, settings, sellers=SELLERS)
    answered, enough = 0, asyncio.Event()

    async def sell_on(place: int) -> list[SaleAnswer]:
        nonlocal answered
        answers = []
        for _ in range(TICKETS_EACH):
            request = sale(arena.sellers[place], ticket(arena.sorteo_id))
            answers.append(await shops[place % 2].sell(request))
            answered += 1
            if answered == SELLERS:
                enough.set()
        return answers

    async def close(place: int) -> str:
        await enough.wait()
        return await act(shops[place % 2], arena, SorteoAction.CLOSE)

    closing = [asyncio.create_task(close(place)) for place in range(50)]
    answers = [
        one for several in await asyncio.gather(*(sell_on(place) for place in range(SELLERS))) for one in several
    ]
    assert Counter(await asyncio.gather(*closing)) == {"DONE": 1, "WRONG_STATE": 49}
    sold_count = sum(isinstance(answer, Sold) for answer in answers)
    assert SELLERS <= sold_count < len(answers), "the close came in the middle"
    assert {answer.code for answer in answers if isinstance(answer, Refused)} == {"SORTEO_CLOSED"}
    [state] = await states_of(owner)
    assert state["last_sequence"] == sold_count == await owner.fetchval("SELECT count(*) FROM tickets")
    assert await owner.fetchval("SELECT max(created_at) <= $1 FROM tickets", state["at"])
    assert await findings(owner, arena.banca_id) == []


async def test_a_draw_that_opens_and_closes_under_its_sellers_sells_only_while_it_is_open(
    owner: Owner, settings: Settings, shops: list[Shop]
) -> None:
    arena = await crowd(owner, settings, sellers=20)
    is_over = False

    async def sell_on(place: int) -> int:
        sold = 0
        while not is_over:
            answer = await shops[place % 2].sell(sale(arena.sellers[place], ticket(arena.sorteo_id)))
            sold += isinstance(answer, Sold)
        return sold

    async def move() -> None:
        nonlocal is_over
        for action in (SorteoAction.CLOSE, SorteoAction.FORCE_OPEN, SorteoAction.DEACTIVATE, SorteoAction.RESTORE) * 4:
            if action in (SorteoAction.CLOSE, SorteoAction.DEACTIVATE):
                before = await owner.fetchval("SELECT last_sequence FROM sorteos")
                await eventually(partial(has_sold, owner, more_than=before))
            assert await act(shops[0], arena, action) == "DONE"
        is_over = True

    moving = asyncio.create_task(move())
    sold_count = sum(await asyncio.gather(*(sell_on(place) for place in range(20))))
    await moving
    states = await states_of(owner)
    assert len(states) == 16
    assert sold_count == await owner.fetchval("SELECT last_sequence FROM sorteos WHERE id = $1", arena.sorteo_id)
    for state, later in pairwise(states):
        sold_between = later["last_sequence"] - state["last_sequence"]
        assert (sold_between > 0) == (state["to_status"] == "OPEN" and state["is_active"])
    assert await findings(owner, arena.banca_id) == []


async def has_sold(owner: Owner, *, more_than: int) -> bool:
    return bool(await owner.fetchval("SELECT last_sequence > $1 FROM sorteos", more_than))


async def states_of(owner: Owner) -> list[Any]:
    return await owner.fetch("SELECT to_status::text, is_active, last_sequence, at FROM sorteo_states ORDER BY ordinal")
