"""A connection as the owner of the database that a command is about."""

from __future__ import annotations

import asyncio
import getpass
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from cli.database_check import require_owner, talking_to
from cli.stack import Stack
from core.settings import load_owner_settings

CONNECT_TIMEOUT_S = 10.0

Answer = TypeVar("Answer")


def with_database(data: Path, work: Callable[[Any], Awaitable[Answer]]) -> Answer:
    """What work(connection) answers, of what MIGRATION_DATABASE_URL or DATABASE_URL names, else of the stack in `data`.

    Raises Trouble when the database refuses, or the login is not the owner's.
    """
    import asyncpg

    url = _owner_url(data)

    async def run() -> Answer:
        connection = await asyncpg.connect(
            url, timeout=CONNECT_TIMEOUT_S, command_timeout=CONNECT_TIMEOUT_S, statement_cache_size=0
        )
        try:
            await require_owner(connection, url)
            return await work(connection)
        finally:
            await connection.close()

    with talking_to(url):
        return asyncio.run(run())


def owner_url_of(data: Path) -> str:
    """The URL of the database, for what makes its own connections.

    Raises Trouble when the login is not the owner's: what row-level security hides would be missed.
    """
    with_database(data, _nothing)
    return _owner_url(data)


async def _nothing(_: Any) -> None:
    """The connection was refused unless it is the owner's."""


def _owner_url(data: Path) -> str:
    return load_owner_settings().owner_url or Stack.load(data).owner_url


def operator() -> str:
    """Who runs the command, for what it records; a container's user may have no name."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return f"cli:{os.getuid()}"
