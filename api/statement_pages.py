"""Statements on paper (PDF): the table in a typewriter's letters, as many pages as it needs."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, zip_longest
from textwrap import wrap

from reportlab.lib.pagesizes import A3, landscape
from reportlab.pdfgen.canvas import Canvas

from api.statement_sheets import AMOUNTS, COLUMNS, MONEY, Cell, text_of

# Every PDF reader has it, and each of its letters is as wide as any other.
FONT, SIZE, LEADING = "Courier", 5.5, 6.5
LETTER_WIDTH = 0.6 * SIZE
MARGIN = 28.0
PAGE_WIDTH, PAGE_HEIGHT = landscape(A3)
LINES_PER_PAGE = int((PAGE_HEIGHT - 2 * MARGIN) / LEADING) - 2
# In letters; a longer text goes on below.
WIDTHS = {
    "kind": 8, "id": 46, "date": 10, "time": 5, "ventanaName": 16, "vendedorName": 16, **dict.fromkeys(AMOUNTS, 14),
    "ticketCount": 7, "isSettled": 7, "type": 10, "method": 8, "amount": 14, "notes": 26, "isReversed": 8,
}  # fmt: skip
# The font's letters; others are shown as "?".
ENCODING = "cp1252"
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f]")

Row = list[tuple[str, ...]]


def pages_of(lines: Iterable[Sequence[Cell]], *, title: str) -> bytes:
    written = io.BytesIO()
    canvas = Canvas(written, pagesize=(PAGE_WIDTH, PAGE_HEIGHT), pageCompression=1)
    canvas.setTitle(title)
    heading = broken([re.sub("([A-Z])", r" \1", name) for name in COLUMNS])
    for number, rows in enumerate(pages(map(broken, lines), lines_max=LINES_PER_PAGE - len(heading)), start=1):
        draw_page(canvas, chain(heading, rows), footer=f"{title}   {number}")
    canvas.save()
    return written.getvalue()


def broken(line: Sequence[Cell]) -> Row:
    """The lines of print that the line of the table needs: a text for each column."""
    cells = [fitted(printable(text_of(cell)), WIDTHS[name]) for name, cell in zip(COLUMNS, line, strict=True)]
    return list(zip_longest(*cells, fillvalue=""))


def fitted(text: str, width: int) -> list[str]:
    return [text] if len(text) <= width else wrap(text, width, break_on_hyphens=False)


def printable(text: str) -> str:
    return UNPRINTABLE.sub(" ", text.encode(ENCODING, "replace").decode(ENCODING))


def pages(rows: Iterable[Row], *, lines_max: int) -> Iterator[Row]:
    """The lines of print of each page; a row stays together. At least one page."""
    page: Row = []
    for row in rows:
        if len(page) + len(row) > lines_max:
            yield page
            page = []
        page += row
    yield page


def draw_page(canvas: Canvas, rows: Iterable[Sequence[str]], *, footer: str) -> None:
    text = canvas.beginText(MARGIN, PAGE_HEIGHT - MARGIN)
    text.setFont(FONT, SIZE, LEADING)
    for row in rows:
        text.textLine(" ".join(map(placed, COLUMNS, row)).rstrip())
    canvas.drawText(text)
    canvas.setFont(FONT, SIZE)
    canvas.drawString(MARGIN, MARGIN / 2, footer)
    canvas.showPage()


def placed(name: str, text: str) -> str:
    """In its column: amounts at the right."""
    return text.rjust(WIDTHS[name]) if name in MONEY else text.ljust(WIDTHS[name])
