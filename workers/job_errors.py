"""What went wrong in a job, in the classes that operators look for."""

from __future__ import annotations

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


class JobError(NamedTuple):
    """type: a class of trouble. code: PostgreSQL's SQLSTATE, or the exception's name."""

    type: str
    code: str
    text: str


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
        beginnings = sorted((known for known in TYPES if code.startswith(known)), key=len)
        return JobError(TYPES[beginnings[-1]] if beginnings else UNKNOWN, code, text)
    if isinstance(error, DatabaseUnavailableError) or isinstance(cause, OSError):
        return JobError("DB_UNREACHABLE", code, text)
    return JobError(UNKNOWN, code, text)
