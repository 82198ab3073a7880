"""So many inside, so many in line, in order; who goes away leaves no place empty."""

from __future__ import annotations

import asyncio
from itertools import islice

import pytest

from api.turnstile import Turnstile, TurnstileFullError
from tests.api.selling import SALE, ticket
from tests.arena import Arena
from tests.pos import Pos, new_key
from tests.running_api import RunningApi

# Of twenty requests two are inside and eight wait.
REFUSED = 10


async def waiter(turnstile: Turnstile) -> asyncio.Task[None]:
    task = asyncio.create_task(turnstile.wait_to_enter())
    await asyncio.sleep(0)
    return task


async def test_who_waits_enters_in_order_of_arrival() -> None:
    turnstile = Turnstile(inside_max=1, waiting_max=5, wait_max_s=60)
    await turnstile.wait_to_enter()
    assert not turnstile.is_free
    line = [await waiter(turnstile) for _ in range(3)]
    for place in range(3):
        turnstile.leave()
        await line[place]
        assert [task.done() for task in line] == [True] * (place + 1) + [False] * (2 - place)
    turnstile.leave()
    assert turnstile.is_free


async def test_beyond_the_line_one_is_told_at_once() -> None:
    turnstile = Turnstile(inside_max=1, waiting_max=1, wait_max_s=60)
    await turnstile.wait_to_enter()
    waiting = await waiter(turnstile)
    with pytest.raises(TurnstileFullError):
        await turnstile.wait_to_enter()
    turnstile.leave()
    await waiting


async def test_who_goes_away_before_or_at_its_turn_keeps_nobody_out() -> None:
    turnstile = Turnstile(inside_max=1, waiting_max=5, wait_max_s=60)
    await turnstile.wait_to_enter()
    gone, called, last = [await waiter(turnstile) for _ in range(3)]
    gone.cancel()
    # The turn is called's, and it is cancelled before it can take it.
    turnstile.leave()
    called.cancel()
    await asyncio.wait([gone, called])
    assert (gone.cancelled(), called.cancelled()) == (True, True)
    await last
    turnstile.leave()
    assert turnstile.is_free


async def test_who_waited_too_long_is_told_when_the_next_place_is_free() -> None:
    turnstile = Turnstile(inside_max=1, waiting_max=5, wait_max_s=0)
    await turnstile.wait_to_enter()
    late = [await waiter(turnstile) for _ in range(3)]
    turnstile.leave()
    assert [type(error) for error in await asyncio.gather(*late, return_exceptions=True)] == [TurnstileFullError] * 3
    assert turnstile.is_free


async def test_a_full_line_is_answered_with_when_to_come_again(arena: Arena) -> None:
    settings = arena.settings.model_copy(update={"batch_tickets_max": 1, "till_queue_tickets_max": 8})
    async with RunningApi(settings) as api:
        pos = Pos(api, arena.seller)
        # The draw is locked: whoever is inside stays there.
        async with arena.owner.transaction():
            await arena.owner.execute("SELECT 1 FROM sorteos FOR NO KEY UPDATE")
            sales = [asyncio.create_task(pos.post(SALE, ticket(arena), key=new_key())) for _ in range(20)]
            refused = [await sale for sale in islice(asyncio.as_completed(sales), REFUSED)]
            assert {answer.status for answer in refused} == {503}
            assert {answer.json()["code"] for answer in refused} == {"TILL_FULL"}
            assert {answer.headers["Retry-After"] for answer in refused} == {"1"}
        statuses = sorted([(await sale).status for sale in sales])
    assert set(statuses) == {201, 503}
    assert await arena.owner.fetchval("SELECT count(*) FROM tickets") == statuses.count(201)
