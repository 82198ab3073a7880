"""So many inside, so many in line, in order; who goes away leaves no place empty."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import islice

from api.turnstile import Turnstile
from tests.api.selling import SALE, ticket
from tests.arena import Arena
from tests.pos import Pos, new_key
from tests.running_api import RunningApi

# Of twenty requests two are inside and eight wait.
REFUSED = 10


async def waiter(turnstile: Turnstile) -> asyncio.Task[bool]:
    assert not turnstile.enter_at_once()
    task = asyncio.create_task(turnstile.wait())
    await asyncio.sleep(0)
    return task


async def test_who_waits_enters_in_order_of_arrival() -> None:
    turnstile = Turnstile(inside_max=1, waiting_max=5, wait_max_s=60)
    assert turnstile.enter_at_once()
    line = [await waiter(turnstile) for _ in range(3)]
    for place in range(3):
        turnstile.leave()
        assert await line[place]
        assert [task.done() for task in line] == [True] * (place + 1) + [False] * (2 - place)
    turnstile.leave()
    assert turnstile.enter_at_once()


async def test_beyond_the_line_one_is_told_at_once() -> None:
    turnstile = Turnstile(inside_max=1, waiting_max=1, wait_max_s=60)
    assert turnstile.enter_at_once()
    waiting = await waiter(turnstile)
    assert not await turnstile.wait()
    turnstile.leave()
    assert await waiting


async def test_who_goes_away_before_or_at_its_turn_keeps_nobody_out() -> None:
    turnstile = Turnstile(inside_max=1, waiting_max=5, wait_max_s=60)
    assert turnstile.enter_at_once()
    gone, called, last = [await waiter(turnstile) for _ in range(3)]
    gone.cancel()
    # The turn is called's, and it is cancelled before it can take it.
    turnstile.leave()
    called.cancel()
    await asyncio.wait([gone, called])
    assert (gone.cancelled(), called.cancelled()) == (True, True)
    assert await last
    turnstile.leave()
    assert turnstile.enter_at_once()


async def test_who_waited_too_long_is_told_though_nobody_leaves() -> None:
    turnstile = Turnstile(inside_max=1, waiting_max=5, wait_max_s=0)
    assert turnstile.enter_at_once()
    late = [await waiter(turnstile) for _ in range(3)]
    assert await asyncio.gather(*late) == [False] * 3
    turnstile.leave()
    assert turnstile.enter_at_once()


async def test_the_line_is_as_long_as_the_pace_serves_in_time() -> None:
    now_s = 0.0
    turnstile = Turnstile(inside_max=1, waiting_max=100, wait_max_s=2.0, clock=lambda: now_s)
    assert turnstile.enter_at_once()
    line = [await waiter(turnstile) for _ in range(20)]
    # Four a second get in: eight do within the two seconds that one may wait.
    for _ in range(12):
        now_s += 0.25
        turnstile.leave()
    await asyncio.wait(line[:12])
    assert not await turnstile.wait()
    turnstile.leave()
    last = await waiter(turnstile)
    for _ in range(8):
        turnstile.leave()
    assert all(await asyncio.gather(*line[12:], last))


async def test_a_line_that_stood_still_is_not_short_for_ever() -> None:
    now_s = 0.0
    turnstile = Turnstile(inside_max=1, waiting_max=100, wait_max_s=1.0, clock=lambda: now_s)
    assert turnstile.enter_at_once()
    slow = [await waiter(turnstile) for _ in range(2)]
    for _ in slow:
        now_s += 60.0
        turnstile.leave()
    await asyncio.wait(slow)
    line = [await waiter(turnstile) for _ in range(100)]
    assert not any(task.done() for task in line)
    for _ in line:
        turnstile.leave()
    assert all(await asyncio.gather(*line))


async def test_a_banca_whose_draw_is_locked_keeps_no_other_out(arena: Arena) -> None:
    other = await Arena.create(arena.owner, arena.settings)
    settings = arena.settings.model_copy(update={"batch_tickets_max": 1})
    async with RunningApi(settings) as api:
        async with arena.owner.transaction():
            await arena.owner.execute("SELECT 1 FROM sorteos WHERE banca_id = $1 FOR NO KEY UPDATE", arena.banca_id)
            stuck = [
                asyncio.create_task(Pos(api, arena.seller).post(SALE, ticket(arena), key=new_key())) for _ in range(3)
            ]
            # The third waits for a place, and is told.
            told = await next(asyncio.as_completed(stuck))
            assert (told.status, told.json()["code"]) == (503, "TILL_FULL")
            sold = await Pos(api, other.seller).post(SALE, ticket(other), key=new_key())
            assert sold.status == 201
        assert sorted([(await sale).status for sale in stuck]) == [201, 201, 503]


async def test_whoever_sends_slowly_takes_nobodys_place(arena: Arena) -> None:
    settings = arena.settings.model_copy(update={"batch_tickets_max": 1})
    async with RunningApi(settings) as api:
        pos = Pos(api, arena.seller)
        finish = asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield b"{"
            await finish.wait()
            yield b"}"

        headers = pos.signed_headers("POST", SALE, b"{}", key=new_key())
        senders = [asyncio.create_task(api.send("POST", SALE, body=slow(), headers=headers)) for _ in range(4)]
        sold = await pos.post(SALE, ticket(arena), key=new_key())
        assert sold.status == 201
        finish.set()
        assert {(await sender).status for sender in senders} == {400}


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
