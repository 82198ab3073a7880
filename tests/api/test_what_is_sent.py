"""What a request brings is used or refused, whatever the operation: queries, bodies, and members of bodies."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from api.openapi import describe
from api.operations import PATH_PARAMETER, PUBLIC, Operation
from api.routes import OPERATIONS
from core.domain.permissions import PERMISSIONS, Role
from tests.api.ruling import API, Ruler, places, ruler
from tests.api.selling import SALE, jugada, ticket
from tests.arena import Arena
from tests.pos import Pos, new_key
from tests.running_api import Answer, RunningApi

# Documents whose members the domain reads: rules of lotteries, policies, cases to explain.
FREE = {"rulesJson", "commissionPolicyJson", "ExplainCase"}
UNKNOWN = {"nonsense": 1}
CASE = json.loads(Path("docs/examples/explain/res-all.json").read_bytes())


class Anyone:
    """Sends to any operation, as somebody who may; ids of the path are of nothing."""

    def __init__(self, api: RunningApi, arena: Arena) -> None:
        self._api, self._arena = api, arena

    async def send(
        self, operation: Operation, *, query: str = "", body: bytes = b"", content_type: str | None = "application/json"
    ) -> Answer:
        path = PATH_PARAMETER.sub(lambda found: "settlement" if found[1] == "name" else str(uuid4()), operation.path)
        headers = {"If-Match": "*"} if operation.method in ("PUT", "PATCH") else {}
        if operation.permission is not PUBLIC:
            person = await self._arena.add_user(next(iter(PERMISSIONS[operation.permission])))
            pos = Pos(self._api, person, self._arena.seller.terminal)
            headers |= pos.signed_headers(operation.method, path + query, body, key=new_key())
        headers.pop("Content-Type", None)
        if content_type is not None and body:
            headers["Content-Type"] = content_type
        return await self._api.send(operation.method, path + query, body=body or None, headers=headers)


@pytest.fixture
def anyone(api: RunningApi, arena: Arena) -> Anyone:
    return Anyone(api, arena)


def found(answer: Answer) -> set[tuple[str, str | None]]:
    """Of a refusal: the code and the field of each violation."""
    violations = answer.json().get("violations", []) if answer.status == 400 else []
    return {(violation["code"], violation.get("field")) for violation in violations}


async def test_a_parameter_that_an_operation_does_not_know_is_refused(anyone: Anyone) -> None:
    for operation in OPERATIONS:
        answer = await anyone.send(operation, query="?nonsense=1")
        assert ("FIELD_UNKNOWN", "nonsense") in found(answer), (operation.id, answer.body)
        twice = await anyone.send(operation, query="?nonsense=1&nonsense=1")
        assert ("FIELD_REPEATED", "nonsense") in found(twice), (operation.id, twice.body)


async def test_a_body_where_none_is_expected_says_nothing_or_is_refused(anyone: Anyone) -> None:
    for operation in OPERATIONS:
        if operation.body is not None:
            continue
        answer = await anyone.send(operation, body=json.dumps(UNKNOWN).encode())
        assert ("FIELD_UNKNOWN", "nonsense") in found(answer), (operation.id, answer.body)
        for body, content_type, status, code in (
            (b"nonsense", "application/json", 400, "JSON_MALFORMED"),
            (b"[]", "application/json", 400, "JSON_NOT_AN_OBJECT"),
            (b"{}", "text/plain", 415, "UNSUPPORTED_MEDIA_TYPE"),
            (b"{}", None, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ):
            answer = await anyone.send(operation, body=body, content_type=content_type)
            assert (answer.status, answer.code) == (status, code), (operation.id, body, answer.body)
        without, empty = await anyone.send(operation), await anyone.send(operation, body=b"{}")
        assert (without.status, without.code) == (empty.status, empty.code), operation.id


@pytest.mark.parametrize(
    ("content_type", "is_taken"),
    [
        ("application/json", True),
        ("application/json; charset=utf-8", True),
        ('Application/JSON; Charset="UTF-8"', True),
        ("application/json;", True),
        ("application/json; charset=latin-1", False),
        ("application/json; charset=utf-16", False),
        ("application/json; charset=utf-8; charset=latin-1", False),
        ("application/json, text/plain", False),
        ("application/x-www-form-urlencoded", False),
        ("text/json", False),
        (None, False),
    ],
)
async def test_a_body_is_json_in_utf_8_or_refused(anyone: Anyone, content_type: str | None, *, is_taken: bool) -> None:
    for operation in OPERATIONS:
        if operation.body is not None:
            answer = await anyone.send(operation, body=b"nonsense", content_type=content_type)
            wanted = "JSON_MALFORMED" if is_taken else "UNSUPPORTED_MEDIA_TYPE"
            assert answer.code == wanted, (operation.id, answer.body)


async def test_a_member_that_a_body_does_not_know_is_refused(anyone: Anyone) -> None:
    for operation in OPERATIONS:
        if operation.body is None or operation.raw_body:
            continue
        answer = await anyone.send(operation, body=json.dumps(UNKNOWN).encode())
        assert ("FIELD_UNKNOWN", "nonsense") in found(answer), (operation.id, answer.body)


def objects(schema: Any, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object below a schema that is written out, with the name under which it stands."""
    if isinstance(schema, list):
        for each in schema:
            yield from objects(each, name)
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object":
        yield name or schema.get("title", ""), schema
    for key, value in schema.items():
        if key == "properties":
            for member, described in value.items():
                yield from objects(described, member)
        elif key not in ("examples", "default"):
            yield from objects(value, name)


