"""Refusals as RFC 9457 problems: a stable code, all violations, and nothing of our insides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from api.problem_catalogue import type_of
from api.ready_response import ReadyResponse
from core.database import DatabaseTrouble, DatabaseUnavailableError
from core.domain.violations import Violation

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_S = 1
# What an operator must mend takes longer.
RETRY_AFTER_MENDING_S = 5
# These pass by themselves.
PASSING_TROUBLES = frozenset(
    (DatabaseTrouble.AWAY, DatabaseTrouble.TIMEOUT, DatabaseTrouble.BUSY, DatabaseTrouble.OVERLOADED)
)
_DATABASE_DETAILS = {
    DatabaseTrouble.READ_ONLY: "The database takes no changes at present; nothing was written.",
    DatabaseTrouble.FULL: "The database has no room left; nothing was written.",
    DatabaseTrouble.BUSY: "The database was busy with what this needs; nothing was written. Try again.",
    DatabaseTrouble.TIMEOUT: "The database did not answer in time; try again.",
    DatabaseTrouble.AWAY: "The database does not answer; try again.",
}


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


def database_problem(error: DatabaseUnavailableError) -> Problem:
    """The one answer to whatever keeps PostgreSQL from the work; nothing was written."""
    return Problem(
        503,
        "DATABASE_UNAVAILABLE",
        _DATABASE_DETAILS.get(error.trouble, "The database did not take the work; nothing was written."),
        retry_after_s=RETRY_AFTER_S if error.trouble in PASSING_TROUBLES else RETRY_AFTER_MENDING_S,
    )


def problem_document(problem: Problem, *, instance: str | None) -> dict[str, object]:
    """The JSON object; also one ticket's problem inside a batch's answer. instance: the request's id."""
    document: dict[str, object] = {
        "type": type_of(problem.code),
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
