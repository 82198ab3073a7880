"""Which installation this is, which of its histories, and whether a program and its secrets belong to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncpg

from core.database import Database
from core.fresh import Fresh
from core.logging import Log
from core.migrations import newest_migration
from core.processes import ProcessError
from core.queries import sql
from core.security.terminal_secrets import MasterKeys
from core.settings import SETTINGS_EXIT_CODE

if TYPE_CHECKING:
    Connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record] | asyncpg.Connection[asyncpg.Record]

QUERY_TIMEOUT_S = 2.0
# A database that is restored under a process that goes on is noticed so soon.
HISTORY_AGE_MAX_S = 5.0

log = Log("installation")


class MisfitError(ProcessError):
    """A program, or a secret that it was given, does not belong to the database: it must not begin."""

    exit_code = SETTINGS_EXIT_CODE


class ProgramOutdatedError(MisfitError):
    """A newer version made the database, and says that this one cannot work on it."""


class MasterKeyMisfitError(MisfitError):
    """The master keys are not those that the terminals' secrets were derived from."""


class Installation:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._histories: Fresh[None, str] = Fresh(self._read, entries_max=1)

    async def history(self) -> str:
        """The installation's id with that of its history, for keys: after a restore they are others.

        Raises DatabaseUnavailableError.
        """
        return await self._histories.get(None, max_age_s=HISTORY_AGE_MAX_S)

    async def _read(self, _: None) -> str:
        async with self._database.connection() as connection:
            return str(await connection.fetchval(sql("installation/history"), timeout=QUERY_TIMEOUT_S))


def require_program(programs_from: int) -> None:
    """Whether this program may run on a database of which programs_from() says this. Raises ProgramOutdatedError."""
    newest = newest_migration()
    if programs_from > newest:
        raise ProgramOutdatedError(
            f"a newer version made this database, and only programs that know migration {programs_from:04d} may run on"
            f" it; this one knows {newest:04d}: start that version, or restore a backup from before"
        )


async def require_fit(connection: Connection, master_keys: MasterKeys | None) -> None:
    """Find out whether this program and its master keys belong to the database; a key that is new to it is bound to it.

    master_keys: None: of a process that has none.
    Raises ProgramOutdatedError, MasterKeyMisfitError; what the driver raises passes through.
    """
    require_program(await connection.fetchval(sql("installation/programs_from"), timeout=QUERY_TIMEOUT_S))
    if master_keys is None:
        return
    instance_id: str = await connection.fetchval(sql("outbox/instance"), timeout=QUERY_TIMEOUT_S)
    checks = master_keys.checks(instance_id)
    row: Any = await connection.fetchrow(
        sql("installation/bind_master_keys"), list(checks), list(checks.values()), timeout=QUERY_TIMEOUT_S
    )
    if row["verdict"] != "BOUND":
        raise MasterKeyMisfitError(misfit_words(row["verdict"], row["ids"]))
    if row["missing"]:
        log.error("MASTER_KEYS_MISSING", master_key_ids=row["missing"])


def misfit_words(verdict: str, ids: list[str]) -> str:
    """What is wrong, and what to restore."""
    known = ", ".join(ids)
    if verdict == "DIFFERENT":
        return (
            f"the terminal master key {known} is another one than this database's terminals were made with, and none of"
            " their signatures would be right: restore the former TERMINAL_MASTER_KEY (`terminalMasterKey` in secrets.json)."
            " To replace it, give the new key another TERMINAL_MASTER_KEY_ID, and the old one in TERMINAL_MASTER_KEYS_RETIRED"
        )
    return (
        f"this database's terminals were made with the master key {known}, and it is not among those given: restore it as"
        f" TERMINAL_MASTER_KEY with its TERMINAL_MASTER_KEY_ID, or as id:key in TERMINAL_MASTER_KEYS_RETIRED"
    )
