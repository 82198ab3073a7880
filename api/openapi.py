"""OpenAPI 3.1 from the table of operations: what is served is what is described."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from api.conditional import IfMatch
from api.models.wire import AnswerModel
from api.operations import PATH_PARAMETER, PUBLIC, Key, Operation

REFERENCE = "#/components/schemas/{model}"
DESCRIPTION = """\
Sales of lottery tickets from POS terminals, and what a banca needs around them.

Amounts are strings with two decimals (`"500.00"`); a request may also send a JSON number with at most two.
Instants are UTC. Every refusal is a problem (RFC 9457) with a stable `code` and all its `violations`.

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
TAG_HEADER = {"ETag": {"description": "The tag of the thing as it is shown.", "schema": {"type": "string"}}}


class ViolationDocument(AnswerModel):
    """One rule that was broken; further members tell its data."""

    code: str
    message: str
    field: str | None = Field(None, description='Where: "jugadas[1].amount".')


class ProblemDocument(AnswerModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    instance: str | None = Field(None, description="The request's id; absent where the answer is a recorded one.")
    violations: list[ViolationDocument] | None = None


def describe(operations: Iterable[Operation], *, version: str) -> dict[str, Any]:
    """The OpenAPI document."""
    table = tuple(operations)
    references, definitions = models_json_schema(_models(table), ref_template=REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for operation in table:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _describe(operation, references)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Banca", "version": version, "description": DESCRIPTION},
        "paths": paths,
        "components": {"schemas": definitions.get("$defs", {}), "securitySchemes": SECURITY_SCHEMES},
    }


References = Mapping[Any, dict[str, Any]]


def _models(table: tuple[Operation, ...]) -> list[tuple[type[BaseModel], JsonSchemaMode]]:
    models: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(ProblemDocument, "serialization"): None}
    for operation in table:
        if operation.body is not None:
            models[operation.body, "validation"] = None
        for answer in operation.responses.values():
            if answer is not None:
                models[answer, "serialization"] = None
    return list(models)


def _describe(operation: Operation, references: References) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": list(operation.tags),
        "security": _security(operation),
        "responses": _responses(operation, references),
    }
    if operation.description:
        described["description"] = operation.description
    if parameters := [*_path_parameters(operation), *_query_parameters(operation), *_header_parameters(operation)]:
        described["parameters"] = parameters
    if operation.body is not None:
        schema = references[operation.body, "validation"]
        content = {"application/json": {"schema": schema}}
        described["requestBody"] = {"required": not operation.body_optional, "content": content}
    return described


def _security(operation: Operation) -> list[dict[str, list[str]]]:
    if operation.permission is PUBLIC:
        return []
    schemes = ("bearer", "terminal", "timestamp", "signature") if operation.signed else ("bearer",)
    return [{scheme: [] for scheme in schemes}]


def _path_parameters(operation: Operation) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "format": "uuid"} if name.lower().endswith("id") else {"type": "string"},
        }
        for name in PATH_PARAMETER.findall(operation.path)
    ]


def _query_parameters(operation: Operation) -> list[dict[str, Any]]:
    if operation.query is None:
        return []
    schema = operation.query.model_json_schema()
    # Types of their own stand beside the model; a parameter's schema must carry them itself.
    definitions = schema.get("$defs", {})
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _inline(member, definitions)}
        for name, member in schema["properties"].items()
    ]


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
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": operation.key is Key.REQUIRED,
                "schema": {"type": "string", "minLength": 8, "maxLength": 100, "pattern": "^[\\x21-\\x7e]+$"},
            }
        )
    if operation.if_match is not IfMatch.NONE:
        parameters.append({**IF_MATCH, "required": operation.if_match is IfMatch.REQUIRED})
    if 304 in operation.responses:
        parameters.append(IF_NONE_MATCH)
    if operation.tenant and operation.permission is not PUBLIC:
        parameters.append(BANCA_HEADER)
    return parameters


def _responses(operation: Operation, references: References) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, model in operation.responses.items():
        responses[str(status)] = {"description": HTTPStatus(status).phrase}
        if operation.tagged:
            responses[str(status)]["headers"] = TAG_HEADER
        if model is not None:
            responses[str(status)]["content"] = {"application/json": {"schema": references[model, "serialization"]}}
    problem = {"application/problem+json": {"schema": references[ProblemDocument, "serialization"]}}
    for status in sorted({*_usual_problems(operation), *operation.problems}):
        responses.setdefault(str(status), {"description": HTTPStatus(status).phrase, "content": problem})
    return responses


def _usual_problems(operation: Operation) -> set[int]:
    problems = {503}
    if operation.body is not None:
        problems |= {400, 413, 415}
    if operation.query is not None or PATH_PARAMETER.search(operation.path):
        problems.add(400)
    if operation.permission is not PUBLIC:
        problems |= {401, 403} | ({400, 404} if operation.tenant else set())
    if operation.ticket_rate:
        problems.add(429)
    if operation.if_match is not IfMatch.NONE:
        problems |= {400, 412}
    if operation.if_match is IfMatch.REQUIRED or operation.whole_fields:
        problems.add(428)
    return problems
