"""Restriction rules over HTTP: written, read, switched off and on, and in force for the next sale."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from core.domain.permissions import Role
from tests.api.limiting import balances
from tests.api.ruling import RESTRICTIONS, Ruler, offered, ruler, stored_rules, version_of
from tests.api.selling import Contract
from tests.arena import Arena
from tests.running_api import RunningApi
from tests.till.state import findings


async def test_a_rule_is_answered_as_it_was_written_with_amounts_as_text(banca: Ruler, arena: Arena) -> None:
    written = await banca.write(
        "POST",
        RESTRICTIONS,
        {
            "userId": str(arena.seller.id), "number": "7", "maxAmount": 500, "maxTotal": "2000.5", "baseAmount": "100",
            "salesPercentage": 12.5, "appliesToDate": "2026-11-21", "appliesToHour": 0, "message": "¡hoy no!",
        },
    )  # fmt: skip
    [rule] = written["data"]
    assert {key: value for key, value in rule.items() if key not in ("id", "createdAt", "updatedAt")} == {
        "bancaId": None, "ventanaId": None, "userId": str(arena.seller.id), "number": "07", "isAutoDate": False,
        "autoDateOf": None,
        "maxAmount": "500.00", "maxTotal": "2000.50", "baseAmount": "100.00", "salesPercentage": "12.50",
        "appliesToVendedor": False, "appliesToDate": "2026-11-21", "appliesToHour": 0, "salesCutoffMinutes": None,
        "loteriaId": None, "multiplierId": None, "message": "¡hoy no!", "isActive": True,
        "createdBy": str(banca.person.id), "createdByRole": "BANCA", "updatedBy": None, "updatedByRole": None,
    }  # fmt: skip
    assert await banca.get(f"{RESTRICTIONS}/{rule['id']}") == rule
    assert written["rulebookVersion"] == await version_of(arena.owner, arena.banca_id)


async def test_a_list_of_numbers_makes_a_rule_each_in_one_version(banca: Ruler, arena: Arena) -> None:
    before = await version_of(arena.owner, arena.banca_id)
    document = {"bancaId": str(arena.banca_id), "number": ["31", "7", 100, "00"], "maxTotal": "1.00"}
    written = await banca.write("POST", RESTRICTIONS, document)
    assert [rule["number"] for rule in written["data"]] == ["31", "07", "100", "00"]
    assert all(rule["bancaId"] == str(arena.banca_id) for rule in written["data"])
    assert written["rulebookVersion"] == before + 1 == await version_of(arena.owner, arena.banca_id)


async def test_one_identical_number_of_a_list_refuses_the_list(banca: Ruler, arena: Arena) -> None:
    document: dict[str, Any] = {"bancaId": str(arena.banca_id), "maxTotal": "1.00"}
    await banca.restrict(**document, number="07")
    before = await stored_rules(arena.owner)
    answer = await banca.send("POST", RESTRICTIONS, {**document, "number": ["06", "07", "08"]})
    assert (answer.status, answer.code) == (409, "RESTRICTION_EXISTS")
    assert await stored_rules(arena.owner) == before


async def test_of_twenty_identical_rules_at_once_one_is_written(banca: Ruler, arena: Arena) -> None:
    before = await version_of(arena.owner, arena.banca_id)
    document = {"ventanaId": str(arena.ventana_id), "number": "07", "maxTotal": "1.00"}
    answers = await asyncio.gather(*(banca.send("POST", RESTRICTIONS, document) for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 19
    assert {answer.code for answer in answers} == {None, "RESTRICTION_EXISTS"}
    assert await version_of(arena.owner, arena.banca_id) == before + 1


async def test_a_rule_that_storage_holds_but_nobody_can_read_is_still_the_same_rule(banca: Ruler, arena: Arena) -> None:
    # It limits nothing, so that the rulebook passes it over; the table's index does not.
    await arena.owner.execute(
        "INSERT INTO restriction_rules (banca_id, id, whole_banca, number) VALUES ($1, $2, true, 7)",
        arena.banca_id, uuid4(),
    )  # fmt: skip
    before = await stored_rules(arena.owner)
    document = {"bancaId": str(arena.banca_id), "number": "07", "maxTotal": 5}
    answer = await banca.send("POST", RESTRICTIONS, document)
    assert (answer.status, answer.code) == (409, "RESTRICTION_EXISTS")
    assert "violations" not in answer.json()
    assert await stored_rules(arena.owner) == before


async def test_a_rule_holds_for_the_next_sale_and_ends_when_it_is_switched_off(
    api: RunningApi, banca: Ruler, arena: Arena
) -> None:
    assert await offered(api, arena, "600.00") == "SOLD"
    rule = await banca.restrict(bancaId=str(arena.banca_id), number="07", maxTotal="1000.00")
    one = f"{RESTRICTIONS}/{rule['id']}"
    assert await offered(api, arena, "500.00") == "NUMBER_MAXTOTAL_EXCEEDED"
    assert await offered(api, arena, "300.00") == "SOLD"
    await banca.write("PATCH", one, {"maxTotal": "950.00"})
    assert await offered(api, arena, "100.00") == "NUMBER_MAXTOTAL_EXCEEDED"
    off = await banca.write("DELETE", one)
    assert off["isActive"] is False
    assert await offered(api, arena, "100.00") == "SOLD"
    on = await banca.write("POST", f"{one}/restore")
    assert (on["isActive"], on["rulebookVersion"]) == (True, off["rulebookVersion"] + 1)
    assert await offered(api, arena, "0.01") == "NUMBER_MAXTOTAL_EXCEEDED"


async def test_switching_off_or_on_again_changes_nothing(banca: Ruler, arena: Arena) -> None:
    rule = await banca.restrict(bancaId=str(arena.banca_id), maxTotal="1000.00")
    one = f"{RESTRICTIONS}/{rule['id']}"
    for method, target in (("DELETE", one), ("POST", f"{one}/restore")):
        first = await banca.write(method, target)
        assert await banca.write(method, target) == first


async def test_a_change_keeps_what_it_does_not_name_and_null_takes_away(banca: Ruler, arena: Arena) -> None:
    rule = await banca.restrict(bancaId=str(arena.banca_id), number="07", maxTotal="9.00", appliesToHour=3, message="x")
    changed = await banca.write(
        "PATCH", f"{RESTRICTIONS}/{rule['id']}", {"number": None, "appliesToHour": None, "maxAmount": "4.00"}
    )
    del changed["rulebookVersion"]
    author = {"updatedAt": changed["updatedAt"], "updatedBy": str(banca.person.id), "updatedByRole": "BANCA"}
    assert changed == {**rule, "number": None, "appliesToHour": None, "maxAmount": "4.00", **author}
    assert changed["updatedAt"] >= rule["updatedAt"]


async def test_a_change_is_judged_as_the_whole_rule_that_it_makes(banca: Ruler, arena: Arena) -> None:
    document: dict[str, Any] = {"bancaId": str(arena.banca_id), "maxTotal": "9.00"}
    await banca.restrict(**document, number="08")
    rule = await banca.restrict(**document, number="07")
    table: list[tuple[Any, int, str, str | None]] = [
        ({"maxTotal": None}, 400, "FIELD_INVALID", "maxAmount"),
        ({"salesPercentage": "10"}, 400, "FIELD_INVALID", "salesPercentage"),
        ({"salesCutoffMinutes": 5}, 400, "FIELD_INVALID", "salesCutoffMinutes"),
        ({"ventanaId": str(arena.ventana_id)}, 400, "FIELD_INVALID", "userId"),
        ({"number": ["07", "09"]}, 400, "FIELD_INVALID", "number"),
        ({"id": str(uuid4())}, 400, "FIELD_UNKNOWN", "id"),
        ({}, 400, "FIELD_REQUIRED", None),
        ({"number": "08"}, 409, "RESTRICTION_EXISTS", None),
        ({"bancaId": None, "userId": str(uuid4())}, 404, "SELLER_NOT_FOUND", "userId"),
    ]
    before = await stored_rules(arena.owner)
    for change, status, code, field in table:
        answer = await banca.send("PATCH", f"{RESTRICTIONS}/{rule['id']}", change)
        assert (answer.status, answer.code) == (status, "VALIDATION_FAILED" if status == 400 else code), change
        assert (code, field) in [(v["code"], v.get("field")) for v in answer.json()["violations"]], change
    assert await stored_rules(arena.owner) == before


async def test_a_rule_is_restored_only_if_it_makes_sense(banca: Ruler, arena: Arena) -> None:
    band = await arena.add_multiplier("Banda 85", 8_500)
    twin: dict[str, Any] = {"bancaId": str(arena.banca_id), "number": "07", "maxTotal": "9.00"}
    twice, blocked = (await banca.restrict(**twin)), (
        await banca.restrict(loteriaId=str(arena.loteria_id), multiplierId=str(band))
    )  # fmt: skip
    for rule in (twice, blocked):
        await banca.write("DELETE", f"{RESTRICTIONS}/{rule['id']}")
    await banca.restrict(**twin)
    await arena.owner.execute("UPDATE loteria_multipliers SET is_active = false WHERE id = $1", band)
    before = await stored_rules(arena.owner)
    for rule, status, code in ((twice, 409, "RESTRICTION_EXISTS"), (blocked, 400, "VALIDATION_FAILED")):
        answer = await banca.send("POST", f"{RESTRICTIONS}/{rule['id']}/restore")
        assert (answer.status, answer.code) == (status, code)
    assert await stored_rules(arena.owner) == before


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "JSON_MALFORMED"),
        (b"[]", "JSON_NOT_AN_OBJECT"),
        (b'{"maxTotal": 1, "maxTotal": 2}', "JSON_DUPLICATE_KEY"),
        (b"{}", "VALIDATION_FAILED"),
        (b'{"bancaId": "@", "maxTotal": 0.001}', "VALIDATION_FAILED"),
        (b'{"bancaId": "@", "maxTotal": "1e3"}', "VALIDATION_FAILED"),
        (b'{"bancaId": "@", "maxTotal": 1e-3}', "VALIDATION_FAILED"),
        (b'{"bancaId": "@", "maxTotal": -1}', "VALIDATION_FAILED"),
        (b'{"bancaId": "@", "maxTotal": true}', "VALIDATION_FAILED"),
        (b'{"bancaId": "@", "maxTotal": "1.00", "number": "1000"}', "VALIDATION_FAILED"),
        (b'{"bancaId": "@", "maxTotal": "1.00", "number": ["7", "07"]}', "VALIDATION_FAILED"),
        (b'{"bancaId": "@", "baseAmount": "1.00", "salesPercentage": "100.01"}', "VALIDATION_FAILED"),
        (b'{"bancaId": "@", "salesCutoffMinutes": 31}', "VALIDATION_FAILED"),
        (b'{"bancaId": "@", "maxTotal": "1.00", "isActive": "yes"}', "VALIDATION_FAILED"),
        (b'{"bancaId": "@", "maxTotal": "1.00", "createdAt": "2026-01-01"}', "VALIDATION_FAILED"),
        (b'{"bancaId": "@", "maxTotal": "1.00", "message": 1.5}', "VALIDATION_FAILED"),
        (b'{"bancaId": "@", "maxTotal": "1.00", "createdByRole": "VENTANA"}', "VALIDATION_FAILED"),
    ],
)
async def test_a_malformed_rule_is_refused_and_changes_nothing(
    banca: Ruler, arena: Arena, body: bytes, code: str
) -> None:
    before = await stored_rules(arena.owner)
    answer = await banca.send("POST", RESTRICTIONS, body.replace(b"@", str(arena.banca_id).encode()))
    assert (answer.status, answer.code) == (400, code)
    assert await stored_rules(arena.owner) == before


async def test_all_that_is_wrong_is_told(banca: Ruler, arena: Arena) -> None:
    document = {"bancaId": "x", "maxTotal": 0, "number": "1000", "appliesToHour": 24, "colour": "red"}
    answer = await banca.send("POST", RESTRICTIONS, document)
    fields = {(violation["field"], violation["code"]) for violation in answer.json()["violations"]}
    wrong = {(field, "FIELD_INVALID") for field in ("bancaId", "maxTotal", "number", "appliesToHour")}
    assert fields == {*wrong, ("colour", "FIELD_UNKNOWN")}


async def test_every_answer_is_as_documented(api: RunningApi, banca: Ruler, arena: Arena) -> None:
    contract = await Contract.of(api)
    one = f"{RESTRICTIONS}/{{restrictionId}}"
    document = {"bancaId": str(arena.banca_id), "maxTotal": "1.00"}
    made = contract.require(await banca.send("POST", RESTRICTIONS, document), "POST", RESTRICTIONS)
    path = f"{RESTRICTIONS}/{made['data'][0]['id']}"
    for method, target, described, body in (
        ("GET", RESTRICTIONS, RESTRICTIONS, None),
        ("GET", path, one, None),
        ("PATCH", path, one, {"maxTotal": "2.00"}),
        ("DELETE", path, one, None),
        ("POST", f"{path}/restore", f"{one}/restore", None),
        ("POST", RESTRICTIONS, RESTRICTIONS, document),
        ("PATCH", path, one, {"maxTotal": "x"}),
        ("GET", f"{RESTRICTIONS}/{uuid4()}", one, None),
    ):
        contract.require(await banca.send(method, target, body), method, described)


async def test_a_role_that_only_reads_writes_nothing(api: RunningApi, arena: Arena) -> None:
    seller = Ruler(api, arena.seller)
    rule = await (await ruler(api, arena, Role.ADMIN)).restrict(userId=str(arena.seller.id), maxTotal="1")
    one = f"{RESTRICTIONS}/{rule['id']}"
    before = await stored_rules(arena.owner)
    for method, target, document in (
        ("POST", RESTRICTIONS, {"userId": str(arena.seller.id), "maxAmount": 1}),
        ("PATCH", one, {"maxTotal": 5}),
        ("DELETE", one, None),
        ("POST", f"{one}/restore", None),
    ):
        answer = await seller.send(method, target, document)
        assert (answer.status, answer.code) == (403, "FORBIDDEN")
    assert await stored_rules(arena.owner) == before
    assert (await seller.get(one))["id"] == rule["id"]


async def test_an_auto_date_rule_is_of_the_sales_day_unless_it_says_the_draws(banca: Ruler, arena: Arena) -> None:
    document = {"bancaId": str(arena.banca_id), "isAutoDate": True, "maxTotal": "5.00"}
    of_sale = await banca.restrict(**document)
    assert of_sale["autoDateOf"] == "SALE"
    # The day of the sale and the day of the draw make two rules; each of them may be there once.
    of_sorteo = await banca.restrict(**document, autoDateOf="SORTEO")
    assert of_sorteo["autoDateOf"] == "SORTEO"
    for day in ("SALE", "SORTEO"):
        answer = await banca.send("POST", RESTRICTIONS, {**document, "autoDateOf": day})
        assert (answer.status, answer.code) == (409, "RESTRICTION_EXISTS")
    one = f"{RESTRICTIONS}/{of_sorteo['id']}"
    assert (await banca.get(one))["autoDateOf"] == "SORTEO"
    assert {rule["autoDateOf"] for rule in (await banca.get(RESTRICTIONS))["data"]} == {"SALE", "SORTEO"}
    answer = await banca.send("PATCH", one, {"autoDateOf": "SALE"})
    assert (answer.status, answer.code) == (409, "RESTRICTION_EXISTS")
    # Another amount leaves the day as it is; a number of its own takes it away.
    assert (await banca.write("PATCH", one, {"maxTotal": "6.00"}))["autoDateOf"] == "SORTEO"
    numbered = await banca.write("PATCH", one, {"isAutoDate": False, "number": "07"})
    assert (numbered["isAutoDate"], numbered["autoDateOf"], numbered["number"]) == (False, None, "07")
    for change in ({"autoDateOf": "SORTEO"}, {"autoDateOf": "SALE"}):
        answer = await banca.send("PATCH", one, change)
        assert (answer.status, answer.json()["violations"][0]["field"]) == (400, "autoDateOf")
    await banca.write("DELETE", f"{RESTRICTIONS}/{of_sale['id']}")
    again = await banca.write("PATCH", one, {"isAutoDate": True, "number": None})
    assert (again["isAutoDate"], again["autoDateOf"]) == (True, "SALE")


async def test_tomorrows_number_is_limited_the_evening_before_by_a_rule_of_the_draws_day(
    api: RunningApi, banca: Ruler, arena: Arena
) -> None:
    # The arena's draw is tomorrow's.
    drawn_on = await arena.owner.fetchval("SELECT business_date FROM sorteos WHERE id = $1", arena.sorteo_id)
    number, document = f"{drawn_on.day:02d}", {"bancaId": str(arena.banca_id), "isAutoDate": True, "maxTotal": "500.00"}
    rule = await banca.restrict(**document)
    assert await offered(api, arena, "600.00", number) == "SOLD"
    await banca.write("PATCH", f"{RESTRICTIONS}/{rule['id']}", {"autoDateOf": "SORTEO", "maxTotal": "1000.00"})
    assert await offered(api, arena, "400.01", number) == "NUMBER_MAXTOTAL_EXCEEDED"
    # What is left is told as it will be judged, and a seller's own screen shows it.
    left = (await balances(api, arena, arena.seller))["numbers"]
    assert {each: told["remaining"] for each, told in left.items()} == {number: "400.00"}
    assert await offered(api, arena, "400.00", number) == "SOLD"
    assert await offered(api, arena, "0.01", number) == "NUMBER_MAXTOTAL_EXCEEDED"
    assert await findings(arena.owner, arena.banca_id) == []
    # The books judge every past sale by the day that the rule meant.
    await arena.owner.execute(
        "UPDATE rulebook_versions SET limits = jsonb_set(limits, '{restrictions,0,maxTotalCents}', '99999')"
        " WHERE version = (SELECT max(version) FROM rulebook_versions)"
    )
    [(check, told)] = await findings(arena.owner, arena.banca_id)
    assert check == "limits" and f"number {drawn_on.day}:" in told
