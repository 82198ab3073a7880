"""Evaluations that cannot get on: alone, and only until they can."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import asyncpg
import pytest

from core.queries import sql
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.evaluating import Evaluator, draw_now, request, result
from tests.till.shop import Shop, sold
from tests.till.state import findings
from tests.till.tickets import sale, ticket
from tests.workers.pipeline import eventually
from workers.evaluations import STEP_TICKETS_MIN, UNDER_WAY_MAX, Evaluations
from workers.metrics import EVALUATION_UNMOVED_SECONDS, EVALUATIONS_UNDER_WAY
from workers.rounds import LOOK_EVERY_S

if TYPE_CHECKING:
    from tests.arena import Owner

# No prize of the first draw can be written, and no ticket of it is to blame.
STUMBLING_BLOCK = """
CREATE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'stumbled'; END $$;
CREATE TRIGGER stumble BEFORE INSERT ON prizes FOR EACH ROW WHEN (NEW.sorteo_id = '{}') EXECUTE FUNCTION stumble()
"""


async def two_draws(arena: Arena, shop: Shop) -> None:
    arena.sorteo_ids.append(await arena.add_sorteo(minutes=24 * 60 + 9))
    for seller, sorteo_id in zip(arena.sellers, arena.sorteo_ids, strict=True):
        sold(await shop.sell(sale(seller, ticket(sorteo_id, ("07", 100)))))
        await draw_now(arena.owner, sorteo_id)
        assert await request(arena, "07", sorteo_id=sorteo_id) == "REQUESTED"


async def test_a_draw_that_fails_fails_alone_and_gets_on_when_it_can(
    arena: Arena, shop: Shop, evaluator: Evaluator
) -> None:
    await two_draws(arena, shop)
    first, second = arena.sorteo_ids
    await arena.owner.execute(STUMBLING_BLOCK.format(first))
    await evaluator.finish()
    assert (await result(arena.owner, first))["state"] == "RUNNING"
    assert (await result(arena.owner, second))["state"] == "DONE"
    await arena.owner.execute("DROP TRIGGER stumble ON prizes")

    async def done() -> bool:
        await evaluator.finish()
        return bool((await result(arena.owner, first))["state"] == "DONE")

    await eventually(done)
    assert await findings(arena.owner, arena.banca_id) == []


async def test_what_takes_too_long_is_tried_with_fewer_tickets(arena: Arena, shop: Shop, evaluator: Evaluator) -> None:
    await two_draws(arena, shop)
    evaluations = Evaluations(evaluator.database, publish_balance=lambda *_, **__: None, step_tickets=400)
    await arena.owner.execute(STUMBLING_BLOCK.format(arena.sorteo_id))
    tried = []
    for _ in range(4):
        await evaluations.run_once()
        trouble = evaluations.troubles.known[arena.sorteo_id]
        tried.append(trouble.at_once)
        trouble.rests_until_s = 0
    assert tried == [200, STEP_TICKETS_MIN, STEP_TICKETS_MIN, STEP_TICKETS_MIN]


async def test_draws_that_rest_after_a_failure_take_no_place_of_a_round(
    arena: Arena, shop: Shop, evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.evaluations.UNDER_WAY_MAX", 1)
    monkeypatch.setattr("workers.troubles.backoff_s", lambda _: 3_600)
    await two_draws(arena, shop)
    first, second = arena.sorteo_ids
    await arena.owner.execute(STUMBLING_BLOCK.format(first))
    assert [await evaluator.evaluations.run_once() for _ in range(4)] == [0, 1, 1, 0]
    assert (await result(arena.owner, second))["state"] == "DONE"
    assert set(evaluator.evaluations.troubles.known) == {first}
    # Whoever watches is told of it all the same.
    assert EVALUATIONS_UNDER_WAY._value.get() == 1
    assert EVALUATION_UNMOVED_SECONDS._value.get() > 0


async def test_who_is_busy_with_a_draw_is_not_waited_for(
    arena: Arena, shop: Shop, evaluator: Evaluator, database: TestDatabase
) -> None:
    await two_draws(arena, shop)
    other = await asyncpg.connect(database.worker_url)
    try:
        async with other.transaction():
            await other.fetch(sql("evaluations/advance"), arena.banca_id, arena.sorteo_id, 1)
            assert await evaluator.finish() == 2
    finally:
        await other.close()
    states = [(await result(arena.owner, sorteo_id))["state"] for sorteo_id in arena.sorteo_ids]
    assert states == ["RUNNING", "DONE"]


async def test_nobody_told_and_still_it_is_found(arena: Arena, shop: Shop, evaluator: Evaluator) -> None:
    """The sweep: no event came, no worker remembers."""
    stop = asyncio.Event()
    running = asyncio.create_task(evaluator.evaluations.run(stop))
    await asyncio.sleep(0)
    began_s = time.monotonic()
    await two_draws(arena, shop)
    await eventually(lambda: is_done(arena.owner))
    assert time.monotonic() - began_s < LOOK_EVERY_S + 5
    stop.set()
    await asyncio.wait_for(running, 5)


async def test_who_is_told_looks_at_once(
    arena: Arena, shop: Shop, evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.rounds.LOOK_EVERY_S", 3_600)
    stop = asyncio.Event()
    running = asyncio.create_task(evaluator.evaluations.run(stop))
    await two_draws(arena, shop)
    evaluator.evaluations.wake()
    await eventually(lambda: is_done(arena.owner))
    stop.set()
    await asyncio.wait_for(running, 5)


async def test_a_round_looks_at_so_many_and_begins_with_the_longest_unmoved(arena: Arena, evaluator: Evaluator) -> None:
    for place in range(UNDER_WAY_MAX + 3):
        arena.sorteo_ids.append(await arena.add_sorteo(minutes=24 * 60 + 9 + place / 60))
        await draw_now(arena.owner, arena.sorteo_ids[-1])
        assert await request(arena, "07", sorteo_id=arena.sorteo_ids[-1]) == "REQUESTED"
    assert await evaluator.evaluations.run_once() == UNDER_WAY_MAX
    left = [row["sorteo_id"] for row in await arena.owner.fetch("SELECT * FROM evaluations_under_way(100)")]
    assert left == arena.sorteo_ids[-3:]


async def is_done(owner: Owner) -> bool:
    return await owner.fetchval("SELECT bool_and(state = 'DONE') AND count(*) = 2 FROM sorteo_results") is True
