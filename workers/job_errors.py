"""What went wrong in a job, in the classes that operators look for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import asyncpg

from core.database import DatabaseUnavailableError

UNKNOWN = "UNKNOWN_ERROR"
# By the beginning of an SQLSTATE.
TYPES = {
    "08": "DB_UNREACHABLE",
    "23": "DB_CONSTRAINT",
    "28": "DB_UNREACHABLE",
    "40": "DB_CONFLICT",
    "53300": "POOLER_TIMEOUT",
    "53": "DB_OVERLOADED",
    "55P03": "DB_CONFLICT",
    "57014": "DB_TIMEOUT",
    "57P": "DB_UNREACHABLE",
}
# Of the moment, not of the data: worth another try soon.
PASSING = frozenset({"DB_CONFLICT", "DB_TIMEOUT", "DB_OVERLOADED"})


class JobError(NamedTuple):
    """type: a class of trouble. code: PostgreSQL's SQLSTATE, or the exception's name."""

    type: str
    code: str
    text: str

    @property
    def is_passing(self) -> bool:
        return self.type in PASSING

    @property
    def told(self) -> dict[str, str]:
        """As log lines have it."""
        return {"errorType": self.type, "errorCode": self.code, "error": self.text}


def type_of(sqlstate: str) -> str:
    beginnings = sorted((known for known in TYPES if sqlstate.startswith(known)), key=len)
    return TYPES[beginnings[-1]] if beginnings else UNKNOWN


def failed_day(failure: Mapping[str, str]) -> dict[str, str]:
    """For a log line. failure: as sql/functions/attempt_statements.sql gives it."""
    day = {"dimension": failure["dimension"], "entityId": failure["entityId"], "date": failure["day"]}
    return {**day, **JobError(type_of(failure["code"]), failure["code"], failure["error"]).told}


def classify(error: BaseException) -> JobError:
    # Our own words for trouble on the way hide what it was.
    cause = error.__cause__ if isinstance(error, DatabaseUnavailableError) and error.__cause__ else error
    text = f"{type(error).__name__}: {error}"
    code = str(getattr(cause, "sqlstate", None) or type(cause).__name__)
    if "query_wait_timeout" in str(error):
        return JobError("POOLER_WAIT_TIMEOUT", code, text)
    if isinstance(cause, TimeoutError):
        return JobError("POOLER_TIMEOUT", code, text)
    if isinstance(cause, asyncpg.PostgresError):
        return JobError(type_of(code), code, text)
    if isinstance(error, DatabaseUnavailableError) or isinstance(cause, OSError):
        return JobError("DB_UNREACHABLE", code, text)
    return JobError(UNKNOWN, code, text)
