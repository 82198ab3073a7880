"""OpenAPI 3.1 from the table of operations: what is served is what is described."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from api.conditional import IfMatch
from api.examples import Example, example_of
from api.member_words import PATH_PARAMETERS, WORDS
from api.models.wire import AnswerModel
from api.operation_problems import ANYWHERE, placed, problems_of
from api.operations import PATH_PARAMETER, PUBLIC, Key, Operation
from api.problem_catalogue import KINDS, plain, type_of

REFERENCE = "#/components/schemas/{model}"
PROBLEM = {"$ref": REFERENCE.format(model="ProblemDocument")}
DESCRIPTION = """\
Sales of lottery tickets from POS terminals, and what a banca needs around them.

Amounts are strings with two decimals (`"500.00"`); a request may also send a JSON number with at most two.
Instants are UTC. Every refusal is a problem (RFC 9457) with a stable `code` and all its `violations`; its `type` is
an address of this API that explains it, and `/problems` lists all of them.

The currency is the banca's own (in Costa Rica: colones), and days are Costa Rica's. The words of the trade are Spanish:
a *banca* is a lottery bank, a *ventana* a point of sale, a *vendedor* a seller, a *listero* who runs a ventana, a
*lotería* a game, a *sorteo* a draw, a *jugada* one line of a ticket, *reventado* an extra bet.

A signed operation carries `X-Terminal`, `X-Timestamp` (Unix seconds) and `X-Signature: v1=<hex>`, the HMAC-SHA256 with
the terminal's secret (as text) over, joined by line feeds: `v1`, terminal, timestamp, METHOD, path with query,
`Idempotency-Key` (empty if none), hex SHA-256 of the raw body.
"""
SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "terminal": {"type": "apiKey", "in": "header", "name": "X-Terminal", "description": "The terminal's id."},
    "timestamp": {"type": "apiKey", "in": "header", "name": "X-Timestamp", "description": "Unix seconds."},
    "signature": {"type": "apiKey", "in": "header", "name": "X-Signature", "description": "v1=<64 hex digits>"},
}
BANCA_HEADER = {
    "name": "X-Active-Banca-Id",
    "in": "header",
    "required": False,
    "description": "The banca to work in, for users who have several.",
    "schema": {"type": "string", "format": "uuid"},
}
IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "description": "The ETag that was read, or `*`: otherwise 412, with the tag of today.",
    "schema": {"type": "string"},
}
IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The ETag that was read: 304 while it is the same.",
    "schema": {"type": "string"},
}
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "One per operation, made by the client: the same key and content again get the same answer.",
    "schema": {"type": "string", "minLength": 8, "maxLength": 100, "pattern": "^[\\x21-\\x7e]+$"},
    "example": "sale-7c1f0a52d94be613",
}
JSON = "application/json"
# As X-Request-Id tells it.
REQUEST_ID = "9f1c04d27ab35e68-1a"
TAG_HEADER = {"ETag": {"description": "The tag of the thing as it is shown.", "schema": {"type": "string"}}}


class ViolationDocument(AnswerModel):
    """One rule that was broken; further members tell its data."""

    code: str
    message: str
    field: str | None = Field(None, description='Where: "jugadas[1].amount".')


class ProblemDocument(AnswerModel):
    """A refusal, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    code: str
    detail: str = Field(description="What went wrong, as a sentence for people.")
    instance: str | None = Field(None, description="The request's id; absent where the answer is a recorded one.")
    violations: list[ViolationDocument] | None = None


def describe(operations: Iterable[Operation], *, version: str) -> dict[str, Any]:
    """The OpenAPI document."""
    table = tuple(operations)
    references, definitions = models_json_schema(_models(table), ref_template=REFERENCE)
    schemas = definitions.get("$defs", {})
    for name, schema in schemas.items():
        _explain_members(schema, owner=name)
    refusals = Refusals()
    paths: dict[str, dict[str, Any]] = {}
    for operation in table:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _describe(operation, references, refusals)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Banca", "version": version, "description": DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "examples": _problem_examples(table),
            "responses": {
                "Anywhere": _problem_response("What any address may answer.", map(placed, ANYWHERE)),
                **refusals.responses,
            },
            "securitySchemes": SECURITY_SCHEMES,
        },
    }


References = Mapping[Any, dict[str, Any]]


class Refusals:
    """The responses of refusals, by name: the same status with the same codes is described once."""

    def __init__(self) -> None:
        self.responses: dict[str, dict[str, Any]] = {}
        self._names: dict[tuple[int, tuple[str, ...]], str] = {}

    def reference(self, status: int, codes: Sequence[str]) -> dict[str, str]:
        key = (status, tuple(sorted(codes)))
        if key not in self._names:
            place = 1 + sum(known == status for known, _ in self._names)
            name = self._names[key] = f"Refused{status}{'' if place == 1 else f'-{place}'}"
            self.responses[name] = _problem_response(HTTPStatus(status).phrase, [(status, code) for code in key[1]])
        return {"$ref": f"#/components/responses/{self._names[key]}"}


def _models(table: tuple[Operation, ...]) -> list[tuple[type[BaseModel], JsonSchemaMode]]:
    models: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(ProblemDocument, "serialization"): None}
    for operation in table:
        if operation.body is not None:
            models[operation.body, "validation"] = None
        for answer in operation.responses.values():
            if answer is not None:
                models[answer, "serialization"] = None
    return list(models)


def _explain_members(schema: dict[str, Any], *, owner: str) -> None:
    """Give every member without a description of its own the meaning of its name."""
    for name, member in schema.get("properties", {}).items():
        if "description" not in member and (meaning := _meaning(name, owner=owner)):
            member["description"] = meaning


