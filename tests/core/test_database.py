from __future__ import annotations

import asyncpg
import pytest

from core.database import DatabaseTrouble, DatabaseUnavailableError, translated_errors, trouble_of

KNOWN = {
    each.sqlstate: each
    for each in vars(asyncpg.exceptions).values()
    if isinstance(each, type) and issubclass(each, asyncpg.PostgresError) and each.sqlstate
}
# Of a request's data, or of our own functions and statements.
OURS = ("22", "23", "P0", "21", "44", "42601")


@pytest.mark.parametrize("sqlstate", sorted(KNOWN))
def test_every_error_of_the_server_is_either_a_trouble_or_a_defect_of_ours(sqlstate: str) -> None:
    trouble = trouble_of(KNOWN[sqlstate]("told"))
    if sqlstate.startswith(OURS):
        assert trouble is None
    elif sqlstate.startswith(("08", "28", "40", "53", "55", "57", "58", "F0", "XX")):
        assert trouble is not None


@pytest.mark.parametrize(
    ("sqlstate", "trouble"),
    [
        ("08006", DatabaseTrouble.AWAY),
        ("25006", DatabaseTrouble.READ_ONLY),
        ("28P01", DatabaseTrouble.REFUSED),
        ("40001", DatabaseTrouble.BUSY),
        ("40P01", DatabaseTrouble.BUSY),
        ("42501", DatabaseTrouble.REFUSED),
        ("42883", DatabaseTrouble.OUTDATED),
        ("53100", DatabaseTrouble.FULL),
        ("53200", DatabaseTrouble.OVERLOADED),
        ("53300", DatabaseTrouble.OVERLOADED),
        ("55P03", DatabaseTrouble.BUSY),
        ("57014", DatabaseTrouble.TIMEOUT),
        ("57P01", DatabaseTrouble.AWAY),
        ("57P03", DatabaseTrouble.AWAY),
        ("58030", DatabaseTrouble.BROKEN),
        ("XX000", DatabaseTrouble.BROKEN),
    ],
)
def test_a_trouble_has_its_name(sqlstate: str, trouble: DatabaseTrouble) -> None:
    assert trouble_of(KNOWN[sqlstate]("told")) is trouble


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (TimeoutError(), DatabaseTrouble.TIMEOUT),
        (ConnectionRefusedError(), DatabaseTrouble.AWAY),
        (asyncpg.InterfaceError("the pool is closing"), DatabaseTrouble.AWAY),
        (asyncpg.InternalClientError("unexpected message"), DatabaseTrouble.AWAY),
        (asyncpg.exceptions._base.DataError("no place in its type"), None),
        (ValueError("ours"), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_so_has_one_on_the_way_to_the_server(error: Exception, trouble: DatabaseTrouble | None) -> None:
    assert trouble_of(error) is trouble


def test_what_may_be_a_defect_of_a_statement_keeps_its_type() -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError), translated_errors():
        raise asyncpg.InsufficientPrivilegeError("told")
    with pytest.raises(DatabaseUnavailableError) as raised, translated_errors():
        raise asyncpg.DiskFullError("told")
    assert raised.value.trouble is DatabaseTrouble.FULL
