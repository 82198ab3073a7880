"""The plan of every statement inside a function, as PostgreSQL ran it (by auto_explain, which comes with it)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import asyncpg

from core.database import prepare_connection

if TYPE_CHECKING:
    from tests.arena import Owner

SETTINGS = ("log_min_duration = 0", "log_nested_statements = on", "log_format = json", "log_level = notice")


@dataclass(frozen=True)
class Scan:
    """How a plan reads a table; a partition counts as its table. condition: on the index."""

    node: str
    table: str
    index: str
    condition: str


@dataclass
class Explainer:
    """connection: of the owner, because only a superuser may listen; the functions run as their own owner."""

    connection: Owner
    scans: list[Scan] = field(default_factory=list)

    def listen(self, _: object, message: Any) -> None:
        head, _, plan = str(message.message).partition("plan:\n")
        if head.startswith("duration:"):
            self.scans += scans_of(json.loads(plan)["Plan"])

    def of(self, table: str) -> list[Scan]:
        return [scan for scan in self.scans if scan.table == table]


@asynccontextmanager
async def explainer(owner_url: str) -> AsyncIterator[Explainer]:
    connection = await asyncpg.connect(owner_url)
    await prepare_connection(connection)
    await connection.execute("LOAD 'auto_explain'")
    for setting in SETTINGS:
        await connection.execute(f"SET auto_explain.{setting}")
    made = Explainer(connection)
    connection.add_log_listener(made.listen)
    yield made
    await connection.close()


def scans_of(node: dict[str, Any]) -> Iterator[Scan]:
    # A modified table is named too, by the node that writes it.
    if "Relation Name" in node and node["Node Type"] != "ModifyTable":
        yield Scan(node["Node Type"], table_of(node["Relation Name"]), node.get("Index Name", ""), node.get("Index Cond", ""))
    for child in node.get("Plans", ()):
        yield from scans_of(child)


def table_of(relation: str) -> str:
    """tickets_2026_11 → tickets"""
    stem, _, month = relation.partition("_2")
    return stem if month.replace("_", "").isdigit() else relation
