"""The classes of trouble that jobs tell (document 003)."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
import pytest

from core.database import DatabaseUnavailableError
from workers.job_errors import classify


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([DatabaseUnavailableError("x"), ConnectionRefusedError()], ("DB_UNREACHABLE", "ConnectionRefusedError")),
        ([DatabaseUnavailableError("x"), TimeoutError()], ("POOLER_TIMEOUT", "TimeoutError")),
        ([DatabaseUnavailableError("x"), asyncpg.TooManyConnectionsError()], ("POOLER_TIMEOUT", "53300")),
        ([DatabaseUnavailableError("ProtocolViolationError: query_wait_timeout"), OSError()], ("POOLER_WAIT_TIMEOUT", "OSError")),
        ([asyncpg.ProtocolViolationError("query_wait_timeout")], ("POOLER_WAIT_TIMEOUT", "08P01")),
        ([DatabaseUnavailableError("x"), asyncpg.AdminShutdownError()], ("DB_UNREACHABLE", "57P01")),
        ([DatabaseUnavailableError("x"), asyncpg.QueryCanceledError()], ("DB_TIMEOUT", "57014")),
        ([asyncpg.DeadlockDetectedError("x")], ("DB_CONFLICT", "40P01")),
        ([asyncpg.LockNotAvailableError("x")], ("DB_CONFLICT", "55P03")),
        ([asyncpg.DiskFullError("x")], ("DB_OVERLOADED", "53100")),
        ([asyncpg.CheckViolationError("x")], ("DB_CONSTRAINT", "23514")),
        ([asyncpg.UndefinedFunctionError("x")], ("UNKNOWN_ERROR", "42883")),
        ([DatabaseUnavailableError("x")], ("DB_UNREACHABLE", "DatabaseUnavailableError")),
        ([ValueError("x")], ("UNKNOWN_ERROR", "ValueError")),
    ],
)  # fmt: skip
def test_trouble_has_a_class_that_operators_know(errors: Sequence[Exception], expected: tuple[str, str]) -> None:
    error, *causes = errors
    error.__cause__ = causes[0] if causes else None
    assert classify(error)[:2] == expected
