"""Whatever is sent as a rule is taken or refused: nothing of it is trouble, and no answer grows beyond its request."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from tests.api.ruling import API, OVERRIDES, RESTRICTIONS, Ruler, limits, places, stored_rules
from tests.api.selling import BATCH, require_no_insides
from tests.arena import Arena
from tests.pos import Pos
from tests.running_api import RunningApi

POLICY = {
    "version": 1, "effectiveFrom": "2026-01-01T00:00:00Z", "effectiveTo": None, "defaultPercent": "5.00",
    "rules": [{"id": "a", "loteriaId": "@", "betType": "NUMERO", "multiplierRange": {"min": 1, "max": 2}, "percent": 1}],
}  # fmt: skip
RULES = {
    "digits": 2, "numberRange": {"min": 0, "max": 99}, "minBetAmount": 1, "maxNumbersPerTicket": 5,
    "allowedBetTypes": ["NUMERO"], "reventadoConfig": {"enabled": True, "colors": ["rojo"]},
    "salesHours": {"sunday": {"start": "08:00"}}, "drawSchedules": [{"times": ["12:55"], "daysOfWeek": [1]}],
    "baseMultiplierX": 1, "closingTimeBeforeDraw": 1, "display": {"color": "red", "featured": True},
}  # fmt: skip
RESTRICTION = (
    *("bancaId", "ventanaId", "userId", "number", "isAutoDate", "maxAmount", "maxTotal", "baseAmount"),
    *("salesPercentage", "appliesToVendedor", "appliesToDate", "appliesToHour", "salesCutoffMinutes"),
    *("loteriaId", "multiplierId", "message", "isActive"),
)
# As they stand in the JSON.
TOKENS = (
    *("null", "true", "-1", "7", "32768", "9223372036854775808", "1e400", "0.001", "9" * 400),
    *("{}", "[]", "[[]]", '["07", "7"]', '{"a": [1]}'),
    *('""', '"x"', '"\\u0001"', '"😀"', '"9999-12-31"', '"9999-12-31T23:59:59-14:00"', f'"{"9" * 5_000}"'),
)


async def writes(banca: Ruler, arena: Arena) -> list[tuple[str, str, Any]]:
    rule = await banca.restrict(bancaId=str(arena.banca_id), number="07", maxTotal="1.00")
    owner = {"scope": "USER", "scopeId": str(arena.seller.id), "loteriaId": str(arena.loteria_id)}
    override = await banca.write("POST", OVERRIDES, {**owner, "baseMultiplierX": 1})
    paths = places(arena)
    return [
        *(("PATCH", f"{RESTRICTIONS}/{rule['id']}", {member: None}) for member in RESTRICTION),
        ("POST", OVERRIDES, {**owner, "baseMultiplierX": 1}),
        ("PUT", f"{OVERRIDES}/{override['id']}", {"baseMultiplierX": 1}),
        ("PUT", f"{API}/users/{arena.seller.id}/commission-policy", {"commissionPolicyJson": POLICY}),
        ("PATCH", paths["settings"], {"defaultMinBet": 1, "globalMaxPerNumber": 1, "salesCutoffMinutes": 1}),
        ("PUT", paths["loteria setting"], {"baseMultiplierX": 1, "maxTotalPerSorteo": 1}),
        ("PUT", paths["limits"], limits(1, n07=1)),
        ("PATCH", paths["loteria"], {"name": "Tica", "isActive": True, "rulesJson": RULES}),
        ("POST", paths["multipliers"], {"name": "Banda", "kind": "NUMERO", "valueX": 1, "appliesToDate": None}),
        ("PATCH", paths["multiplier"], {"name": "Base", "valueX": 1, "isActive": True, "appliesToDate": None}),
    ]


def spoilt(document: Any) -> list[Any]:
    """The document as often as it has members and values in lists, each time with "@@" in place of one of them."""
    if isinstance(document, dict):
        inner = [{**document, name: one} for name, value in document.items() for one in spoilt(value)]
        return ["@@", *inner]
    if isinstance(document, list):
        return ["@@", *([one] for value in document for one in spoilt(value))]
    return ["@@"]


async def test_no_value_of_any_member_is_trouble(banca: Ruler, arena: Arena) -> None:
    for method, path, document in await writes(banca, arena):
        for place in spoilt(document)[1:]:
            text = json.dumps(place)
            for token in TOKENS:
                body = text.replace('"@@"', token).replace('"@"', f'"{arena.loteria_id}"').encode()
                answer = await banca.send(method, path, body)
                assert answer.status < 500, (path, body[:500])
                require_no_insides(answer)
    # And what was taken can be read.
    for path in (RESTRICTIONS, OVERRIDES, *(places(arena)[name] for name in ("settings", "limits", "loteria"))):
        await banca.get(path)


async def test_an_answer_is_not_many_times_its_request(api: RunningApi, banca: Ruler, arena: Arena) -> None:
    unknown = {f"{n:x}": 1 for n in range(5_000)}
    table: list[tuple[str, str, Any]] = [
        ("POST", RESTRICTIONS, unknown),
        ("PUT", f"{API}/users/{arena.seller.id}/commission-policy", {"commissionPolicyJson": unknown}),
        ("PATCH", places(arena)["loteria"], {"rulesJson": unknown}),
        ("PATCH", places(arena)["settings"], unknown),
    ]
    answers = [await banca.send(method, path, document) for method, path, document in table]
    answers.append(await Pos(api, arena.seller).post(BATCH, unknown))
    for answer in answers:
        assert (answer.status, answer.code) == (400, "VALIDATION_FAILED")
        assert len(answer.json()["violations"]) == 500


@pytest.mark.parametrize("bad", ["x", "0", "%00", "%F0%9F%98%80", "9" * 400])
async def test_an_address_with_no_id_in_it_is_refused(banca: Ruler, arena: Arena, bad: str) -> None:
    before = await stored_rules(arena.owner)
    good = str(uuid4())
    table: list[tuple[str, str, Any]] = [
        ("PATCH", f"{RESTRICTIONS}/@", {"maxTotal": 1}),
        ("DELETE", f"{RESTRICTIONS}/@", None),
        ("PUT", f"{OVERRIDES}/@", {"baseMultiplierX": 1}),
        ("POST", f"{OVERRIDES}/@/restore", None),
        ("PUT", f"{API}/ventanas/@/commission-policy", {"commissionPolicyJson": None}),
        ("PUT", f"{API}/users/@/commission-policy", {"commissionPolicyJson": None}),
        ("PATCH", f"{API}/bancas/@/settings", {"salesCutoffMinutes": 1}),
        ("PUT", f"{API}/loterias/@/banca-settings", {"baseMultiplierX": 1, "maxTotalPerSorteo": None}),
        ("PUT", f"{API}/sorteos/@/limits", limits(1)),
        ("PATCH", f"{API}/loterias/@", {"isActive": True}),
        ("PATCH", f"{API}/multipliers/@", {"valueX": 1}),
    ]
    for method, path, document in table:
        answer = await banca.send(method, path.replace("@", bad), document)
        assert (answer.status, answer.code) == (400, "VALIDATION_FAILED"), path
        assert (await banca.send(method, path.replace("@", good), document)).status == 404, path
    assert await stored_rules(arena.owner) == before
