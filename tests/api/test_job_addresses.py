"""Jobs by the addresses that clients know of old: the same, in smaller answers."""

from __future__ import annotations

from core.domain.permissions import Role
from tests.api.ruling import API, Ruler, ruler
from tests.arena import Arena
from tests.running_api import RunningApi


async def test_the_addresses_of_old_say_the_same(arena: Arena, api: RunningApi) -> None:
    admin = await ruler(api, arena, Role.ADMIN)
    flags = await admin.write("PATCH", f"{API}/sorteos/auto-config", {"autoOpenEnabled": True})
    assert flags == {"autoOpenEnabled": True, "autoCreateEnabled": False, "autoCloseEnabled": False}
    assert await admin.get(f"{API}/sorteos/auto-config") == flags
    seller = Ruler(api, arena.seller)
    status = (await seller.get(f"{API}/sorteos/auto-status"))["data"]
    assert [job["enabled"] for job in status] == [True, False, False]
    assert status[0].keys() == {"name", "enabled", "lastExecution", "lastState", "nextRun", "count", "healthy"}
    path = f"{API}/account-statements/auto-config"
    config = await admin.write("PATCH", path, {"enabled": True, "cronSchedule": "0 5 * * *"})
    assert config == {"enabled": True, "settlementAgeDays": 7, "batchSize": 1000, "cronSchedule": "0 5 * * *"}
    assert await admin.get(path) == config
    assert (await admin.get(f"{API}/account-statements/auto-status"))["schedule"] == "0 5 * * *"
    assert (await admin.send("POST", f"{API}/account-statements/execute")).json()["job"] == "settlement"


async def test_sellers_are_not_told_who_asked_or_why(arena: Arena, api: RunningApi) -> None:
    admin = await ruler(api, arena, Role.ADMIN)
    await admin.send("POST", f"{API}/sorteos/auto-open/execute", {"reason": "the night was dark"})
    answer = await Ruler(api, arena.seller).send("GET", f"{API}/sorteos/auto-status")
    assert answer.json()["data"][0]["lastState"] == "REQUESTED"
    assert b"dark" not in answer.body
    assert str(admin.person.id).encode() not in answer.body


async def test_flags_that_are_wrong_change_none(arena: Arena, api: RunningApi) -> None:
    admin = await ruler(api, arena, Role.ADMIN)
    for change in ({}, {"autoOpenEnabled": True, "autoCloseEnabled": "yes"}, {"autoOpen": True}):
        answer = await admin.send("PATCH", f"{API}/sorteos/auto-config", change)
        assert (answer.status, answer.code) == (400, "VALIDATION_FAILED")
    assert set((await admin.get(f"{API}/sorteos/auto-config")).values()) == {False}
