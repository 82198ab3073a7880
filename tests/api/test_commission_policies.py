"""Commission policies over HTTP: judged whole, stored with their ids, in force for the next sale."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from core.domain.permissions import Role
from tests.api.ruling import Ruler, ruler, stored_rules, version_of
from tests.api.selling import Contract, sell, set_policy, ticket
from tests.arena import Arena
from tests.pos import Pos
from tests.running_api import RunningApi

DOCUMENT = "commissionPolicyJson"


def places(arena: Arena) -> dict[str, str]:
    ids = {"bancas": arena.banca_id, "ventanas": arena.ventana_id, "users": arena.seller.id}
    return {origin: f"/api/v1/{origin}/{row_id}/commission-policy" for origin, row_id in ids.items()}


def policy(percent: Any = "5.00", *rules: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {DOCUMENT: {"version": 1, "defaultPercent": percent, "rules": list(rules), **members}}


async def earned(api: RunningApi, arena: Arena) -> tuple[str, str | None, str | None]:
    """Percent, origin and rule of the next sale's commission."""
    [line] = (await sell(Pos(api, arena.seller), ticket(arena)))["jugadas"]
    return line["commissionPercent"], line["commissionOrigin"], line["commissionRuleId"]


async def test_the_nearest_policy_decides_the_next_sale_until_it_is_taken_away(
    api: RunningApi, banca: Ruler, arena: Arena
) -> None:
    version = await version_of(arena.owner, arena.banca_id)
    for place, (origin, path) in enumerate(places(arena).items(), start=1):
        written = await banca.write("PUT", path, policy(f"{place}.50"))
        assert written["rulebookVersion"] == version + place
        assert await earned(api, arena) == (f"{place}.50", origin[:-1].upper(), None)
    await banca.write("PUT", places(arena)["users"], {DOCUMENT: None})
    assert (await banca.get(places(arena)["users"])) == {DOCUMENT: None}
    assert await earned(api, arena) == ("2.50", "VENTANA", None)


async def test_rules_without_an_id_get_one_and_decimals_become_text(
    api: RunningApi, banca: Ruler, arena: Arena
) -> None:
    path = places(arena)["users"]
    rules: list[dict[str, Any]] = [
        {"betType": "REVENTADO", "percent": 3, "id": "mine"},
        {"loteriaId": str(arena.loteria_id), "multiplierRange": {"min": 90, "max": "90.0"}, "percent": 12.5},
        {"multiplierId": str(arena.multiplier_id), "percent": "1", "id": None},
    ]
    written = await banca.write("PUT", path, policy(5, *rules, effectiveFrom="2026-01-01T00:00:00Z"))
    document = written[DOCUMENT]
    assert document["defaultPercent"] == "5.00"
    assert document["effectiveFrom"] == "2026-01-01T00:00:00Z"
    assert [rule["percent"] for rule in document["rules"]] == ["3.00", "12.50", "1.00"]
    assert document["rules"][1]["multiplierRange"] == {"min": "90.00", "max": "90.00"}
    ids = [rule["id"] for rule in document["rules"]]
    assert ids[0] == "mine"
    assert len(set(ids)) == 3
    assert await banca.get(path) == {DOCUMENT: document}
    assert await earned(api, arena) == ("12.50", "USER", ids[1])
    # What was read can be written back, and is the same.
    assert (await banca.write("PUT", path, {DOCUMENT: document}))[DOCUMENT] == document


async def test_a_policy_that_somebody_stored_is_shown_without_floats(banca: Ruler, arena: Arena) -> None:
    await set_policy(arena, "users", arena.seller.id, "12.5")
    assert (await banca.get(places(arena)["users"]))[DOCUMENT]["defaultPercent"] == "12.50"
    for stored, shown in (('"text"', None), ('{"defaultPercent": 0.1}', {"defaultPercent": "0.10"}),
                          ('{"rules": [7, {"percent": "x"}]}', {"rules": [7, {"percent": "x"}]})):  # fmt: skip
        await arena.owner.execute("UPDATE users SET commission_policy = $2 WHERE id = $1", arena.seller.id, stored)
        assert (await banca.get(places(arena)["users"]))[DOCUMENT] == shown


async def test_a_wrong_policy_is_refused_with_all_that_is_wrong(banca: Ruler, arena: Arena) -> None:
    stranger = await Arena.create(arena.owner, arena.settings)
    elsewhere = {"loteriaId": str(stranger.loteria_id)}
    table: list[tuple[Any, set[tuple[str | None, str]]]] = [
        (policy(120), {("defaultPercent", "FIELD_INVALID")}),
        (policy(None), {("defaultPercent", "FIELD_INVALID")}),
        (policy(5, version=2), {("version", "FIELD_INVALID")}),
        (policy(5, colour="red"), {("colour", "FIELD_UNKNOWN")}),
        (policy(5, {"percent": "0.001"}), {("rules[0].percent", "FIELD_INVALID")}),
        (policy(5, {"percent": 1}, {"percent": 2}), {("rules[1].loteriaId", "COMMISSION_RULE_DUPLICATE")}),
        (
            policy(5, {"percent": 1, "id": "a"}, {"percent": 2, "id": "a", "betType": "NUMERO"}),
            {("rules[1].id", "COMMISSION_RULE_DUPLICATE")},
        ),
        (policy(5, {"percent": 1, "multiplierId": str(uuid4())}), {("rules[0].multiplierId", "FIELD_INVALID")}),
        (
            policy(5, {"percent": 1, "multiplierId": str(stranger.multiplier_id)}),
            {("rules[0].multiplierId", "FIELD_INVALID")},
        ),
        (policy(5, {"percent": 1, **elsewhere}), {("rules[0].loteriaId", "FIELD_INVALID")}),
        (
            policy(101, {"percent": -1, "betType": "X"}, effectiveFrom="2026-02-01", effectiveTo="soon"),
            {
                *(("defaultPercent", "FIELD_INVALID"), ("rules[0].percent", "FIELD_INVALID")),
                *(("rules[0].betType", "FIELD_INVALID"), ("effectiveTo", "FIELD_INVALID")),
                ("effectiveFrom", "FIELD_INVALID"),
            },
        ),
    ]
    before = await stored_rules(arena.owner)
    for path in places(arena).values():
        for document, wanted in table:
            answer = await banca.send("PUT", path, document)
            assert (answer.status, answer.code) == (400, "VALIDATION_FAILED"), document
            found = {(violation["field"], violation["code"]) for violation in answer.json()["violations"]}
            assert found == {(f"{DOCUMENT}.{field}", code) for field, code in wanted}, document
    assert await stored_rules(arena.owner) == before


