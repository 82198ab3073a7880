"""The plans of every statement inside a function, as PostgreSQL ran them (auto_explain, which comes with it)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from tests.till.shop import Shop, open_shop

SETTINGS = {
    "log_min_duration": "0",
    "log_nested_statements": "on",
    "log_format": "json",
    "log_level": "notice",
}


@dataclass(frozen=True)
class Scan:
    """How a plan reads a table; a partition counts as its table. index: None for none."""

    node: str
    table: str
    index: str | None


@dataclass
class Plans:
    scans: list[Scan] = field(default_factory=list)

    def read(self, _: object, message: Any) -> None:
        """A listener of the connection's notices."""
        head, _, plan = str(message.message).partition("plan:\n")
        if head.startswith("duration:"):
            self.scans += _scans(json.loads(plan)["Plan"])

    def tables(self) -> set[str]:
        return {scan.table for scan in self.scans}

    def sequential(self) -> list[Scan]:
        return [scan for scan in self.scans if scan.node == "Seq Scan"]

    def by_part_of_a_key(self) -> list[Scan]:
        """Bitmap scans read ranges; every look-up of the till is by a whole key."""
        return [scan for scan in self.scans if scan.node.startswith("Bitmap")]


@asynccontextmanager
async def explaining_shop(owner_url: str) -> AsyncIterator[tuple[Shop, Plans]]:
    """A shop with one connection, of the owner: only a superuser may listen. Functions run as their own owner."""
    plans = Plans()
    async with open_shop(owner_url, pool_size=1) as shop:
        connection = await shop.pool.acquire()
        await connection.execute("LOAD 'auto_explain'")
        for name, value in SETTINGS.items():
            await connection.execute(f"SET auto_explain.{name} = {value}")
        await shop.pool.release(connection)
        # Listeners end with a release: the shop keeps this connection for its whole life.
        _keep(connection, plans)
        yield shop, plans


def _keep(connection: Any, plans: Plans) -> None:
    raise NotImplementedError


def _scans(node: dict[str, Any]) -> Iterator[Scan]:
    if "Relation Name" in node:
        yield Scan(node["Node Type"], _table(node["Relation Name"]), node.get("Index Name"))
    for child in node.get("Plans", ()):
        yield from _scans(child)


def _table(relation: str) -> str:
    """tickets_2026_11 → tickets"""
    stem = relation.rstrip("0123456789_")
    return stem if relation != stem and relation[len(stem) :].count("_") == 2 else relation


Connection = asyncpg.Connection[asyncpg.Record]
