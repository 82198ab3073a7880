"""Statements as a table for spreadsheets (CSV): a line for each day, each of its entities, and each movement."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

COLUMNS = (
    "kind", "id", "date", "time", "ventanaName", "vendedorName", "openingBalance", "totalSales", "totalPayouts",
    "listeroCommission", "vendedorCommission", "balance", "totalCorrections", "totalPaid", "totalCollected",
    "remainingBalance", "ticketCount", "isSettled", "type", "method", "amount", "notes", "isReversed",
)  # fmt: skip
# People write them; a spreadsheet would take them for a formula when they begin like one.
TEXTS = frozenset(("ventanaName", "vendedorName", "notes"))
FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r")


def sheet_of(days: Iterable[Mapping[str, Any]], movements: Iterable[Mapping[str, Any]]) -> str:
    """days: as api.models.statements.StatementDayOut has them. movements: as api.models.movements.MovementOut has them."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(COLUMNS)
    for day in days:
        writer.writerow(cells("day", day))
        for name in ("byVentana", "byVendedor"):
            writer.writerows(cells(name.removeprefix("by").lower(), each) for each in day.get(name) or ())
    writer.writerows(cells("movement", each) for each in movements)
    return written.getvalue()


def cells(kind: str, members: Mapping[str, Any]) -> list[str]:
    return [kind, *(cell(name, members.get(name)) for name in COLUMNS[1:])]


def cell(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return f"'{text}" if name in TEXTS and text.startswith(FORMULA_BEGINS) else text