def _meaning(name: str, *, owner: str) -> str | None:
    return WORDS.get(f"{owner}.{name}") or WORDS.get(name)


def _describe(operation: Operation, references: References, refusals: Refusals) -> dict[str, Any]:
    example = example_of(operation.id)
    described: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": list(operation.tags),
        "security": _security(operation),
        "responses": _responses(operation, references, refusals, example),
    }
    if operation.description:
        described["description"] = operation.description
    if parameters := [*_path_parameters(operation), *_query_parameters(operation), *_header_parameters(operation)]:
        described["parameters"] = [_with_example(parameter, example) for parameter in parameters]
    if operation.body is not None:
        content: dict[str, Any] = {"schema": references[operation.body, "validation"]}
        if example is not None and example.body is not None:
            content["example"] = example.body
        described["requestBody"] = {"required": not operation.body_optional, "content": {JSON: content}}
    return described


def _security(operation: Operation) -> list[dict[str, list[str]]]:
    if operation.permission is PUBLIC:
        return []
    schemes = ("bearer", "terminal", "timestamp", "signature") if operation.signed else ("bearer",)
    return [{scheme: [] for scheme in schemes}]


def _with_example(parameter: dict[str, Any], example: Example | None) -> dict[str, Any]:
    if example is None or parameter["name"] not in example.parameters:
        return parameter
    return {**parameter, "example": example.parameters[parameter["name"]]}


def _path_parameters(operation: Operation) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": PATH_PARAMETERS.get(f"{operation.id}.{name}") or PATH_PARAMETERS[name],
            "schema": {"type": "string", "format": "uuid"} if _is_id(operation, name) else {"type": "string"},
        }
        for name in PATH_PARAMETER.findall(operation.path)
    ]


def _is_id(operation: Operation, name: str) -> bool:
    return name.lower().endswith("id") and f"{operation.id}.{name}" not in PATH_PARAMETERS


def _query_parameters(operation: Operation) -> list[dict[str, Any]]:
    if operation.query is None:
        return []
    schema = operation.query.model_json_schema()
    # Types of their own stand beside the model; a parameter's schema must carry them itself.
    definitions = schema.get("$defs", {})
    required = schema.get("required", [])
    parameters = []
    for name, member in schema["properties"].items():
        inline = _inline(member, definitions)
        described = inline.pop("description", None) or _meaning(name, owner=operation.id)
        parameters.append(
            {"name": name, "in": "query", "required": name in required, "description": described, "schema": inline}
        )
    return parameters


def _inline(schema: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_inline(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inline(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    return {key: _inline(value, definitions) for key, value in schema.items()}


def _header_parameters(operation: Operation) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = []
    if operation.key is not Key.NONE:
        parameters.append({**IDEMPOTENCY_KEY, "required": operation.key is Key.REQUIRED})
    if operation.if_match is not IfMatch.NONE:
        parameters.append({**IF_MATCH, "required": operation.if_match is IfMatch.REQUIRED})
    if 304 in operation.responses:
        parameters.append(IF_NONE_MATCH)
    if operation.tenant and operation.permission is not PUBLIC:
        parameters.append(BANCA_HEADER)
    return parameters


def _responses(
    operation: Operation, references: References, refusals: Refusals, example: Example | None
) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, model in operation.responses.items():
        response: dict[str, Any] = {"description": HTTPStatus(status).phrase}
        responses[str(status)] = response
        if operation.tagged:
            response["headers"] = TAG_HEADER
        content: dict[str, Any] = {}
        if model is not None:
            content[JSON] = {"schema": references[model, "serialization"]}
            if example is not None and str(status) in example.answers:
                content[JSON]["example"] = example.answers[str(status)]
        content |= {kind: {"schema": {"type": "string"}} for kind in operation.media if status < 300}
        if content:
            response["content"] = content
    for status, codes in problems_of(operation).items():
        known = responses.setdefault(str(status), refusals.reference(status, codes))
        if "$ref" not in known:
            known.setdefault("content", {}).update(_problem_response("", [(status, code) for code in codes])["content"])
    responses["default"] = {"$ref": "#/components/responses/Anywhere"}
    return responses


def _problem_response(phrase: str, pairs: Iterable[tuple[int, str]]) -> dict[str, Any]:
    """What is refused with one status. pairs: statuses and codes."""
    known = list(pairs)
    examples = {code: {"$ref": f"#/components/examples/{_example_name(status, code)}"} for status, code in known}
    listed = ", ".join(f"`{code}`" for _, code in known)
    content = {"application/problem+json": {"schema": PROBLEM, "examples": examples}}
    return {"description": f"{phrase.rstrip('.')}: {listed}.", "content": content}


def _problem_examples(table: Iterable[Operation]) -> dict[str, Any]:
    """Of every code that an operation of the table may answer; each once."""
    pairs = {placed(refusal) for refusal in ANYWHERE}
    pairs |= {
        (status, code) for operation in table for status, codes in problems_of(operation).items() for code in codes
    }
    return {_example_name(status, code): _problem_example(status, code) for status, code in sorted(pairs)}


def _example_name(status: int, code: str) -> str:
    return code if len(KINDS[code].statuses) == 1 else f"{code}-{status}"


def _problem_example(status: int, code: str) -> dict[str, Any]:
    kind = KINDS[code]
    value = {
        "type": type_of(code),
        "title": kind.title,
        "status": status,
        "code": code,
        "detail": plain(kind.meaning),
    }
    # A recorded answer names no request, so that its replay has the same bytes.
    if not kind.is_recorded:
        value["instance"] = REQUEST_ID
    return {"summary": kind.meaning, "value": value}
