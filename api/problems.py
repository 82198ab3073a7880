"""Refusals as RFC 9457 problems: a stable code, all violations, and nothing of our insides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from api.ready_response import ReadyResponse
from core.domain.violations import Violation

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Problem:
    """is_recorded: the answer belongs to an idempotency key. A replay must have the same bytes, so it names no request."""

    status: int
    code: str
    detail: str
    violations: Sequence[Violation] = ()
    retry_after_s: int | None = None
    is_recorded: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


class ProblemError(Exception):
    """Ends a request with a problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


def refuse(
    status: int,
    code: str,
    detail: str,
    *,
    violations: Sequence[Violation] = (),
    retry_after_s: int | None = None,
) -> ProblemError:
    """A refusal for its place: 404, "SORTEO_NOT_FOUND", "There is no such sorteo."; the caller raises it."""
    return ProblemError(Problem(status, code, detail, violations, retry_after_s))


def problem_document(problem: Problem, *, instance: str | None) -> dict[str, object]:
    """The JSON object; also one ticket's problem inside a batch's answer. instance: the request's id."""
    document: dict[str, object] = {
        "type": f"/problems/{problem.code.lower().replace('_', '-')}",
        "title": problem.code.replace("_", " ").capitalize(),
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
    }
    if instance is not None:
        document["instance"] = instance
    if problem.violations:
        document["violations"] = [violation.to_json() for violation in problem.violations]
    return document


def problem_response(problem: Problem, *, request_id: str) -> ReadyResponse:
    document = problem_document(problem, instance=None if problem.is_recorded else request_id)
    lines = [f"{name}: {value}\r\n" for name, value in problem.headers.items()]
    if problem.retry_after_s is not None:
        lines.append(f"Retry-After: {problem.retry_after_s}\r\n")
    if problem.status == 401:
        lines.append("WWW-Authenticate: Bearer\r\n")
    answer = ReadyResponse(
        orjson.dumps(document), status=problem.status, extra="".join(lines), content_type=CONTENT_TYPE
    )
    answer.request_id = request_id
    return answer
