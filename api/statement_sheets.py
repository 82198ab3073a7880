"""Statements as a table: a line for each day, each of its entities, and each movement; and as CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from api.models.statements import CsvDialect
from core.domain.text import shown

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
# People write them; a spreadsheet would take them for a formula when they begin like one, in wide letters too. What
# separates cells is the reader's choice: what follows anything that may do so could begin a cell of its own, and quotes
# around it are then no quotes, or are taken off.
TEXTS = frozenset(("ventanaName", "vendedorName", "notes"))
FORMULA_BEGIN = re.compile('(?:^|(?<=[,;|]))([\\s"]*)(?=[=+\\-@＝＋－＠])')
# Without it a spreadsheet takes the bytes for the letters of its own country.
BYTE_ORDER_MARK = "\ufeff"


SEPARATORS: Mapping[CsvDialect, str] = MappingProxyType({CsvDialect.COMMA: ",", CsvDialect.SEMICOLON: ";"})


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


def csv_of(lines: Iterable[Sequence[Cell]], dialect: CsvDialect = CsvDialect.COMMA) -> bytes:
    written = io.StringIO()
    written.write(BYTE_ORDER_MARK)
    writer = csv.writer(written, delimiter=SEPARATORS[dialect])
    writer.writerow(COLUMNS)
    has_decimal_comma = dialect is CsvDialect.SEMICOLON
    for line in lines:
        writer.writerow(
            cell_of(name, text_of(cell), has_decimal_comma=has_decimal_comma)
            for name, cell in zip(COLUMNS, line, strict=True)
        )
    return written.getvalue().encode()


def cell_of(name: str, text: str, *, has_decimal_comma: bool = False) -> str:
    """A cell of a CSV: a text in one line that begins no formula, or a member as it is."""
    if name in TEXTS:
        return FORMULA_BEGIN.sub(r"\1'", shown(text))
    return text.replace(".", ",") if has_decimal_comma and name in MONEY else text
