"""The benchmark's own SQL, in sql/bench: none of it runs where tickets are sold for real."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any

import asyncpg

from core.database import prepare_connection
from core.queries import SQL_ROOT

CONNECT_TIMEOUT_S = 10.0
STATEMENT_TIMEOUT_S = 300.0


@cache
def bench_sql(name: str) -> str:
    """The text of sql/bench/<name>.sql. Raises FileNotFoundError for an unknown name."""
    return (SQL_ROOT / "bench" / f"{name}.sql").read_text(encoding="utf-8")


def ask(owner_url: str, name: str, *arguments: Any) -> list[asyncpg.Record]:
    """The rows of a query, asked as the database's owner on a connection of its own."""
    return asyncio.run(_ask(owner_url, bench_sql(name), arguments))


async def _ask(owner_url: str, query: str, arguments: tuple[Any, ...]) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(owner_url, timeout=CONNECT_TIMEOUT_S, command_timeout=STATEMENT_TIMEOUT_S)
    try:
        await prepare_connection(connection)
        return await connection.fetch(query, *arguments)
    finally:
        await connection.close()
