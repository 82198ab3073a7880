"""Statements as a workbook for spreadsheets (XLSX)."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

import xlsxwriter

from api.statement_sheets import COLUMNS, MONEY, Cell
from core.domain.text import shown

WIDTH, WIDTH_OF_NOTES = 16, 40


def workbook_of(lines: Iterable[Sequence[Cell]]) -> bytes:
    """Amounts and counts are numbers, so that they can be summed; texts are texts, whatever they begin with."""
    written = io.BytesIO()
    # A line that is written waits in a file, not in memory.
    with xlsxwriter.Workbook(written, {"constant_memory": True}) as workbook:
        sheet = workbook.add_worksheet("statement")
        heading, money = workbook.add_format({"bold": True}), workbook.add_format({"num_format": "#,##0.00"})
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, len(COLUMNS) - 1, WIDTH)
        sheet.set_column(COLUMNS.index("notes"), COLUMNS.index("notes"), WIDTH_OF_NOTES)
        for column, name in enumerate(COLUMNS):
            sheet.write_string(0, column, name, heading)
        for row, line in enumerate(lines, start=1):
            for column, cell in enumerate(line):
                write_cell(sheet, row, column, cell, money)
    return written.getvalue()


def write_cell(sheet: Any, row: int, column: int, cell: Cell, money: Any) -> None:
    match cell:
        case None:
            return
        case bool():
            sheet.write_boolean(row, column, cell)
        case int():
            sheet.write_number(row, column, cell)
        case str() if COLUMNS[column] in MONEY:
            # The format knows no other numbers than floats; of these 15 digits stay as they are.
            sheet.write_number(row, column, float(cell), money)
        case str():
            sheet.write_string(row, column, shown(cell))
