"""Databases of the tests: their URLs by role."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import asyncpg

API_PASSWORD = "api-of-the-tests"
WORKER_PASSWORD = "worker-of-the-tests"
# Made while the tests before are still running: the server has a core of its own for it.
STOCK = 3


@dataclass(frozen=True)
class TestDatabase:
    __test__ = False
    owner_url: str

    @property
    def api_url(self) -> str:
        return with_login(self.owner_url, user="banca_api", password=API_PASSWORD)

    @property
    def worker_url(self) -> str:
        return with_login(self.owner_url, user="banca_worker", password=WORKER_PASSWORD)


def with_login(url: str, *, user: str, password: str) -> str:
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{place}"))


def database_of(server_url: str, name: str) -> str:
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))


async def in_server(server_url: str, statement: str) -> None:
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def allow_logins(owner_url: str) -> None:
    """As an operator does: the databases of the tests share their roles, which a migration would refuse to give them."""
    for role, password in (("banca_api", API_PASSWORD), ("banca_worker", WORKER_PASSWORD)):
        await in_server(owner_url, f"ALTER ROLE {role} LOGIN PASSWORD '{password}'")


async def ask(url: str, query: str, *, statement_cache_size: int = 100) -> object:
    """The one value that the query gives."""
    connection = await asyncpg.connect(url, timeout=5, statement_cache_size=statement_cache_size)
    try:
        return await connection.fetchval(query, timeout=5)
    finally:
        await connection.close()


async def in_server_aside(server_url: str, statement: str) -> None:
    """The same in a thread: tests that are not asynchronous hold up the loop for longer than a login may take."""
    await asyncio.to_thread(lambda: asyncio.run(in_server(server_url, statement)))


class DatabaseStock:
    """Fresh copies of the template, made ahead and dropped behind the tests' backs."""

    def __init__(self, server_url: str, template: str) -> None:
        self._server_url = server_url
        self._template = template
        self._making: deque[asyncio.Task[str]] = deque()
        self._dropping: set[asyncio.Task[None]] = set()

    async def take(self) -> str:
        """The name of a database that nobody has used."""
        while len(self._making) <= STOCK:
            self._making.append(asyncio.create_task(self._make()))
        return await self._making.popleft()

    def give_back(self, name: str) -> None:
        drop = asyncio.create_task(in_server_aside(self._server_url, f"DROP DATABASE {name} WITH (FORCE)"))
        self._dropping.add(drop)
        drop.add_done_callback(self._dropping.discard)

    async def clear(self) -> None:
        for name in [await making for making in self._making]:
            self.give_back(name)
        await asyncio.gather(*self._dropping)

    async def _make(self) -> str:
        name = f"banca_test_{secrets.token_hex(6)}"
        await in_server_aside(self._server_url, f"CREATE DATABASE {name} TEMPLATE {self._template}")
        return name
