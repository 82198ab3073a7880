"""A connection as the owner of the database that a command is about."""

from __future__ import annotations

import asyncio
import getpass
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from cli.database_check import talking_to
from cli.stack import Stack
from core.settings import load_owner_settings

CONNECT_TIMEOUT_S = 10.0

Answer = TypeVar("Answer")


def with_database(data: Path, work: Callable[[Any], Awaitable[Answer]]) -> Answer:
    """What work(connection) answers, of what MIGRATION_DATABASE_URL or DATABASE_URL names, else of the stack in `data`.

    Raises Trouble when the database does not do it.
    """
    import asyncpg

    url = load_owner_settings().owner_url or Stack.load(data).owner_url

    async def run() -> Answer:
        connection = await asyncpg.connect(
            url, timeout=CONNECT_TIMEOUT_S, command_timeout=CONNECT_TIMEOUT_S, statement_cache_size=0
        )
        try:
            return await work(connection)
        finally:
            await connection.close()

    with talking_to(url):
        return asyncio.run(run())


def operator() -> str:
    """Who runs the command, for what it records; a container's user may have no name."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return f"cli:{os.getuid()}"
