"""The OpenAPI document explains itself: examples, codes, and what every member means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from api.examples import all_examples
from api.member_words import PATH_PARAMETERS, WORDS
from api.openapi import describe
from api.operation_problems import ANYWHERE, OWN, WITHOUT_DATABASE, placed, problems_of
from api.operations import Operation
from api.problem_catalogue import KINDS
from api.routes import OPERATIONS
from api.rule_documents import read_rules
from core.domain.commission_policy import read_commission_policy
from core.domain.ticket_number import parse_ticket_number

DOCUMENT = describe(OPERATIONS, version="test")
SCHEMAS: Mapping[str, Any] = DOCUMENT["components"]["schemas"]
by_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.id)


@by_operation
def test_an_operation_has_an_example(operation: Operation) -> None:
    example = all_examples().get(operation.id)
    assert example is not None, f"write an example of {operation.id} into api/examples/{operation.tags[0]}.json"
    assert (example.body is not None) == (operation.body is not None)
    shown = {str(status) for status, model in operation.responses.items() if model is not None}
    assert set(example.answers) == shown
    parameters = described(operation).get("parameters", [])
    assert set(example.parameters) <= {each["name"] for each in parameters}
    needed = {each["name"] for each in parameters if each["required"]}
    assert needed <= set(example.parameters)


@by_operation
def test_an_example_is_what_its_schema_says(operation: Operation) -> None:
    example, parts = all_examples()[operation.id], described(operation)
    for parameter in parts.get("parameters", []):
        if parameter["name"] in example.parameters:
            assert faults(example.parameters[parameter["name"]], parameter["schema"]) == []
    if operation.body is not None:
        content = parts["requestBody"]["content"]["application/json"]
        assert content["example"] == example.body
        assert faults(example.body, content["schema"]) == []
        if not operation.raw_body:
            operation.body.model_validate(example.body)
    if operation.query is not None:
        names = {each["name"] for each in parts["parameters"] if each["in"] == "query"}
        operation.query.model_validate({name: value for name, value in example.parameters.items() if name in names})
    for status, answer in example.answers.items():
        content = parts["responses"][status]["content"]["application/json"]
        assert content["example"] == answer
        assert faults(answer, content["schema"]) == []


def test_no_example_is_of_an_operation_that_is_gone() -> None:
    assert set(all_examples()) == {operation.id for operation in OPERATIONS}


def test_the_examples_are_of_one_banca() -> None:
    found: dict[str, set[str]] = {}
    for name, value in every_member():
        if isinstance(value, str):
            found.setdefault(name, set()).add(value)
    for name in ("bancaId", "ventanaId", "loteriaId", "terminalId", "accountId"):
        assert len(found[name]) == 1, name
    assert all(parse_ticket_number(number) for number in found["ticketNumber"])


def test_the_rules_of_the_examples_are_rules_that_can_be_written() -> None:
    rules = [value for name, value in every_member() if name == "rulesJson"]
    policies = [value for name, value in every_member() if name == "commissionPolicyJson"]
    assert rules
    assert policies
    assert [found for document in rules for found in read_rules(document)[1]] == []
    assert [found for document in policies for found in read_commission_policy(document, x_of_multiplier={})[1]] == []


def test_the_amounts_of_example_tickets_add_up() -> None:
    tickets = [
        value for _, value in every_value() if isinstance(value, dict) and "totalCommission" in value and "id" in value
    ]
    assert tickets
    for ticket in tickets:
        for total, part in (("totalAmount", "amount"), ("totalCommission", "commissionAmount")):
            assert Decimal(ticket[total]) == sum(Decimal(jugada[part]) for jugada in ticket["jugadas"])


def test_every_member_and_parameter_says_what_it_means() -> None:
    bare = [
        f"{owner}.{name}"
        for owner, schema in SCHEMAS.items()
        for name, member in schema.get("properties", {}).items()
        if not member.get("description")
    ]
    bare += [
        f"{operation.id}.{parameter['name']}"
        for operation in OPERATIONS
        for parameter in described(operation).get("parameters", [])
        if not parameter.get("description")
    ]
    assert bare == [], "describe them at their fields, or by their names in api/member_words.py"


def test_no_word_is_explained_that_nothing_is_called() -> None:
    used = {
        word
        for owner, schema in SCHEMAS.items()
        for name in schema.get("properties", {})
        for word in (name, f"{owner}.{name}")
    }
    asked = {
        word
        for operation in OPERATIONS
        for parameter in described(operation).get("parameters", [])
        for word in (parameter["name"], f"{operation.id}.{parameter['name']}")
    }
    assert set(WORDS) - used - asked == set()
    assert set(PATH_PARAMETERS) - asked == set()


@by_operation
def test_an_operation_says_which_codes_it_answers_by_status(operation: Operation) -> None:
    for status, codes in problems_of(operation).items():
        answer = followed(described(operation)["responses"][str(status)])
        shown = answer["content"]["application/problem+json"]["examples"]
        assert sorted(shown) == sorted(codes)
        for code in codes:
            value = followed(shown[code])["value"]
            assert (value["status"], value["code"]) == (status, code)
            assert faults(value, {"$ref": "#/components/schemas/ProblemDocument"}) == []


def test_every_refusal_is_in_the_catalogue_with_its_status() -> None:
    for operation in OPERATIONS:
        for status, codes in problems_of(operation).items():
            assert [code for code in codes if status not in KINDS[code].statuses] == []
    assert all(status in KINDS[code].statuses for status, code in map(placed, ANYWHERE))


def test_every_code_with_a_status_is_somebodys() -> None:
    """But for what is answered before an operation is found."""
    somebodys = {code for operation in OPERATIONS for codes in problems_of(operation).values() for code in codes}
    outside = {
        "ROUTE_NOT_FOUND",
        "METHOD_NOT_ALLOWED",
        "ORIGIN_NOT_ALLOWED",
        "API_UNAVAILABLE",
        *(placed(each)[1] for each in ANYWHERE),
    }
    assert {kind.code for kind in KINDS.values() if kind.statuses} - somebodys - outside == set()


def test_refusals_are_named_of_operations_that_there_are() -> None:
    known = {operation.id for operation in OPERATIONS}
    assert set(OWN) <= known
    assert known >= WITHOUT_DATABASE


def described(operation: Operation) -> Mapping[str, Any]:
    parts: Mapping[str, Any] = DOCUMENT["paths"][operation.path][operation.method.lower()]
    return parts


def followed(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a $ref points at."""
    found: Any = part
    while "$ref" in found:
        place: Any = DOCUMENT
        for name in found["$ref"].removeprefix("#/").split("/"):
            place = place[name]
        found = place
    return dict(found)


def closed(schema: Any) -> Any:
    """The schema without room for members that it does not name: an example must have none."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: closed(value) for name, value in schema.items()}
    if "properties" in schema and "additionalProperties" not in schema and isinstance(schema["properties"], dict):
        inner["additionalProperties"] = False
    return inner


CLOSED = {"components": {"schemas": closed(SCHEMAS)}}


def faults(value: object, schema: Mapping[str, Any]) -> list[str]:
    whole = {**closed(schema), **CLOSED}
    validator = Draft202012Validator(whole, format_checker=FormatChecker())
    return [f"{'.'.join(map(str, error.path))}: {error.message}"[:300] for error in validator.iter_errors(value)]


def every_value() -> Iterator[tuple[str, Any]]:
    """Every value of every example but the case's, with its member's name."""
    for name, example in all_examples().items():
        if name != "explain_case":
            yield from values_in("", [dict(example.parameters), example.body, dict(example.answers)])


def every_member() -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in every_value() if name)


def values_in(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    yield name, value
    if isinstance(value, dict):
        for member, inner in value.items():
            yield from values_in(member, inner)
    elif isinstance(value, list):
        for inner in value:
            yield from values_in(name, inner)
