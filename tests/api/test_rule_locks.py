"""Rules are written beside sales, logins and closings: who waits for whom, and that nobody waits for ever."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from core.queries import sql
from tests.api.ruling import (
    API,
    OVERRIDES,
    RESTRICTIONS,
    Ruler,
    limits,
    offered,
    places,
    somebody_waits,
    version_of,
)
from tests.arena import Arena
from tests.running_api import RunningApi
from tests.workers.pipeline import eventually

LIMITS = {"globalLimit": "1.00", "numberLimits": []}


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


@dataclass(frozen=True)
class Race:
    """Two write at once. first: SQL of one, about the row; then the second's request, which must find what it did.

    before: of the second's row of the trail. kept: members of its answer that only the first one wrote.
    """

    first: str
    row_id: Any
    method: str
    path: str
    document: Any
    before: dict[str, Any]
    kept: dict[str, Any]


async def of_restrictions(banca: Ruler, arena: Arena) -> AsyncIterator[Race]:
    rule_id = (await banca.restrict(bancaId=str(arena.banca_id), number="07", maxTotal="1.00"))["id"]
    one, first = f"{RESTRICTIONS}/{rule_id}", "UPDATE restriction_rules SET max_total_cents = {}, {} WHERE id = $1"
    changed = first.format(500, "message = 'first'")
    yield Race(changed, rule_id, "PATCH", one, {"maxTotal": 9}, {"maxTotal": "5.00"}, {"message": "first"})
    changed = first.format(300, "number = 8")
    kept = {"maxTotal": "3.00", "number": "08"}
    yield Race(changed, rule_id, "DELETE", one, None, {"isActive": True}, kept)
    changed = first.format(400, "number = 9")
    kept = {"maxTotal": "4.00", "number": "09"}
    yield Race(changed, rule_id, "POST", f"{one}/restore", None, {"isActive": False}, kept)


async def of_multipliers(banca: Ruler, arena: Arena) -> AsyncIterator[Race]:
    owner = {"scope": "USER", "scopeId": str(arena.seller.id), "loteriaId": str(arena.loteria_id)}
    override_id = (await banca.write("POST", OVERRIDES, {**owner, "baseMultiplierX": 85}))["id"]
    changed, x = (
        "UPDATE multiplier_overrides SET x_hundredths = 700, is_active = false WHERE id = $1",
        "baseMultiplierX",
    )
    yield Race(changed, override_id, "PUT", f"{OVERRIDES}/{override_id}", {x: 9}, {x: "7.00"}, {"isActive": False})
    for table, row_id, path in (
        ("loterias", arena.loteria_id, places(arena)["loteria"]),
        ("loteria_multipliers", arena.multiplier_id, places(arena)["multiplier"]),
    ):
        changed = f"UPDATE {table} SET name = 'first', is_active = false WHERE id = $1"
        yield Race(changed, row_id, "PATCH", path, {"name": "second"}, {"name": "first"}, {"isActive": False})


async def of_policies(_: Ruler, arena: Arena) -> AsyncIterator[Race]:
    policy = {"version": 1, "defaultPercent": "9.00", "rules": []}
    for table, row_id in (("bancas", arena.banca_id), ("ventanas", arena.ventana_id), ("users", arena.seller.id)):
        path, before = f"{API}/{table}/{row_id}/commission-policy", {"defaultPercent": "5.00"}
        changed = f"""UPDATE {table} SET commission_policy = '{{"defaultPercent": 5}}' WHERE id = $1"""
        document = {"commissionPolicyJson": policy}
        yield Race(changed, row_id, "PUT", path, document, {"commissionPolicyJson": before}, document)


async def of_settings(banca: Ruler, arena: Arena) -> AsyncIterator[Race]:
    paths, least, x = places(arena), "defaultMinBet", "baseMultiplierX"
    changed = "UPDATE bancas SET default_min_bet_cents = 500, sales_cutoff_minutes = 9 WHERE id = $1"
    kept: dict[str, Any] = {"salesCutoffMinutes": 9}
    yield Race(changed, arena.banca_id, "PATCH", paths["settings"], {least: 9}, {least: "5.00"}, kept)
    setting = {x: "9.00", "maxTotalPerSorteo": None}
    await banca.write("PUT", paths["loteria setting"], setting)
    changed = "UPDATE banca_loteria_settings SET base_multiplier_x_hundredths = 500 WHERE loteria_id = $1"
    yield Race(changed, arena.loteria_id, "PUT", paths["loteria setting"], setting, {x: "5.00"}, setting)
    changed, before = "UPDATE sorteos SET global_limit_cents = 500 WHERE id = $1", {"globalLimit": "5.00"}
    document = limits("9.00", n07="1.00")
    yield Race(changed, arena.sorteo_id, "PUT", paths["limits"], document, {**before, "numberLimits": []}, document)


@pytest.mark.parametrize("races", [of_restrictions, of_multipliers, of_policies, of_settings])
async def test_of_two_writes_at_once_the_second_finds_the_first(
    banca: Ruler, arena: Arena, races: Callable[[Ruler, Arena], AsyncIterator[Race]]
) -> None:
    """Nothing is lost, and the trail tells of the second what it found, and not what had been there before both."""
    async for race in races(banca, arena):
        async with arena.owner.transaction():
            await arena.owner.execute(race.first, race.row_id)
            write = asyncio.create_task(banca.write(race.method, race.path, race.document))
            await eventually(lambda: somebody_waits(arena.owner))
        answer = await write
        assert race.kept.items() <= answer.items(), race
        assert await last_told(arena) == race.before, race


async def last_told(arena: Arena) -> Any:
    """What the newest row of the trail says was there before."""
    return json.loads(
        await arena.owner.fetchval(
            "SELECT payload ->> 'before' FROM outbox WHERE type = 'activities.recorded' ORDER BY id DESC LIMIT 1"
        )
    )
