"""Rules are written beside sales, logins and closings: who waits for whom, and that nobody waits for ever."""

from __future__ import annotations

import asyncio

import pytest

from core.queries import sql
from tests.api.ruling import RESTRICTIONS, Ruler, offered, ruler, somebody_waits, version_of
from tests.arena import Arena
from tests.running_api import RunningApi
from tests.workers.pipeline import eventually

LIMITS = {"globalLimit": "1.00", "numberLimits": []}


@pytest.fixture
async def banca(api: RunningApi, arena: Arena) -> Ruler:
    return await ruler(api, arena)


async def test_sales_go_on_while_rules_are_written(api: RunningApi, arena: Arena) -> None:
    async with arena.owner.transaction():
        await arena.owner.execute(sql("rulebook/lock"), arena.banca_id)
        assert await offered(api, arena, "1.00") == "SOLD"


async def test_a_second_write_waits_for_the_first(banca: Ruler, arena: Arena) -> None:
    document = {"bancaId": str(arena.banca_id), "maxTotal": 1}
    async with arena.owner.transaction():
        await arena.owner.execute(sql("rulebook/lock"), arena.banca_id)
        write = asyncio.create_task(banca.send("POST", RESTRICTIONS, document))
        await eventually(lambda: somebody_waits(arena.owner))
        # What the second finds when its turn comes.
        await arena.owner.execute(
            "INSERT INTO restriction_rules (banca_id, id, whole_banca, max_total_cents)"
            " VALUES ($1, gen_random_uuid(), true, 5)",
            arena.banca_id,
        )
    answer = await write
    assert (answer.status, answer.code) == (409, "RESTRICTION_EXISTS")


async def test_limits_wait_for_a_draw_that_is_being_closed_and_then_stand(banca: Ruler, arena: Arena) -> None:
    before = await version_of(arena.owner, arena.banca_id)
    async with arena.owner.transaction():
        await arena.owner.execute("UPDATE sorteos SET status = 'CLOSED' WHERE id = $1", arena.sorteo_id)
        write = asyncio.create_task(banca.send("PUT", f"/api/v1/sorteos/{arena.sorteo_id}/limits", LIMITS))
        await eventually(lambda: somebody_waits(arena.owner))
    answer = await write
    assert (answer.status, answer.code) == (409, "SORTEO_CLOSED")
    assert await version_of(arena.owner, arena.banca_id) == before


async def test_a_login_that_changes_its_user_and_a_policy_do_not_wait_for_each_other(
    banca: Ruler, arena: Arena
) -> None:
    path = f"/api/v1/users/{arena.seller.id}/commission-policy"
    async with arena.owner.transaction():
        await arena.owner.execute("SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE", arena.seller.id)
        write = asyncio.create_task(banca.send("PUT", path, {"commissionPolicyJson": None}))
        await eventually(lambda: somebody_waits(arena.owner))
        # Makes a version, and so wants the banca.
        await arena.owner.execute("UPDATE users SET updated_at = clock_timestamp() WHERE id = $1", arena.seller.id)
    assert (await write).status == 200
