"""The banca bounds what its ventanas may write: odds, commissions, and which kinds at all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from api.routes import OPERATIONS
from core.domain.permissions import Permission, Role, scope_of
from core.domain.ventana_bounds import VentanaWrite
from tests.api.auditing import audited, told
from tests.api.ruling import API, OVERRIDES, RESTRICTIONS, Ruler, places, ruler, somebody_waits, stored_rules
from tests.arena import Arena
from tests.pos import new_key
from tests.running_api import Answer, RunningApi
from tests.workers.pipeline import eventually
from workers.audit import Auditor

ALL_KINDS = ["LIMIT", "BLOCK", "OVERRIDE", "COMMISSION_POLICY", "MOVEMENT"]
BEYOND = (403, "VENTANA_BOUND_EXCEEDED")
FORBIDDEN = (403, "VENTANA_WRITE_FORBIDDEN")


@pytest.fixture
async def ventana(api: RunningApi, arena: Arena) -> Ruler:
    return await ruler(api, arena, Role.VENTANA)


@pytest.fixture
async def admin(api: RunningApi, arena: Arena) -> Ruler:
    return Ruler(api, await arena.add_user(Role.ADMIN), arena.banca_id)


async def bound(banca: Ruler, arena: Arena, **settings: Any) -> dict[str, Any]:
    written: dict[str, Any] = await banca.write("PATCH", places(arena)["settings"], settings)
    return written


def override(arena: Arena, x: str, *, scope: str = "USER") -> dict[str, Any]:
    owner = arena.seller.id if scope == "USER" else arena.ventana_id
    return {"scope": scope, "scopeId": str(owner), "loteriaId": str(arena.loteria_id), "baseMultiplierX": x}


def policy(*percents: str) -> dict[str, Any]:
    default, *others = percents
    rules = [
        {"betType": kind, "percent": percent} for kind, percent in zip(("NUMERO", "REVENTADO"), others, strict=False)
    ]
    return {"commissionPolicyJson": {"version": 1, "defaultPercent": default, "rules": rules}}


def policy_of(arena: Arena) -> str:
    return f"{API}/users/{arena.seller.id}/commission-policy"


def came_to(answer: Answer) -> tuple[int, str | None]:
    return answer.status, answer.code


async def test_unless_it_is_set_a_ventanas_override_is_at_most_what_the_banca_sells_the_lottery_at(
    banca: Ruler, ventana: Ruler, arena: Arena
) -> None:
    first = await banca.get(places(arena)["settings"])
    assert (first["ventanaMaxMultiplierX"], first["ventanaMaxCommissionPercent"]) == (None, "20.00")
    assert first["ventanaWrites"] == ALL_KINDS
    before = await stored_rules(arena.owner)
    for x in ("90.01", "9999.00"):
        for scope in ("USER", "VENTANA"):
            answer = await ventana.send("POST", OVERRIDES, override(arena, x, scope=scope))
            assert came_to(answer) == BEYOND
            assert answer.json()["violations"] == [
                {
                    "code": "VENTANA_BOUND_EXCEEDED", "field": "baseMultiplierX", "setting": "ventanaMaxMultiplierX",
                    "asked": x, "bound": "90.00", "message": "the banca lets its ventanas write at most 90.00 (ventanaMaxMultiplierX)",
                }
            ]  # fmt: skip
    assert await stored_rules(arena.owner) == before
    one = await ventana.write("POST", OVERRIDES, override(arena, "90.00"))
    path = f"{OVERRIDES}/{one['id']}"
    # What is no NUMERO multiplier of every day, active, in this lottery, is no measure.
    await arena.add_multiplier("Ball", 20_000, kind="REVENTADO")
    of_one_day = await arena.add_multiplier("Navidad", 9_500)
    await arena.owner.execute(
        "UPDATE loteria_multipliers SET applies_to_date = $2 WHERE id = $1", of_one_day, date(2026, 12, 24)
    )
    off = await arena.add_multiplier("Off", 9_400)
    await arena.owner.execute("UPDATE loteria_multipliers SET is_active = false WHERE id = $1", off)
    assert came_to(await ventana.send("PUT", path, {"baseMultiplierX": "90.01"})) == BEYOND
    # What the banca sells higher, it lets its ventanas write.
    await banca.write("PUT", places(arena)["loteria setting"], {"baseMultiplierX": "91.00", "maxTotalPerSorteo": None})
    assert (await ventana.write("PUT", path, {"baseMultiplierX": "91.00"}))["baseMultiplierX"] == "91.00"
    await arena.add_multiplier("High", 9_200)
    await ventana.write("PUT", path, {"baseMultiplierX": "92.00"})
    assert came_to(await ventana.send("PUT", path, {"baseMultiplierX": "92.01"})) == BEYOND


async def test_a_lottery_without_multipliers_bounds_by_its_own_base(banca: Ruler, ventana: Ruler, arena: Arena) -> None:
    await arena.owner.execute("UPDATE loteria_multipliers SET is_active = false")
    assert came_to(await ventana.send("POST", OVERRIDES, override(arena, "0.01"))) == BEYOND
    await banca.write("PATCH", places(arena)["loteria"], {"rulesJson": {"digits": 2, "baseMultiplierX": "70.00"}})
    assert came_to(await ventana.send("POST", OVERRIDES, override(arena, "70.01"))) == BEYOND
    await ventana.write("POST", OVERRIDES, override(arena, "70.00"))


@pytest.mark.parametrize("x", ["85.00", "99.50"])
async def test_a_bound_that_is_set_holds_in_place_of_the_lotterys(
    banca: Ruler, ventana: Ruler, arena: Arena, x: str
) -> None:
    await bound(banca, arena, ventanaMaxMultiplierX=x)
    beyond = f"{x[:-1]}1"
    assert came_to(await ventana.send("POST", OVERRIDES, override(arena, beyond))) == BEYOND
    await ventana.write("POST", OVERRIDES, override(arena, x))
    await bound(banca, arena, ventanaMaxMultiplierX=None)
    assert came_to(await ventana.send("POST", OVERRIDES, override(arena, "90.01", scope="VENTANA"))) == BEYOND


async def test_administrators_are_not_bound(banca: Ruler, admin: Ruler, arena: Arena) -> None:
    await bound(banca, arena, ventanaMaxMultiplierX="1.00", ventanaMaxCommissionPercent="0.00", ventanaWrites=[])
    await banca.write("POST", OVERRIDES, override(arena, "9999.00"))
    await admin.write("POST", OVERRIDES, override(arena, "9999.00", scope="VENTANA"))
    for who, percent in ((banca, "100.00"), (admin, "99.00")):
        await who.write("PUT", policy_of(arena), policy(percent))
    await banca.restrict(ventanaId=str(arena.ventana_id), maxTotal="5.00")


async def test_every_percent_of_a_sellers_policy_is_bounded(banca: Ruler, ventana: Ruler, arena: Arena) -> None:
    path = policy_of(arena)
    await ventana.write("PUT", path, policy("20.00", "20.00", "0.00"))
    before = await stored_rules(arena.owner)
    answer = await ventana.send("PUT", path, policy("100.00", "5.00", "20.01"))
    assert came_to(answer) == BEYOND
    assert [(one["field"], one["asked"], one["bound"]) for one in answer.json()["violations"]] == [
        ("commissionPolicyJson.defaultPercent", "100.00", "20.00"),
        ("commissionPolicyJson.rules[1].percent", "20.01", "20.00"),
    ]
    # One that begins later costs as much from then on.
    later = policy("20.01")
    later["commissionPolicyJson"]["effectiveFrom"] = "2099-01-01T00:00:00Z"
    assert came_to(await ventana.send("PUT", path, later)) == BEYOND
    assert await stored_rules(arena.owner) == before
    await bound(banca, arena, ventanaMaxCommissionPercent="7.50")
    assert came_to(await ventana.send("PUT", path, policy("7.51"))) == BEYOND
    await ventana.write("PUT", path, policy("7.50"))
    await ventana.write("PUT", path, {"commissionPolicyJson": None})


def moved(arena: Arena) -> dict[str, Any]:
    return {
        "vendedorId": str(arena.seller.id), "date": "2026-01-15", "time": "10:00", "amount": "5.00",
        "type": "collection", "method": "cash",
    }  # fmt: skip


async def send_keyed(who: Ruler, path: str, document: Any) -> Answer:
    headers = {
        "Authorization": f"Bearer {who.person.token}",
        "Idempotency-Key": new_key(),
        "Content-Type": "application/json",
    }
    return await who.api.send("POST", path, body=json.dumps(document).encode(), headers=headers)


Write = Callable[[Ruler, Arena], Any]
WRITES: dict[VentanaWrite, Write] = {
    VentanaWrite.LIMIT: lambda who, arena: who.send(
        "POST", RESTRICTIONS, {"ventanaId": str(arena.ventana_id), "number": "07", "maxTotal": "5.00"}
    ),
    VentanaWrite.BLOCK: lambda who, arena: who.send(
        "POST",
        RESTRICTIONS,
        {
            "ventanaId": str(arena.ventana_id), "loteriaId": str(arena.loteria_id),
            "multiplierId": str(arena.multiplier_id),
        },
    ),
    VentanaWrite.OVERRIDE: lambda who, arena: who.send("POST", OVERRIDES, override(arena, "80.00")),
    VentanaWrite.COMMISSION_POLICY: lambda who, arena: who.send("PUT", policy_of(arena), policy("5.00")),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRITES)
async def test_a_ventana_writes_the_kinds_that_its_banca_lets_it_write(
    banca: Ruler, ventana: Ruler, arena: Arena, kind: VentanaWrite
) -> None:
    await bound(banca, arena, ventanaWrites=[each for each in reversed(ALL_KINDS) if each != kind])
    before = await stored_rules(arena.owner)
    answer = await WRITES[kind](ventana, arena)
    assert came_to(answer) == FORBIDDEN
    [violation] = answer.json()["violations"]
    assert (violation["kind"], violation["ventanaWrites"]) == (kind, [each for each in ALL_KINDS if each != kind])
    assert await stored_rules(arena.owner) == before
    for other, write in WRITES.items():
        assert (await write(ventana, arena)).status in ((403,) if other is kind else (200, 201))
    await bound(banca, arena, ventanaWrites=[kind])
    assert (await WRITES[kind](ventana, arena)).status in (200, 201)


@pytest.mark.parametrize("address", [RESTRICTIONS, OVERRIDES])
async def test_what_a_ventana_wrote_it_may_switch_off_and_not_on_again_beyond_the_bounds(
    banca: Ruler, ventana: Ruler, arena: Arena, address: str
) -> None:
    write = WRITES[VentanaWrite.LIMIT if address == RESTRICTIONS else VentanaWrite.OVERRIDE]
    answer = (await write(ventana, arena)).json()
    path = f"{address}/{(answer['data'][0] if address == RESTRICTIONS else answer)['id']}"
    change: dict[str, Any] = {"maxTotal": "6.00"} if address == RESTRICTIONS else {"baseMultiplierX": "79.00"}
    await bound(banca, arena, ventanaWrites=[])
    method = "PATCH" if address == RESTRICTIONS else "PUT"
    assert came_to(await ventana.send(method, path, change)) == FORBIDDEN
    assert (await ventana.write("DELETE", path))["isActive"] is False
    assert came_to(await ventana.send("POST", f"{path}/restore")) == FORBIDDEN
    await bound(banca, arena, ventanaWrites=ALL_KINDS)
    assert (await ventana.write("POST", f"{path}/restore"))["isActive"] is True


async def test_a_block_is_no_limit_by_another_name(banca: Ruler, ventana: Ruler, arena: Arena) -> None:
    await bound(banca, arena, ventanaWrites=["LIMIT"])
    pair = {"loteriaId": str(arena.loteria_id), "multiplierId": str(arena.multiplier_id), "maxTotal": "5.00"}
    rule = await ventana.restrict(ventanaId=str(arena.ventana_id), **pair)
    answer = await ventana.send("PATCH", f"{RESTRICTIONS}/{rule['id']}", {"maxTotal": None})
    assert came_to(answer) == FORBIDDEN


async def test_a_banca_keeps_its_ventanas_from_moving_money(banca: Ruler, ventana: Ruler, arena: Arena) -> None:
    pay, back = f"{API}/accounts/payment", f"{API}/accounts/reverse-payment"
    first = await send_keyed(ventana, pay, moved(arena))
    assert first.status == 201, first.body
    await bound(banca, arena, ventanaWrites=[])
    assert came_to(await send_keyed(ventana, pay, moved(arena))) == FORBIDDEN
    taken_back = {"paymentId": first.json()["payment"]["id"], "reason": "counted twice"}
    assert came_to(await send_keyed(ventana, back, taken_back)) == FORBIDDEN
    assert (await send_keyed(banca, back, taken_back)).status == 200


async def test_a_bound_that_is_lowered_while_a_ventana_writes_holds_for_that_write(
    banca: Ruler, ventana: Ruler, arena: Arena
) -> None:
    one = await ventana.write("POST", OVERRIDES, override(arena, "80.00"))
    for method, path, document in (
        ("POST", OVERRIDES, override(arena, "89.00", scope="VENTANA")),
        ("PUT", f"{OVERRIDES}/{one['id']}", {"baseMultiplierX": "89.00"}),
        ("PUT", policy_of(arena), policy("19.00")),
    ):
        await bound(banca, arena, ventanaMaxMultiplierX=None, ventanaMaxCommissionPercent="20.00")
        async with arena.owner.transaction():
            await arena.owner.execute(
                "UPDATE bancas SET ventana_max_multiplier_x_hundredths = 8500, ventana_max_commission_basis_points = 500"
                " WHERE id = $1",
                arena.banca_id,
            )
            writing = asyncio.create_task(ventana.send(method, path, document))
            await eventually(lambda: somebody_waits(arena.owner))
        assert came_to(await writing) == BEYOND, path


async def test_what_was_written_before_a_bound_was_lowered_stays_and_is_listed(
    banca: Ruler, ventana: Ruler, arena: Arena
) -> None:
    path = f"{API}/bancas/{arena.banca_id}/ventana-excesses"
    of_ventana = await ventana.write("POST", OVERRIDES, override(arena, "90.00"))
    await banca.write("POST", OVERRIDES, override(arena, "9999.00", scope="VENTANA"))
    await ventana.write("PUT", policy_of(arena), policy("5.00", "19.00"))
    assert (await banca.get(path))["data"] == []
    settings = await bound(banca, arena, ventanaMaxMultiplierX="85.00", ventanaMaxCommissionPercent="18.99")
    listed = await banca.get(path)
    assert listed["rulebookVersion"] == settings["rulebookVersion"]
    seller, place = str(arena.seller.id), str(arena.ventana_id)
    assert listed["data"] == [
        {
            "kind": "OVERRIDE", "id": of_ventana["id"], "ventanaId": None, "userId": seller,
            "loteriaId": str(arena.loteria_id), "value": "90.00", "bound": "85.00",
        },
        {
            "kind": "COMMISSION_POLICY", "id": seller, "ventanaId": place, "userId": seller, "loteriaId": None,
            "value": "19.00", "bound": "18.99",
        },
    ]  # fmt: skip
    # They hold as they stood, until they are changed.
    assert (await banca.get(f"{OVERRIDES}/{of_ventana['id']}"))["isActive"] is True
    await ventana.write("PUT", f"{OVERRIDES}/{of_ventana['id']}", {"baseMultiplierX": "85.00"})
    await ventana.write("PUT", policy_of(arena), policy("18.99"))
    assert (await banca.get(path))["data"] == []
    assert came_to(await ventana.send("GET", path)) == (403, "FORBIDDEN")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"ventanaMaxMultiplierX": "0"}, "ventanaMaxMultiplierX"),
        ({"ventanaMaxMultiplierX": "10000.00"}, "ventanaMaxMultiplierX"),
        ({"ventanaMaxMultiplierX": "90.001"}, "ventanaMaxMultiplierX"),
        ({"ventanaMaxCommissionPercent": "100.01"}, "ventanaMaxCommissionPercent"),
        ({"ventanaMaxCommissionPercent": "-1"}, "ventanaMaxCommissionPercent"),
        ({"ventanaMaxCommissionPercent": None}, "ventanaMaxCommissionPercent"),
        ({"ventanaWrites": None}, "ventanaWrites"),
        ({"ventanaWrites": "LIMIT"}, "ventanaWrites"),
        ({"ventanaWrites": ["CUTOFF"]}, "ventanaWrites[0]"),
        ({"ventanaWrites": ["LIMIT", "LIMIT"]}, "ventanaWrites"),
    ],
)
async def test_a_bound_that_makes_no_sense_is_refused(banca: Ruler, arena: Arena, change: Any, field: str) -> None:
    before = await stored_rules(arena.owner)
    answer = await banca.send("PATCH", places(arena)["settings"], change)
    assert came_to(answer) == (400, "VALIDATION_FAILED")
    assert [violation["field"] for violation in answer.json()["violations"]] == [field]
    assert await stored_rules(arena.owner) == before


async def test_bounds_are_the_bancas_to_set_and_told_in_the_trail(
    api: RunningApi, banca: Ruler, ventana: Ruler, arena: Arena, auditor: Auditor
) -> None:
    answer = await ventana.send("PATCH", places(arena)["settings"], {"ventanaMaxMultiplierX": "9999.00"})
    assert came_to(answer) == (403, "FORBIDDEN")
    written = await bound(
        banca, arena, ventanaMaxMultiplierX="85.00", ventanaMaxCommissionPercent="10", ventanaWrites=["BLOCK", "LIMIT"]
    )
    # The same once more, however it is written, is no change.
    again = await bound(banca, arena, ventanaMaxCommissionPercent="10.00", ventanaWrites=["LIMIT", "BLOCK"])
    assert again == written
    await audited(arena, auditor)
    [row] = await told(api, banca.person, "?action=BANCA_UPDATE")
    assert row["details"] == {
        "before": {
            "ventanaMaxMultiplierX": None, "ventanaMaxCommissionPercent": "20.00", "ventanaWrites": ALL_KINDS,
        },
        "after": {
            "ventanaMaxMultiplierX": "85.00", "ventanaMaxCommissionPercent": "10.00",
            "ventanaWrites": ["LIMIT", "BLOCK"], "rulebookVersion": written["rulebookVersion"],
        },
    }  # fmt: skip


def test_whatever_a_ventana_may_send_is_bounded_or_known_not_to_cost_the_banca() -> None:
    """A new operation that a VENTANA user may call and that writes is to be looked at: is it bounded?"""
    bounded = {
        *(f"POST {RESTRICTIONS}", f"PATCH {RESTRICTIONS}/{{restrictionId}}"),
        *(f"{each} {RESTRICTIONS}/{{restrictionId}}{end}" for each, end in (("DELETE", ""), ("POST", "/restore"))),
        *(f"POST {OVERRIDES}", f"PUT {OVERRIDES}/{{overrideId}}", f"DELETE {OVERRIDES}/{{overrideId}}"),
        f"POST {OVERRIDES}/{{overrideId}}/restore",
        f"PUT {API}/users/{{userId}}/commission-policy",
        *(f"POST {API}/accounts/payment", f"POST {API}/accounts/reverse-payment"),
    }
    # Sales and what follows them are judged by the rules; a prize is paid once, up to what was won.
    judged = {f"POST {API}/tickets{end}" for end in ("", "/batch", "/cancel", "/{id}/cancel", "/{id}/restore")}
    judged |= {f"POST {API}/tickets/{{id}}/{end}" for end in ("pay", "finalize-payment", "reverse-payment")}
    of_oneself = {op for op in _writes_of_ventanas() if op.startswith((f"POST {API}/auth", f"DELETE {API}/auth"))}
    assert _writes_of_ventanas() - of_oneself == bounded | judged


def _writes_of_ventanas() -> set[str]:
    return {
        f"{operation.method} {operation.path}"
        for operation in OPERATIONS
        if operation.method != "GET"
        and isinstance(operation.permission, Permission)
        and scope_of(operation.permission, Role.VENTANA) is not None
    }
