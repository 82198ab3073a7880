"""Databases of the tests: their URLs by role."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import asyncpg

API_PASSWORD = "api-of-the-tests"
WORKER_PASSWORD = "worker-of-the-tests"


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
