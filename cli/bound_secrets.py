"""The secrets of a stack, held against what its database knows of them; and the owner's errors in a line each."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from cli.database_check import talking_to
from cli.stack import Secrets
from cli.trouble import Trouble

CONNECT_TIMEOUT_S = 10.0
STATEMENT_TIMEOUT_S = 30.0

Answer = TypeVar("Answer")


class Blocked(Trouble):
    """Others hold what the migration must lock: nothing is wrong, it may be tried again later."""

    # EX_TEMPFAIL of sysexits.h.
    exit_code = 75


@dataclass(frozen=True, slots=True)
class Known:
    """What a database knows of secrets. is_bound: to a master key, by a value of it; has_terminals: that have a secret."""

    is_bound: bool
    has_terminals: bool


def fitting_secrets(data: Path, owner_url: str) -> Secrets:
    """The secrets that belong to the database; made, when it has none yet. Nothing is changed in the database.

    Raises Trouble when those of the directory, or of the environment, are of another one, or are lost.
    """
    known = as_owner(owner_url, read_known(owner_url))
    secrets = Secrets.load_or_create(data, os.environ, needs_master_key=lambda: known.is_bound or known.has_terminals)
    if known.is_bound:
        bind_secrets(owner_url, secrets)
    return secrets


def bind_secrets(owner_url: str, secrets: Secrets) -> None:
    """Bind the master keys to the migrated database. Raises Trouble when it is bound to others."""
    as_owner(owner_url, bind(owner_url, secrets))


def is_master_key_of(owner_url: str, master_key: str) -> bool:
    """Whether the database's terminals were made with it; also when the database cannot tell. Changes nothing there."""
    return as_owner(owner_url, _is_master_key_of(owner_url, master_key))


async def _is_master_key_of(owner_url: str, master_key: str) -> bool:
    from core.installation import MasterKeyMisfitError, require_fit

    known = await read_known(owner_url)
    if not known.is_bound:
        return True
    keys = master_keys(owner_url, master_key)
    connection = await connect(owner_url)
    try:
        # A key that is new to the database would be bound to it.
        transaction = connection.transaction()
        await transaction.start()
        try:
            await require_fit(connection, keys)
        except MasterKeyMisfitError:
            return False
        finally:
            await transaction.rollback()
    finally:
        await connection.close()
    return True


async def read_known(owner_url: str) -> Known:
    from core.queries import sql

    connection = await connect(owner_url)
    try:
        tables = await connection.fetchrow(sql("installation/tables"))
        assert tables is not None, "it answers one row"
        return Known(
            is_bound=tables["has_checks"] and await connection.fetchval(sql("installation/is_bound")),
            has_terminals=tables["has_terminals"] and await connection.fetchval(sql("installation/has_terminals")),
        )
    finally:
        await connection.close()


async def bind(owner_url: str, secrets: Secrets) -> None:
    from core.installation import require_fit

    keys = master_keys(owner_url, secrets.terminal_master_key)
    connection = await connect(owner_url)
    try:
        await require_fit(connection, keys)
    finally:
        await connection.close()


def master_keys(owner_url: str, master_key: str) -> Any:
    """With the key's id and the retired ones of the environment, which the processes are given, too. Raises Trouble."""
    from pydantic import SecretStr

    from core.security.terminal_secrets import load_master_keys
    from core.settings import Settings

    try:
        return load_master_keys(Settings(database_url=owner_url, terminal_master_key=SecretStr(master_key)))
    except ValueError as error:
        raise Trouble(str(error)) from error


async def connect(owner_url: str) -> Any:
    import asyncpg

    return await asyncpg.connect(owner_url, timeout=CONNECT_TIMEOUT_S, command_timeout=STATEMENT_TIMEOUT_S)


def as_owner(owner_url: str, work: Coroutine[Any, Any, Answer]) -> Answer:
    """What the work on the database gives. Raises Trouble when the database cannot be reached or refuses us."""
    from core import migrations
    from core.installation import MisfitError

    try:
        with talking_to(owner_url):
            return asyncio.run(work)
    except migrations.MigrationBlockedError as error:
        raise Blocked(str(error)) from error
    except (
        MisfitError,
        migrations.DatabaseNewerError,
        migrations.RoleTakenError,
        migrations.MigrationChangedError,
        migrations.MigrationTooLongError,
    ) as error:
        raise Trouble(str(error)) from error
