"""Every change of the rules in the audit trail: who, what, of which rule, before and after; with the rule or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson

from core.domain.permissions import Role
from tests.api.auditing import audited, proven_rows, told
from tests.api.ruling import API, OVERRIDES, RESTRICTIONS, Ruler, limits, places, somebody_waits, stored_rules
from tests.arena import Arena
from tests.running_api import Answer, RunningApi
from tests.workers.pipeline import eventually
from workers.audit import Auditor
from workers.packing import BYTES_PER_MESSAGE_MAX

EVENTS = """
SELECT type, length(payload::text) AS bytes FROM outbox
 WHERE type IN ('activity.recorded', 'activities.recorded') ORDER BY id
"""
POLICY = {"version": 1, "defaultPercent": "5.00", "rules": []}


@dataclass(frozen=True)
class Told:
    """What a row of the trail must say; after: besides the version."""

    action: str
    target_type: str
    target_id: object
    before: dict[str, Any] | None
    after: dict[str, Any]


Row = tuple[Answer, Told]


async def test_each_change_of_a_rule_tells_who_what_before_and_after(
    api: RunningApi, banca: Ruler, arena: Arena, auditor: Auditor
) -> None:
    written = [
        row
        for rows in (restricted, overridden, paid, configured, of_a_lottery, of_a_draw)
        async for row in rows(banca, arena)
    ]
    await audited(arena, auditor)
    trail = {row["requestId"]: row for row in await told(api, banca.person, "?pageSize=100")}
    assert len(trail) == len(written)
    for answer, wanted in written:
        row = trail[answer.headers["X-Request-Id"]]
        assert (row["action"], row["targetType"], row["targetId"]) == (
            wanted.action, wanted.target_type, str(wanted.target_id),
        ), wanted  # fmt: skip
        version = answer.json()["rulebookVersion"]
        after = {**wanted.after, "rulebookVersion": version}
        assert row["details"] == {"before": wanted.before, "after": after}, wanted.action
        assert (row["actorId"], row["layer"]) == (str(banca.person.id), "api")
    assert await proven_rows(arena) == len(written)


async def restricted(banca: Ruler, arena: Arena) -> AsyncIterator[Row]:
    place = {"bancaId": str(arena.banca_id)}
    answer = await banca.send("POST", RESTRICTIONS, {**place, "number": "7", "maxTotal": 2000, "maxAmount": "500"})
    rule_id = answer.json()["data"][0]["id"]
    new = {"number": "07", "isAutoDate": False, "appliesToVendedor": False, "isActive": True}
    new |= {"maxTotal": "2000.00", "maxAmount": "500.00"}
    yield answer, Told("RESTRICTION_CREATE", "RESTRICTION", rule_id, None, {**place, **new})
    one = f"{RESTRICTIONS}/{rule_id}"
    before, after = {"maxTotal": "2000.00", "maxAmount": "500.00"}, {"maxTotal": "1500.00", "maxAmount": None}
    changed = Told("RESTRICTION_UPDATE", "RESTRICTION", rule_id, before, after)
    yield await banca.send("PATCH", one, {"maxTotal": "1500", "maxAmount": None, "number": "07"}), changed
    off = Told("RESTRICTION_DELETE", "RESTRICTION", rule_id, {"isActive": True}, {"isActive": False})
    yield await banca.send("DELETE", one), off
    on = Told("RESTRICTION_RESTORE", "RESTRICTION", rule_id, {"isActive": False}, {"isActive": True})
    yield await banca.send("POST", f"{one}/restore"), on


async def overridden(banca: Ruler, arena: Arena) -> AsyncIterator[Row]:
    owner = {"scope": "USER", "scopeId": str(arena.seller.id), "loteriaId": str(arena.loteria_id)}
    answer = await banca.send("POST", OVERRIDES, {**owner, "baseMultiplierX": 85})
    override_id, kind = answer.json()["id"], "MULTIPLIER_OVERRIDE"
    new = {**owner, "multiplierType": "NUMERO", "baseMultiplierX": "85.00", "isActive": True}
    yield answer, Told(f"{kind}_CREATE", kind, override_id, None, new)
    one = f"{OVERRIDES}/{override_id}"
    changed = {"baseMultiplierX": "85.00"}, {"baseMultiplierX": "86.50"}
    yield await banca.send("PUT", one, {"baseMultiplierX": "86.5"}), Told(f"{kind}_UPDATE", kind, override_id, *changed)
    off = Told(f"{kind}_DELETE", kind, override_id, {"isActive": True}, {"isActive": False})
    yield await banca.send("DELETE", one), off
    on = Told(f"{kind}_RESTORE", kind, override_id, {"isActive": False}, {"isActive": True})
    yield await banca.send("POST", f"{one}/restore"), on


async def paid(banca: Ruler, arena: Arena) -> AsyncIterator[Row]:
    action, member = "COMMISSION_POLICY_UPDATE", "commissionPolicyJson"
    for kind, origin, row_id in (
        ("BANCA", "bancas", arena.banca_id), ("VENTANA", "ventanas", arena.ventana_id),
        ("USER", "users", arena.seller.id),
    ):  # fmt: skip
        path = f"{API}/{origin}/{row_id}/commission-policy"
        first, changed = {member: None}, ({member: {"defaultPercent": "5.00"}}, {member: {"defaultPercent": "6.00"}})
        yield await banca.send("PUT", path, {member: POLICY}), Told(action, kind, row_id, first, {member: POLICY})
        answer = await banca.send("PUT", path, {member: POLICY | {"defaultPercent": 6}})
        yield answer, Told(action, kind, row_id, *changed)
        last = {member: POLICY | {"defaultPercent": "6.00"}}
        yield await banca.send("PUT", path, {member: None}), Told(action, kind, row_id, last, {member: None})


async def configured(banca: Ruler, arena: Arena) -> AsyncIterator[Row]:
    paths = places(arena)
    answer = await banca.send("PATCH", paths["settings"], {"globalMaxPerNumber": 25, "defaultMinBet": 0})
    changed = {"globalMaxPerNumber": None}, {"globalMaxPerNumber": "25.00"}
    yield answer, Told("BANCA_UPDATE", "BANCA", arena.banca_id, *changed)
    before = {"baseMultiplierX": None, "maxTotalPerSorteo": None}
    after = {"baseMultiplierX": "88.00", "maxTotalPerSorteo": "0.00"}
    setting = Told("LOTERIA_SETTING_UPDATE", "LOTERIA", arena.loteria_id, before, after)
    yield await banca.send("PUT", paths["loteria setting"], {"baseMultiplierX": 88, "maxTotalPerSorteo": 0}), setting


async def of_a_lottery(banca: Ruler, arena: Arena) -> AsyncIterator[Row]:
    paths = places(arena)
    rules = {"digits": 2, "minBetAmount": 100, "reventadoConfig": {"enabled": True, "requiresMatchingNumber": True}}
    changed = Told(
        "LOTERIA_UPDATE", "LOTERIA", arena.loteria_id,
        {"name": "Tica", "rulesJson": {"reventadoConfig": {"requiresMatchingNumber": False}}},
        {"name": "Nica",
         "rulesJson": {"reventadoConfig": {"requiresMatchingNumber": True}, "minBetAmount": "100.00"}},
    )  # fmt: skip
    yield await banca.send("PATCH", paths["loteria"], {"name": "Nica", "rulesJson": rules}), changed
    new = {"name": "Navidad", "kind": "NUMERO", "valueX": "95.00", "appliesToDate": "2026-12-24"}
    answer = await banca.send("POST", paths["multipliers"], new)
    made = {**new, "loteriaId": str(arena.loteria_id), "isActive": True}
    yield answer, Told("MULTIPLIER_CREATE", "MULTIPLIER", answer.json()["id"], None, made)
    answer = await banca.send("PATCH", paths["multiplier"], {"valueX": "89", "isActive": False})
    before, after = {"valueX": "90.00", "isActive": True}, {"valueX": "89.00", "isActive": False}
    yield answer, Told("MULTIPLIER_UPDATE", "MULTIPLIER", arena.multiplier_id, before, after)


async def of_a_draw(banca: Ruler, arena: Arena) -> AsyncIterator[Row]:
    path, action = places(arena)["limits"], "SORTEO_LIMIT_UPDATE"

    def numbers(**of: str) -> dict[str, Any]:
        return {"numberLimits": limits(**of)["numberLimits"]}

    answer = await banca.send("PUT", path, limits("9.00", n07="1.00", n13="2.00"))
    before, after = {"globalLimit": None} | numbers(), {"globalLimit": "9.00"} | numbers(n07="1.00", n13="2.00")
    yield answer, Told(action, "SORTEO", arena.sorteo_id, before, after)
    answer = await banca.send("PUT", path, limits("9.00", n07="1.00", n13="3.00", n66=0))
    changed = numbers(n13="2.00"), numbers(n13="3.00", n66="0.00")
    yield answer, Told(action, "SORTEO", arena.sorteo_id, *changed)
    before, after = {"globalLimit": "9.00"} | numbers(n13="3.00", n66="0.00"), {"globalLimit": "0.00"} | numbers()
    yield await banca.send("PUT", path, limits(0, n07="1.00")), Told(action, "SORTEO", arena.sorteo_id, before, after)


async def test_one_request_for_a_thousand_numbers_is_one_event_and_a_row_for_each(
    api: RunningApi, banca: Ruler, arena: Arena, auditor: Auditor
) -> None:
    numbers = [f"{number:03d}" for number in range(1_000)]
    document = {"bancaId": str(arena.banca_id), "maxTotal": "1.00", "message": "x" * 255}
    answer = await banca.write("POST", RESTRICTIONS, {**document, "number": numbers})
    [event] = await arena.owner.fetch(EVENTS)
    # It travels with others.
    assert event["bytes"] < BYTES_PER_MESSAGE_MAX // 2
    await audited(arena, auditor)
    assert await proven_rows(arena) == 1_000
    common = {
        "isAutoDate": False, "appliesToVendedor": False, "isActive": True, "rulebookVersion": answer["rulebookVersion"]
    }  # fmt: skip
    for place in (0, 7, 999):
        rule = answer["data"][place]
        [row] = await told(api, banca.person, f"?targetId={rule['id']}")
        assert (row["action"], row["line"]) == ("RESTRICTION_CREATE", place + 1)
        assert row["details"] == {"before": None, "after": {**document, **common, "number": rule["number"]}}


async def test_what_is_too_large_for_the_trail_is_told_by_its_size_and_digest(
    api: RunningApi, banca: Ruler, arena: Arena, auditor: Auditor
) -> None:
    rules = [
        {"id": f"{n:064d}", "percent": "1.00", "multiplierRange": {"min": f"{n}.00", "max": f"{n}.00"}}
        for n in range(1, 500)
    ]
    path = f"{API}/users/{arena.seller.id}/commission-policy"
    await banca.write("PUT", path, {"commissionPolicyJson": {"version": 1, "defaultPercent": "5.00", "rules": rules}})
    await banca.write("PUT", path, {"commissionPolicyJson": POLICY})
    await audited(arena, auditor)
    emptied, filled = await told(api, banca.person)
    shown = filled["details"]["after"]["commissionPolicyJson"]
    assert (shown["version"], shown["defaultPercent"]) == (1, "5.00")
    assert shown["rules"].keys() == {"bytes", "sha256"}
    assert shown["rules"]["bytes"] == len(orjson.dumps(rules))
    assert emptied["details"]["before"] == {"commissionPolicyJson": {"rules": shown["rules"]}}
    assert max(event["bytes"] for event in await arena.owner.fetch(EVENTS)) < 2_000


async def test_what_changes_nothing_and_what_is_refused_tells_nothing(banca: Ruler, arena: Arena) -> None:
    rule = await banca.restrict(bancaId=str(arena.banca_id), number="07", maxTotal="5.00")
    one = f"{RESTRICTIONS}/{rule['id']}"
    before = await stored_rules(arena.owner)
    for method, target, body, status in (
        ("POST", f"{one}/restore", None, 200),
        ("PATCH", one, {"maxTotal": -1}, 400),
        ("POST", RESTRICTIONS, {"bancaId": str(arena.banca_id), "number": ["06", "07"], "maxTotal": 1}, 409),
        ("PUT", places(arena)["limits"], limits(1, n123=1), 400),
        ("PATCH", f"{API}/multipliers/{arena.loteria_id}", {"valueX": 1}, 404),
    ):
        assert (await banca.send(method, target, body)).status == status, target
    assert await stored_rules(arena.owner) == before
    await banca.write("DELETE", one)
    before = await stored_rules(arena.owner)
    await banca.write("DELETE", one)
    assert await stored_rules(arena.owner) == before


async def test_a_write_that_is_killed_before_it_ends_leaves_neither_rule_nor_row(banca: Ruler, arena: Arena) -> None:
    before = await stored_rules(arena.owner)
    async with arena.owner.transaction():
        # The rule is written; its event waits.
        await arena.owner.execute("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE")
        write = asyncio.create_task(
            banca.send("POST", RESTRICTIONS, {"bancaId": str(arena.banca_id), "maxTotal": "5.00"})
        )
        await eventually(lambda: somebody_waits(arena.owner))
        assert await arena.owner.fetchval(
            "SELECT bool_and(pg_terminate_backend(pid)) FROM pg_locks WHERE NOT granted AND relation = 'outbox'::regclass"
        )
        answer = await write
    assert (answer.status, answer.code) == (503, "DATABASE_UNAVAILABLE")
    assert await stored_rules(arena.owner) == before
    await banca.restrict(bancaId=str(arena.banca_id), maxTotal="5.00")
    assert [event["type"] for event in await arena.owner.fetch(EVENTS)] == ["activities.recorded"]


async def test_an_administrator_of_no_banca_is_told_in_the_trail_of_the_banca_it_worked_in(
    api: RunningApi, arena: Arena, auditor: Auditor
) -> None:
    admin = Ruler(api, await arena.add_user(Role.ADMIN, has_banca=False), arena.banca_id)
    await admin.restrict(bancaId=str(arena.banca_id), maxTotal="5.00")
    await audited(arena, auditor)
    [row] = await told(api, await arena.add_user(Role.BANCA))
    assert (row["action"], row["actorId"]) == ("RESTRICTION_CREATE", str(admin.person.id))
