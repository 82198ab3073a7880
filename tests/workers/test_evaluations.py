"""Evaluations on real brokers and real processes: an event wakes them, and whatever dies, the end is the same."""

from __future__ import annotations

import signal
import subprocess
import time

import orjson
import pytest

from core.settings import Settings
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.evaluating import balances, draw_now, request, request_revert, result
from tests.pos import Pos
from tests.running_api import RunningApi, api_settings
from tests.till.shop import open_shop, sold
from tests.till.state import findings
from tests.till.tickets import sale, ticket
from tests.workers.pipeline import DOOMED, Pipeline, eventually
from workers.rounds import LOOK_EVERY_S

TICKETS = 40
DEATHS = 4


@pytest.fixture
def settings(database: TestDatabase) -> Settings:
    """The arena needs the secrets only."""
    return api_settings(database_url=database.api_url)


async def sell_out(arena: Arena, database: TestDatabase, *, tickets: int = TICKETS) -> None:
    """Every ticket wins on 07, then the draw is drawn."""
    async with open_shop(database.api_url) as shop:
        for n in range(tickets):
            sold(await shop.sell(sale(arena.sellers[n % 2], ticket(arena.sorteo_id, ("07", 100)))))
    await draw_now(arena.owner, arena.sorteo_id)


async def await_state(arena: Arena, state: str) -> None:
    async def reached() -> bool:
        return bool((await result(arena.owner, arena.sorteo_id))["state"] == state)

    await eventually(reached)


async def test_an_event_wakes_the_worker_and_the_trail_tells_both_halves(
    pipeline: Pipeline, arena: Arena, database: TestDatabase
) -> None:
    await sell_out(arena, database, tickets=2)
    relay = pipeline.relay()
    with pipeline.worker():
        await relay.run_once()
        began_s = time.monotonic()
        assert await request(arena, "07") == "REQUESTED"
        await relay.run_once()
        await await_state(arena, "DONE")
        # Nobody waited for the next look.
        assert time.monotonic() - began_s < LOOK_EVERY_S - 1
        assert await request_revert(arena) == "REQUESTED"
        await relay.run_once()
        await await_state(arena, "REVERTED")
        await relay.run_once()
        await pipeline.await_done(set(await pipeline.events()))
    told = [row for row in await pipeline.trail(arena.banca_id) if row["target_type"] == "SORTEO"]
    assert [row["action"] for row in told] == [
        "SORTEO_EVALUATE", "SORTEO_EVALUATED", "SORTEO_REVERT_EVALUATION", "SORTEO_EVALUATION_REVERTED",
    ]  # fmt: skip
    assert {(row["target_id"], row["actor_id"], row["request_id"]) for row in told} == {
        (arena.sorteo_id, arena.seller.id, "request")
    }
    asked, done, back, _ = (orjson.loads(row["details"]) for row in told)
    assert (asked["winningNumber"], done["totalInCents"], done["totalOutCents"]) == ("07", 200, 18_000)
    assert (back["reason"], back["paymentsReversed"]) == ("typed wrong", 0)
    assert (await pipeline.verify(arena.banca_id)).first_break is None


async def test_events_that_come_twice_and_in_the_wrong_order_pay_once(
    redis_pipeline: Pipeline, arena: Arena, database: TestDatabase
) -> None:
    await sell_out(arena, database)
    for number in ("07", "15"):
        if number == "15":
            assert await request_revert(arena) == "REQUESTED"
            with redis_pipeline.worker():
                await await_state(arena, "REVERTED")
        assert await request(arena, number) == "REQUESTED"
        with redis_pipeline.worker():
            await await_state(arena, "DONE")
    before = await balances(arena.owner)
    # Everything that was ever asked, the latest first, twice, after it was done.
    events = sorted(await redis_pipeline.events(), reverse=True)
    with redis_pipeline.worker():
        for event_id in events * 2:
            await redis_pipeline.owner.execute("UPDATE outbox SET published_at = now() WHERE id <> $1", event_id)
            await redis_pipeline.owner.execute("UPDATE outbox SET published_at = NULL WHERE id = $1", event_id)
            assert await redis_pipeline.relay().run_once() == 1
        await redis_pipeline.await_done(set(events))
    assert await balances(arena.owner) == before
    assert await findings(arena.owner, arena.banca_id) == []


async def test_workers_killed_in_the_middle_change_nothing_of_the_end(
    pipeline: Pipeline, arena: Arena, database: TestDatabase
) -> None:
    await sell_out(arena, database)
    before = await balances(arena.owner)
    relay = pipeline.relay()
    assert await request(arena, "07") == "REQUESTED"
    await relay.run_once()
    progress = [await die_at_it(pipeline, arena, seed) for seed in range(DEATHS)]
    assert progress == sorted(progress)
    assert 1 < progress[-1] <= TICKETS, "they got on, and not to the end"
    await live(pipeline, arena, "DONE")
    each = TICKETS // 2 * 9_000
    assert await balances(arena.owner) == {seller: cents + each for seller, cents in before.items()}
    assert await findings(arena.owner, arena.banca_id) == []

    assert await request_revert(arena) == "REQUESTED"
    await relay.run_once()
    for seed in range(DEATHS, 2 * DEATHS):
        await die_at_it(pipeline, arena, seed)
    await live(pipeline, arena, "REVERTED")
    assert await balances(arena.owner) == before
    assert await findings(arena.owner, arena.banca_id) == []


async def die_at_it(pipeline: Pipeline, arena: Arena, seed: int) -> int:
    """A real worker until it is killed; how far the evaluation is then. The books are right however far that is."""
    process = pipeline.process(str(DOOMED), "evaluator", str(seed))
    try:
        await eventually(lambda: ended(process))
        assert process.returncode == -signal.SIGKILL
    finally:
        end(process)
    # What it had sent, PostgreSQL may be finishing.
    await eventually(lambda: nobody_works(pipeline))
    assert await findings(arena.owner, arena.banca_id) == []
    reached: int = (await result(arena.owner, arena.sorteo_id))["next_sequence"]
    return reached


async def live(pipeline: Pipeline, arena: Arena, state: str) -> None:
    """A real worker that is let live until the result is in that state: nobody tells it what was begun."""
    process = pipeline.process("-m", "workers")
    try:
        await await_state(arena, state)
    finally:
        end(process)


async def ended(process: subprocess.Popen[str]) -> bool:
    return process.poll() is not None


async def nobody_works(pipeline: Pipeline) -> bool:
    working = await pipeline.owner.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'banca-worker evaluations'"
        " AND datname = current_database()"
    )
    return bool(working == 0)


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


async def test_a_prize_shows_in_the_balance_that_was_cached(
    redis_pipeline: Pipeline, arena: Arena, database: TestDatabase, valkey_url: str
) -> None:
    """Whoever looked before the prize must not go on seeing that for as long as the cache keeps it."""
    await sell_out(arena, database, tickets=2)
    async with RunningApi(api_settings(database_url=database.api_url, redis_url=valkey_url)) as api:

        async def balance() -> str:
            shown: str = (await Pos(api, arena.seller).get("/api/v1/accounts/me/balance")).json()["balance"]
            return shown

        async def is_shown() -> bool:
            return await balance() == "89.00"

        assert await balance() == "-1.00"
        assert await request(arena, "07") == "REQUESTED"
        with redis_pipeline.worker():
            await await_state(arena, "DONE")
            await eventually(is_shown, deadline_s=10)