def test_no_body_has_an_object_that_takes_members_it_does_not_know() -> None:
    """Nested ones too. A body that the domain reads itself says so here, and is tried below."""
    document = describe(OPERATIONS, version="test")
    schemas = document["components"]["schemas"]
    wanted = {
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for path in document["paths"].values()
        for operation in path.values()
        if "requestBody" in operation
    }
    seen: set[str] = set()
    free: set[str] = set()
    while wanted - seen:
        name = (wanted - seen).pop()
        seen.add(name)
        wanted |= {
            found.rpartition("/")[2] for found in json.dumps(schemas[name]).split('"') if found.startswith("#/comp")
        }
        free |= {
            place for place, described in objects(schemas[name]) if described.get("additionalProperties") is not False
        }
    assert len(seen) > 30
    assert free == FREE


def with_nonsense(document: Any) -> Iterator[Any]:
    """The document with one more member, in each of its objects once."""
    if isinstance(document, dict):
        yield {**document, **UNKNOWN}
    for key, value in document.items() if isinstance(document, dict) else enumerate(document):
        if isinstance(value, dict | list):
            for changed in with_nonsense(value):
                whole = copy.copy(document)
                whole[key] = changed
                yield whole


RULES = {
    "digits": 2, "numberRange": {"min": 0, "max": 99}, "reventadoConfig": {"enabled": True},
    "salesHours": {"monday": {"start": "08:00", "end": "19:30"}}, "display": {"color": "red"},
    "drawSchedule": {"frequency": "diario", "times": ["19:30"]},
    "drawSchedules": [{"frequency": "semanal", "times": ["12:30"], "daysOfWeek": [0]}],
}  # fmt: skip
POLICY = {
    "version": 1, "defaultPercent": "5.00",
    "rules": [{"betType": "NUMERO", "multiplierRange": {"min": "85.00", "max": "85.00"}, "percent": "7.50"}],
}  # fmt: skip


async def test_no_object_of_a_free_document_takes_members_that_it_does_not_know(api: RunningApi, arena: Arena) -> None:
    admin = await ruler(api, arena, Role.ADMIN)
    rule = await admin.restrict(bancaId=str(arena.banca_id), number="07", maxTotal="1.00")
    case = {member: value for member, value in CASE.items() if member != "expect"}
    policy = f"{API}/bancas/{arena.banca_id}/commission-policy"
    restriction = {"bancaId": str(arena.banca_id), "number": "08", "maxTotal": 1}
    tried = 0
    for method, path, document, member in (
        ("PATCH", places(arena)["loteria"], RULES, "rulesJson"),
        ("PUT", policy, POLICY, "commissionPolicyJson"),
        ("POST", f"{API}/restrictions", restriction, None),
        ("PATCH", f"{API}/restrictions/{rule['id']}", {"maxTotal": 2}, None),
        ("POST", f"{API}/diagnostics/explain", case, None),
    ):
        whole = {member: document} if member else document
        for changed in with_nonsense(whole):
            answer = await admin.send(method, path, changed)
            assert answer.status == 400, (path, changed, answer.body)
            assert "nonsense" in answer.body.decode(), (path, changed, answer.body)
            tried += 1
        assert (await admin.send(method, path, whole)).status in (200, 201), path
    assert tried > 25


async def test_a_ticket_names_its_sellers_ventana_or_none(api: RunningApi, arena: Arena) -> None:
    pos = Pos(api, arena.seller)
    elsewhere = await arena.add_ventana()
    refused = await pos.post(SALE, ticket(arena, jugada("07", "1.00"), ventanaId=str(elsewhere)), key=new_key())
    assert (refused.status, refused.json()["violations"][0]["code"]) == (400, "SELLER_VENTANA_MISMATCH")
    key = new_key()
    sold = await pos.post(SALE, ticket(arena, jugada("07", "1.00"), ventanaId=str(arena.ventana_id)), key=key)
    assert sold.status == 201, sold.body
    # The same ticket with less said of it.
    again = await pos.post(SALE, ticket(arena, jugada("07", "1.00")), key=key)
    assert (again.status, again.body) == (201, sold.body)


async def test_filters_beyond_what_one_sees_find_nothing_instead_of_ones_own(api: RunningApi, arena: Arena) -> None:
    colleague, elsewhere = arena.sellers[1], await arena.add_ventana()
    assert (await Pos(api, arena.seller).post(SALE, ticket(arena, jugada("07", "1.00")), key=new_key())).status == 201
    seller, listero = Ruler(api, arena.seller), await ruler(api, arena, Role.VENTANA)
    listas = f"{API}/sorteos/{arena.sorteo_id}/listas"
    for who, path, own, other in (
        (seller, f"{API}/tickets?vendedorId=", arena.seller.id, colleague.id),
        (seller, f"{listas}?vendedorId=", arena.seller.id, colleague.id),
        (listero, f"{API}/terminals?ventanaId=", arena.ventana_id, elsewhere),
    ):
        shown, hidden = await who.get(f"{path}{own}"), await who.get(f"{path}{other}")
        assert shown.get("data", shown.get("listeros")), path
        assert not hidden.get("data", hidden.get("listeros")), path


async def test_dates_to_make_and_a_schedule_to_make_exclude_each_other(api: RunningApi, arena: Arena) -> None:
    banca = await ruler(api, arena)
    path = f"{API}/loterias/{arena.loteria_id}/seed_sorteos"
    dates = {"scheduledDates": ["2026-12-24T19:30:00-06:00"]}
    for query, field in (("days=3", "days"), ("start=2026-12-24", "start")):
        answer = await banca.send("POST", f"{path}?{query}", dates)
        assert found(answer) == {("FIELD_INVALID", field)}, answer.body
    assert (await banca.send("POST", f"{path}?dryRun=true", dates)).status == 200
