"""A history against the database: what was acknowledged is stored, and nothing else is (proof.md, invariants 1 and 2).

The history must hold all that its sellers ever did: a ticket of theirs that is not in it is a finding.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from uuid import UUID

import asyncpg

from core.domain.money import parse_amount
from core.domain.ticket_number import parse_ticket_number
from core.queries import sql
from loadtests.history import Entry, read_entries

CONNECT_TIMEOUT_S = 10.0
CHECK_TIMEOUT_S = 300.0
FINDINGS_MAX = 1_000

# Name of the check (and of its file under sql/queries/history) → what it proves.
CHECKS: Mapping[str, str] = MappingProxyType(
    {
        "settled": "every operation has a definite answer",
        "answered_once": "a key has one answer, however often it was sent",
        "sales_stored": "every acknowledged sale is stored under its key, as it was answered",
        "sold_once": "no ticket was acknowledged under two keys",
        "refusals_hold": "nothing was done under a key that was refused",
        "cancels_stored": "every acknowledged cancel holds",
        "nothing_else": "nothing is stored that nobody was told of",
    }
)
COLUMNS = (
    *("event", "kind", "seller", "key", "sale_key", "code"),
    *("ticket_id", "business_date", "ordinal", "sequence", "total_cents"),
)


@dataclass(frozen=True, slots=True)
class HistoryFinding:
    check: str
    text: str


async def check_history(owner_url: str, paths: Iterable[Path]) -> list[HistoryFinding]:
    """At most FINDINGS_MAX of each check; none: the history holds. Raises asyncpg's errors and OSError."""
    connection = await asyncpg.connect(owner_url, timeout=CONNECT_TIMEOUT_S, command_timeout=CHECK_TIMEOUT_S)
    try:
        async with connection.transaction(isolation="repeatable_read"):
            await connection.execute(sql("history/create"))
            await connection.copy_records_to_table(
                "history", columns=COLUMNS, records=(row_of(entry) for entry in read_entries(paths))
            )
            await connection.execute(sql("history/analyze"))
            return [
                HistoryFinding(check, row["finding"])
                for check in CHECKS
                for row in await connection.fetch(sql(f"history/{check}"), FINDINGS_MAX)
            ]
    finally:
        await connection.close()


def row_of(entry: Entry) -> tuple[object, ...]:
    """In the order of COLUMNS."""
    operation, ticket = entry.operation, entry.ticket
    named: tuple[object, ...] = (None, None, None, None, None)
    if "ticketNumber" in ticket:
        number = parse_ticket_number(ticket["ticketNumber"])
        total_cents = parse_amount(ticket["totalAmount"])
        named = (UUID(ticket["id"]), number.business_date, number.ordinal, number.sequence, total_cents)
    code = entry.code or ticket.get("status")
    sale_key = operation.content.get("saleKey")
    return (entry.event, operation.kind, UUID(operation.seller), operation.key, sale_key, code, *named)
