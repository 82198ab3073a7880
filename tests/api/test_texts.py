"""Texts that people write: every one of every operation has a kind, and none carries what is not seen."""

from __future__ import annotations

import inspect
import json
import logging
import typing
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, get_args, get_origin

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from api.models.wire import TextKind
from api.routes import OPERATIONS
from cli.dead import table
from cli.pos import Answer as PosAnswer
from cli.printing import plain
from cli.sell import receipt, refusal
from core.domain.permissions import Role
from core.logging import JsonFormatter
from tests.api.ruling import API, places, ruler
from tests.api.selling import BATCH, SALE, batch, jugada, ticket
from tests.arena import PASSWORD, Arena
from tests.pos import Pos, new_key
from tests.running_api import Answer, RunningApi
from tests.statements.clerk import Clerk

UNSEEN = ("\x00", "\x1b", "\x7f", "\x9b", "\u200b", "\u200d", "\ufeff", "\u202e", "\u2066", "\u061c")
LINE_BREAKS = ("\n", "\r\n", "\x85", "\u2028", "\u2029")


class Texts(typing.NamedTuple):
    """A text of a model: where it stands, and its type."""

    place: str
    type: Any
    kinds: list[TextKind]


def texts_of(annotation: Any, place: str, metadata: tuple[Any, ...] = ()) -> Iterator[Texts]:
    """Every text below a type: of members, of lists, of either side of a union."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *others = get_args(annotation)
        yield from texts_of(inner, place, (*others, *metadata))
    elif annotation is str:
        kinds = [each for each in metadata if isinstance(each, TextKind)]
        yield Texts(place, Annotated[(str, *metadata)] if metadata else str, kinds)
    elif origin is not None:
        for each in get_args(annotation):
            yield from texts_of(each, place, metadata if origin is not list else ())
    elif inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            yield from texts_of(field.annotation, f"{annotation.__name__}.{name}", tuple(field.metadata))


def all_texts() -> dict[str, Texts]:
    found: dict[str, Texts] = {}
    for operation in OPERATIONS:
        for model in (operation.body, operation.query):
            if model is not None:
                found |= {text.place: text for text in texts_of(model, model.__name__)}
    return found


TEXTS = all_texts()
# A member whose values the domain reads has keys that are texts, too; the domain knows them all.
KEYS_OF_DOCUMENTS = {
    "ExplainCase.root", "CommissionPolicyIn.commission_policy_json", "LoteriaChange.rules_json",
}  # fmt: skip


def test_every_text_of_every_operation_has_a_kind() -> None:
    assert len(TEXTS) > 40
    assert {text.place for text in TEXTS.values() if len(text.kinds) != 1} == KEYS_OF_DOCUMENTS


@pytest.mark.parametrize("place", sorted(set(TEXTS) - KEYS_OF_DOCUMENTS))
def test_no_text_takes_what_is_not_seen(place: str) -> None:
    text = TEXTS[place]
    [kind] = text.kinds
    reader: TypeAdapter[str] = TypeAdapter(text.type)
    for character in UNSEEN + LINE_BREAKS:
        sent = f"abcde{character}fgh"
        try:
            taken = reader.validate_python(sent)
        except ValidationError as error:
            assert kind is not TextKind.SECRET
            codes = {found["type"] for found in error.errors()}
            assert "TEXT_INVALID" in codes, (place, character, codes)
        else:
            is_break = kind is TextKind.NOTE and character in LINE_BREAKS
            assert kind is TextKind.SECRET or (is_break and taken == "abcde fgh"), (place, character)


def codes_of(answer: Answer) -> set[str]:
    return {violation["code"] for violation in answer.json().get("violations", [])} | {str(answer.code)}


@pytest.mark.parametrize("character", [*UNSEEN, *LINE_BREAKS])
async def test_a_ticket_prints_no_line_of_its_clients_making(api: RunningApi, arena: Arena, character: str) -> None:
    pos, name = Pos(api, arena.seller), f"Ana{character}TOTAL 1.00"
    for escaped in (True, False):
        one = json.dumps(ticket(arena, jugada(), clienteNombre=name), ensure_ascii=escaped).encode()
        many = json.dumps(batch(ticket(arena, jugada(), clienteNombre=name)), ensure_ascii=escaped).encode()
        answer = await pos.post(SALE, one, key=new_key())
        if answer.code == "JSON_MALFORMED":  # JSON itself takes no such character as it is.
            assert not escaped
            continue
        assert answer.status == 400, answer.body
        assert "TEXT_INVALID" in codes_of(answer)
        if character == "\x00":  # No database stores it: refused before the batch is taken apart.
            assert "TEXT_INVALID" in codes_of(await pos.post(BATCH, many))
            continue
        [result] = (await pos.post(BATCH, many)).json()["results"]
        assert (result["status"], result["problem"]["violations"][0]["code"]) == (400, "TEXT_INVALID")
    assert await arena.owner.fetchval("SELECT count(*) FROM tickets") == 0


async def test_documents_that_the_domain_reads_take_none_either(api: RunningApi, arena: Arena) -> None:
    admin = await ruler(api, arena, Role.ADMIN)
    rule = await admin.restrict(bancaId=str(arena.banca_id), number="07", maxTotal="1.00")
    of_banca = {"bancaId": str(arena.banca_id), "number": "08", "maxTotal": 1}
    policy = f"{API}/bancas/{arena.banca_id}/commission-policy"
    odd = "Ana\x1b[2J\u202e"
    for method, path, document in (
        ("POST", f"{API}/restrictions", {**of_banca, "message": odd}),
        ("PATCH", f"{API}/restrictions/{rule['id']}", {"message": "two\nlines"}),
        ("PATCH", places(arena)["loteria"], {"rulesJson": {"display": {"description": odd}}}),
        ("PATCH", places(arena)["loteria"], {"rulesJson": {"display": {"color": odd}}}),
        ("PATCH", places(arena)["loteria"], {"rulesJson": {"reventadoConfig": {"colors": [odd]}}}),
        (
            "PUT",
            policy,
            {"commissionPolicyJson": {"version": 1, "defaultPercent": 5, "rules": [{"id": odd, "percent": 5}]}},
        ),
    ):
        answer = await admin.send(method, path, document)
        assert answer.status == 400, (path, document, answer.body)
        assert "TEXT_INVALID" in codes_of(answer), (path, document, answer.body)


async def test_what_was_stored_before_stays_in_force(api: RunningApi, arena: Arena) -> None:
    """A rule is not dropped for a text that would be refused today."""
    rules = {"digits": 2, "minBetAmount": "100.00", "display": {"description": "two\nlines"}}
    await arena.owner.execute("UPDATE loterias SET rules = $2 WHERE id = $1", arena.loteria_id, json.dumps(rules))
    policy = {"version": 1, "defaultPercent": "5.00", "rules": [{"id": "a\x1bb", "percent": "7.00"}]}
    await arena.owner.execute(
        "UPDATE users SET commission_policy = $2 WHERE id = $1", arena.seller.id, json.dumps(policy)
    )
    pos = Pos(api, arena.seller)
    refused = await pos.post(SALE, ticket(arena, jugada("07", "99.00")), key=new_key())
    assert "BET_MIN_VIOLATION" in codes_of(refused)
    sold = await pos.post(SALE, ticket(arena, jugada("07", "100.00")), key=new_key())
    assert sold.json()["totalCommission"] == "7.00"


async def test_a_note_is_one_line(api: RunningApi, arena: Arena) -> None:
    boss = await Clerk.of(api, arena)
    moved = await boss.moved(vendedorId=arena.seller.id, notes=" Ana\r\npagado: 1 000 000\u2028fin\n")
    assert moved["notes"] == "Ana pagado: 1 000 000 fin"
    answer = await boss.move(vendedorId=arena.seller.id, notes="Ana\u202e")
    assert "TEXT_INVALID" in codes_of(answer)


async def test_parameters_and_headers_that_are_kept_or_repeated_are_plain(api: RunningApi, arena: Arena) -> None:
    admin = await ruler(api, arena, Role.ADMIN)
    for query in ("queue=a%0Ab", "queue=a%1B", "queue=%E2%80%AE", "a%0Ab=1", "cursor=%C2%85"):
        answer = await admin.send("GET", f"{API}/admin/dead-letters?{query}")
        assert (answer.status, "TEXT_INVALID" in codes_of(answer)) == (400, True), (query, answer.body)
        assert not {"\n", "\x1b", "\u202e", "\x85"} & set(answer.json()["detail"] + str(answer.json()["violations"]))
    unknown = await admin.send("POST", f"{API}/multiplier-overrides", {"a\x1b\u202e": 1})
    assert not {"\x1b", "\u202e"} & set(unknown.json()["detail"] + str(unknown.json()["violations"]))
    login = {"username": arena.seller.username, "password": PASSWORD}
    token = (await api.post(f"{API}/auth/login", login, User_Agent="POS\x9b1\u202e")).json()["accessToken"]
    [session] = [
        each for each in (await api.get(f"{API}/auth/sessions", token=token)).json()["data"] if each["isCurrent"]
    ]
    assert session["userAgent"] == "POS\ufffd1\ufffd"


ODD = "Ana\nTotal 1.00\x1b[2J\u202e[red]"


def test_commands_print_what_was_stored_before_on_its_own_line() -> None:
    draw = {"loteriaName": ODD, "name": ODD, "scheduledAt": "2026-01-15T19:30:00Z"}
    line = {"number": "07", "type": "NUMERO", "amount": "5.00", "finalMultiplierX": "90.00"}
    sold = {"ticketNumber": "T1", "totalAmount": "5.00", "jugadas": [line]}
    printed = receipt(PosAnswer(201, {}, sold), draw, key="key")
    problem = {"detail": ODD, "code": "X", "violations": [{"message": ODD, "code": "Y", "field": ODD}] * 2}
    row = {
        "id": 1, "state": "PARKED", "reason": "R", "queue": ODD, "event_id": None, "last_seen_at": datetime.now(UTC), "error": ODD,
    }  # fmt: skip
    for said, lines in (("\n".join(printed), 5), (refusal(problem), 3), (table([row]), 1), (plain(ODD), 1)):
        assert len(said.splitlines()) == lines
        assert not {"\x1b", "\u202e"} & set(said)
    assert "\\[red]" in plain(ODD)


def test_a_log_line_is_one_line_of_plain_characters() -> None:
    record = logging.makeLogRecord(
        {"name": "banca.api", "levelname": "INFO", "msg": "%s", "args": ("REQUEST",), "banca_payload": {"path": ODD}}
    )
    line = JsonFormatter().format(record)
    assert len(line.splitlines()) == 1
    assert not {"\x1b", "\u202e", "\u2028"} & set(line)
    assert json.loads(line)["payload"] == {"path": ODD}
