"""Pydantic's findings as our violations: stable codes, paths as the documents write them ("jugadas[1].amount")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from multidict import MultiMapping
from pydantic import BaseModel, ValidationError

from api.problems import ProblemError, refuse
from core.domain.text import TextError, line_of, shown
from core.domain.violations import Violation

Model = TypeVar("Model", bound=BaseModel)

# A body of unknown fields must not grow into an answer many times its size.
VIOLATIONS_MAX = 500

# Sent by old browsers' code against caches; means nothing.
IGNORED_QUERY = "_"

_CODES = {
    "missing": "FIELD_REQUIRED",
    "extra_forbidden": "FIELD_UNKNOWN",
    "string_too_short": "FIELD_LENGTH_INVALID",
    "string_too_long": "FIELD_LENGTH_INVALID",
    "too_short": "FIELD_LENGTH_INVALID",
    "too_long": "FIELD_LENGTH_INVALID",
    "greater_than": "FIELD_OUT_OF_RANGE",
    "greater_than_equal": "FIELD_OUT_OF_RANGE",
    "less_than": "FIELD_OUT_OF_RANGE",
    "less_than_equal": "FIELD_OUT_OF_RANGE",
}


def parse_model(model: type[Model], value: object) -> Model:
    """Raises ProblemError VALIDATION_FAILED with every violation."""
    try:
        return model.model_validate(value if not isinstance(value, dict) else without_crowd(model, value))
    except ValidationError as error:
        raise validation_failed(violations_of(error)) from None


def without_crowd(model: type[BaseModel], members: dict[str, Any]) -> dict[str, Any]:
    """Without unknown members beyond VIOLATIONS_MAX: each would be made a finding, and then not be told."""
    if len(members) <= len(model.model_fields) + VIOLATIONS_MAX:
        return members
    known = {field.alias or name for name, field in model.model_fields.items()}
    crowd = [name for name in members if name not in known]
    return {name: value for name, value in members.items() if name in known} | {
        name: members[name] for name in crowd[:VIOLATIONS_MAX]
    }


def parse_query(model: type[Model], query: MultiMapping[str]) -> Model:
    """Each parameter at most once. Raises ProblemError VALIDATION_FAILED."""
    violations = [
        Violation("FIELD_REPEATED", "The parameter may be given once.", name)
        for name in dict.fromkeys(query)
        if len(query.getall(name)) > 1
    ]
    violations += [
        Violation("TEXT_INVALID", "The parameter is not valid text.", name if _is_text(name) else None)
        for name, value in query.items()
        if not (_is_text(name) and _is_text(value))
    ]
    if violations:
        raise validation_failed(violations)
    return parse_model(model, {name: value for name, value in query.items() if name != IGNORED_QUERY})


def violations_of(error: ValidationError, *, prefix: str = "") -> list[Violation]:
    """prefix: the path of the validated value inside the request ("tickets[3]")."""
    findings = error.errors(include_url=False, include_context=False, include_input=False)
    return [_violation(finding, prefix) for finding in findings[:VIOLATIONS_MAX]]


def validation_failed(violations: list[Violation]) -> ProblemError:
    fields = ", ".join(dict.fromkeys(v.field for v in violations[:5] if v.field))
    detail = f"The request is not valid: {fields}." if fields else "The request is not valid."
    return refuse(400, "VALIDATION_FAILED", detail, violations=violations[:VIOLATIONS_MAX])


def _violation(finding: Mapping[str, Any], prefix: str) -> Violation:
    kind = finding["type"]
    # Our own validators name their code; pydantic's names are in small letters.
    code = kind if kind.isupper() else _CODES.get(kind, "FIELD_INVALID")
    return Violation(code, finding["msg"], _path(finding["loc"], prefix) or None)


def _path(location: tuple[int | str, ...], prefix: str) -> str:
    path = prefix
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{part}" if path else part
    return shown(path[:200])


def _is_text(value: str) -> bool:
    """One line of characters that are seen: what is repeated in answers and logs."""
    try:
        line_of(value)
    except TextError:
        return False
    return True
