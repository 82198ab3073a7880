"""Statements as a table: a line for each day, each of its entities, and each movement; and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

# A cell is the text, the number or the truth of a member; None where a line has no such member.
Cell = str | int | bool | None

AMOUNTS = (
    "openingBalance", "totalSales", "totalPayouts", "listeroCommission", "vendedorCommission", "balance",
    "totalCorrections", "totalPaid", "totalCollected", "remainingBalance",
)  # fmt: skip
COLUMNS = (
    "kind", "id", "date", "time", "ventanaName", "vendedorName", *AMOUNTS, "ticketCount", "isSettled", "type", "method",
    "amount", "notes", "isReversed", "totalWrittenOff", "openCashMemos",
)  # fmt: skip
# Decimals with two places.
MONEY = frozenset((*AMOUNTS, "amount", "totalWrittenOff", "openCashMemos"))
# People write them; a spreadsheet would take them for a formula when they begin like one, in wide letters too.
TEXTS = frozenset(("ventanaName", "vendedorName", "notes"))
FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# Without it a spreadsheet takes the bytes for the letters of its own country.
BYTE_ORDER_MARK = "\ufeff"


def lines_of(days: Iterable[Mapping[str, Any]], movements: Iterable[Mapping[str, Any]]) -> Iterator[Sequence[Cell]]:
    """days: as api.models.statements.StatementDayOut has them. movements: as api.models.movements.MovementOut has them."""
    for day in days:
        yield line_of("day", day)
        for name in ("byVentana", "byVendedor"):
            for each in day.get(name) or ():
                yield line_of(name.removeprefix("by").lower(), each)
    for each in movements:
        yield line_of("movement", each)


def line_of(kind: str, members: Mapping[str, Any]) -> Sequence[Cell]:
    """A cell for each of COLUMNS."""
    return [kind, *(members.get(name) for name in COLUMNS[1:])]


def text_of(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def csv_of(lines: Iterable[Sequence[Cell]]) -> bytes:
    written = io.StringIO()
    written.write(BYTE_ORDER_MARK)
    writer = csv.writer(written)
    writer.writerow(COLUMNS)
    for line in lines:
        writer.writerow(guarded(name, text_of(cell)) for name, cell in zip(COLUMNS, line, strict=True))
    return written.getvalue().encode()


def guarded(name: str, text: str) -> str:
    return f"'{text}" if name in TEXTS and text.startswith(FORMULA_BEGINS) else text