@pytest.mark.parametrize("body", [b"{}", b"null", b'{"commissionPolicyJson": []}', b'{"commissionPolicyJson": "{}"}',
                                  b'{"commissionPolicyJson": null, "version": 1}', b'{"policy": null}'])  # fmt: skip
async def test_a_body_that_is_no_policy_is_refused(banca: Ruler, arena: Arena, body: bytes) -> None:
    before = await stored_rules(arena.owner)
    for path in places(arena).values():
        answer = await banca.send("PUT", path, body)
        assert (answer.status, answer.code) in {(400, "VALIDATION_FAILED"), (400, "JSON_NOT_AN_OBJECT")}
    assert await stored_rules(arena.owner) == before


async def test_who_may_read_and_write_whose_policy(api: RunningApi, arena: Arena) -> None:
    stranger, other = await Arena.create(arena.owner, arena.settings), await arena.add_ventana()
    rulers = [await ruler(api, arena, role) for role in (Role.ADMIN, Role.BANCA, Role.VENTANA)]
    rulers.append(Ruler(api, arena.seller))
    listero, other_listero = rulers[2].person, await arena.add_user(Role.VENTANA, ventana_id=other)
    fellow = await arena.add_user(Role.VENTANA)
    other_seller = await arena.add_seller(ventana_id=other)
    # Read and written: ADMIN, BANCA, VENTANA, VENDEDOR.
    table = [
        (f"bancas/{arena.banca_id}", "200 200 403 403", "200 200 403 403"),
        (f"ventanas/{arena.ventana_id}", "200 200 200 403", "200 200 403 403"),
        (f"ventanas/{other}", "200 200 404 403", "200 200 403 403"),
        (f"users/{arena.seller.id}", "200 200 200 200", "200 200 200 403"),
        (f"users/{arena.sellers[1].id}", "200 200 200 404", "200 200 200 403"),
        (f"users/{other_seller.id}", "200 200 404 404", "200 200 404 403"),
        # What a ventana earns, the banca decides.
        (f"users/{listero.id}", "200 200 200 404", "200 200 403 403"),
        (f"users/{fellow.id}", "200 200 404 404", "200 200 404 403"),
        (f"users/{other_listero.id}", "200 200 404 404", "200 200 404 403"),
        # Who sells nothing has no commission.
        (f"users/{rulers[1].person.id}", "404 404 404 404", "404 404 404 403"),
        (f"users/{rulers[0].person.id}", "404 404 404 404", "404 404 404 403"),
        (f"bancas/{stranger.banca_id}", "404 404 403 403", "404 404 403 403"),
        (f"ventanas/{stranger.ventana_id}", "404 404 404 403", "404 404 403 403"),
        (f"users/{stranger.seller.id}", "404 404 404 404", "404 404 404 403"),
        (f"users/{uuid4()}", "404 404 404 404", "404 404 404 403"),
    ]
    for whose, reads, writes in table:
        path = f"/api/v1/{whose}/commission-policy"
        read = [(await who.send("GET", path)).status for who in rulers]
        assert read == [int(status) for status in reads.split()], whose
        for who, status in zip(rulers, writes.split(), strict=True):
            before = await stored_rules(arena.owner)
            answer = await who.send("PUT", path, policy(7))
            assert answer.status == int(status), (whose, who.person.role)
            assert answer.status == 200 or await stored_rules(arena.owner) == before


async def test_only_the_policy_of_a_user_can_be_written(banca: Ruler, arena: Arena) -> None:
    before = dict(await arena.owner.fetchrow("SELECT * FROM users WHERE id = $1", arena.seller.id) or {})
    await banca.write("PUT", places(arena)["users"], policy(5))
    after = dict(await arena.owner.fetchrow("SELECT * FROM users WHERE id = $1", arena.seller.id) or {})
    assert {name for name in before if before[name] != after[name]} == {"commission_policy", "updated_at"}


async def test_every_answer_is_as_documented(api: RunningApi, banca: Ruler, arena: Arena) -> None:
    contract = await Contract.of(api)
    names = {"bancas": "bancaId", "ventanas": "ventanaId", "users": "userId"}
    for origin, path in places(arena).items():
        described = f"/api/v1/{origin}/{{{names[origin]}}}/commission-policy"
        for document in (policy(5), policy(120), {DOCUMENT: None}):
            contract.require(await banca.send("PUT", path, document), "PUT", described)
        contract.require(await banca.send("GET", path), "GET", described)
