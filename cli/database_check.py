"""The way to a database: what is wrong with it in a line that names the database, without its password."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cli.trouble import Trouble, words_of
from core.domain.text import shown
from core.queries import sql
from core.setting_values import shown_url

CONNECT_TIMEOUT_S = 10.0
# What migrations and functions are written for, and tried with.
MAJOR_VERSION_MIN = 18


@contextmanager
def talking_to(url: str) -> Iterator[None]:
    """Trouble with the database at the URL becomes Trouble that names it; a defect of ours stays what it is."""
    try:
        yield
    except Trouble:
        raise
    except Exception as error:
        words = words_of(error)
        if words is None:
            raise
        raise Trouble(f"{shown_url(url)}: {shown(words)}") from error


def require_migratable(owner_url: str, *, sets_passwords: bool) -> None:
    """Look whether the database is new enough and its login may do what migrating takes, before anything is done.

    Raises Trouble.
    """
    with talking_to(owner_url):
        found = asyncio.run(abilities(owner_url))
    place = shown_url(owner_url)
    if found["major_version"] < MAJOR_VERSION_MIN:
        raise Trouble(
            f"{place}: this is PostgreSQL {found['version']}, which is too old; {MAJOR_VERSION_MIN} or newer is needed"
        )
    if found["is_standby"]:
        raise Trouble(f"{place}: this is a standby, which takes no writes; name the primary")
    login = f'"{found["login"]}"'
    if (found["is_new"] or sets_passwords) and not found["may_create_roles"]:
        raise Trouble(
            f"{place}: the role {login} may not make the roles of the processes; as a superuser run:"
            f" ALTER ROLE {login} CREATEROLE"
        )
    if found["is_new"] and not found["may_create_tables"]:
        raise Trouble(
            f"{place}: the role {login} may not make tables; as a superuser run:"
            f' ALTER DATABASE "{found["database"]}" OWNER TO {login}'
        )


async def require_owner(connection: Any, url: str) -> None:
    """Raises Trouble when the login sees one banca at a time: to it the others' rows are missing."""
    from core.queries import sql

    found = await connection.fetchrow(sql("installation/sees_all"))
    if found is not None and found["sees_all"] is False:
        raise Trouble(
            f"{shown_url(url)}: this needs the login of the database's owner, as MIGRATION_DATABASE_URL;"
            f" {found['login']} sees the rows of one banca at a time"
        )


def require_login(url: str) -> None:
    """Raises Trouble when the database, or the pooler before it, does not let us in."""
    with talking_to(url):
        asyncio.run(_log_in(url))


async def _log_in(url: str) -> None:
    import asyncpg

    connection = await asyncpg.connect(
        url, timeout=CONNECT_TIMEOUT_S, command_timeout=CONNECT_TIMEOUT_S, statement_cache_size=0
    )
    await connection.close(timeout=CONNECT_TIMEOUT_S)


async def abilities(url: str) -> dict[str, Any]:
    import asyncpg

    connection = await asyncpg.connect(url, timeout=CONNECT_TIMEOUT_S, command_timeout=CONNECT_TIMEOUT_S)
    try:
        row = await connection.fetchrow(sql("migrations/abilities"))
        assert row is not None, "the login is a role"
        return dict(row)
    finally:
        await connection.close(timeout=CONNECT_TIMEOUT_S)
