"""Statements on paper (PDF), for people: a line for each day and its parts, what they come to, and the movements.

Lines of a typewriter's letters: a table with cells takes ten times as long, and other sellers wait for it.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import as_file, files
from itertools import chain, zip_longest
from textwrap import wrap
from typing import Any
from unicodedata import combining, normalize

from reportlab.lib.pagesizes import A4, landscape
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from api.statement_sheets import AMOUNTS, COLUMNS, Cell
from core.domain.text import shown

PAGE_WIDTH, PAGE_HEIGHT = landscape(A4)
MARGIN = 28.0
# IBM Plex Mono (OFL), embedded with the letters that are used: the fonts that every PDF reader has know no ₡. Each of its
# letters is 0.6 of its size wide.
PLAIN, BOLD = "IBMPlexMono-Regular", "IBMPlexMono-Bold"
TITLE_SIZE = 11.0
# Name → heading, and width in letters; a longer text goes on below.
PRINTED: Mapping[str, tuple[str, int]] = {
    "date": ("Date", 10), "what": ("", 30), "openingBalance": ("Opening", 14), "totalSales": ("Sales", 14),
    "totalPayouts": ("Prizes", 14), "listeroCommission": ("Listero", 14), "vendedorCommission": ("Seller", 14),
    "totalCorrections": ("Corrections", 14), "totalPaid": ("Paid", 14), "totalCollected": ("Collected", 14),
    "remainingBalance": ("Balance", 14), "ticketCount": ("Tickets", 7), "isSettled": ("Settled", 7),
}  # fmt: skip
TEXTS = ("date", "what")
WIDTH = sum(width for _, width in PRINTED.values()) + len(PRINTED) - 1
SIZE = (PAGE_WIDTH - 2 * MARGIN) / (0.6 * WIDTH)
LEADING = 1.3 * SIZE
# Above the table's lines: the title, the period, and a blank below each.
LINES_PER_PAGE = int((PAGE_HEIGHT - 2 * MARGIN) / LEADING) - 6
# Always told; of the others, what is nothing is left blank.
BALANCES = ("openingBalance", "remainingBalance")
# A movement's amount stands where the day counts it.
MOVED = {"payment": "totalPaid", "collection": "totalCollected"}
# In place of a letter that the font has not.
MISSING = "?"


@dataclass(frozen=True, slots=True)
class Heading:
    """title: whose statement it is. totals: as api.models.statements.StatementTotals has them."""

    title: str
    period: str
    totals: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: the lines of print that it needs."""

    prints: Sequence[str]
    font: str = PLAIN


def pages_of(lines: Iterable[Sequence[Cell]], heading: Heading) -> bytes:
    """lines: of api.statement_sheets.lines_of. One document at a time: the fonts are shared."""
    letters()
    written = io.BytesIO()
    canvas = Canvas(written, pagesize=(PAGE_WIDTH, PAGE_HEIGHT), pageCompression=1)
    canvas.setTitle(f"{printable(heading.title)}, {heading.period}")
    named = [dict(zip(COLUMNS, line, strict=True)) for line in lines]
    days = (printed(line) for line in named if line["kind"] != "movement")
    movements = (printed(line) for line in named if line["kind"] == "movement")
    beside = [row_of({"what": "Cash memos open", "remainingBalance": grouped(heading.totals["openCashMemos"])})]
    has_memos = heading.totals["openCashMemos"] != "0.00"
    rows = chain(days, [row_of(total_cells(heading.totals), BOLD)], beside if has_memos else [], movements)
    for number, page in enumerate(pages(rows, lines_max=LINES_PER_PAGE), start=1):
        draw_page(canvas, heading, page, number)
    canvas.save()
    return written.getvalue()


def printed(line: Mapping[str, Cell]) -> Row:
    match line["kind"]:
        case "movement":
            return row_of(movement_cells(line))
        case "day":
            names = [line[name] for name in ("vendedorName", "ventanaName") if line[name]]
            return row_of(day_cells(line, str(names[0]) if names else ""), BOLD)
        case kind:
            return row_of(day_cells(line, f"  {line[f'{kind}Name']}") | {"date": ""})


def day_cells(line: Mapping[str, Cell], what: str) -> dict[str, str]:
    amounts = {name: amount_of(name, str(line[name])) for name in AMOUNTS}
    settled = "yes" if line["isSettled"] else ""
    return {**amounts, "date": str(line["date"]), "what": what, "ticketCount": f"{line['ticketCount'] or ''}",
            "isSettled": settled}  # fmt: skip


def movement_cells(line: Mapping[str, Cell]) -> dict[str, str]:
    who = line["vendedorName"] or line["ventanaName"]
    told = [f"  {line['time'] or ''} {line['method']}".rstrip(), *([f"of {who}"] if who else [])]
    told += [str(line["notes"])] if line["notes"] else []
    told += ["taken back"] if line["isReversed"] else []
    return {"date": str(line["date"]), "what": ", ".join(told), MOVED[str(line["type"])]: grouped(str(line["amount"]))}


def total_cells(totals: Mapping[str, Any]) -> dict[str, str]:
    named = {
        "listeroCommission": "totalListeroCommission", "vendedorCommission": "totalVendedorCommission",
        "remainingBalance": "totalRemainingBalance",
    }  # fmt: skip
    amounts = {name: amount_of(name, totals[named.get(name, name)]) for name in PRINTED if name in AMOUNTS}
    return {**amounts, "date": "Total", "ticketCount": f"{totals['ticketCount'] or ''}"}


def amount_of(name: str, amount: str) -> str:
    return "" if amount == "0.00" and name not in BALANCES else grouped(amount)


def grouped(amount: str) -> str:
    """Thousands apart: -1,234.50 of -1234.50."""
    whole, _, hundredths = amount.removeprefix("-").partition(".")
    return f"{'-' * amount.startswith('-')}{int(whole):,}.{hundredths}"


def row_of(cells: Mapping[str, str], font: str = PLAIN) -> Row:
    broken = [fitted(printable(cells.get(name, "")), width) for name, (_, width) in PRINTED.items()]
    return Row([" ".join(map(placed, PRINTED, parts)).rstrip() for parts in zip_longest(*broken, fillvalue="")], font)


def fitted(text: str, width: int) -> list[str]:
    return [text] if len(text) <= width else wrap(text, width, break_on_hyphens=False, subsequent_indent="    ")


def placed(name: str, text: str) -> str:
    """In its column: figures at the right."""
    width = PRINTED[name][1]
    return text.ljust(width) if name in TEXTS else text.rjust(width)


def printable(text: str) -> str:
    """One line of letters that the font has, each as wide as the others."""
    if text.isascii() and text.isprintable():
        return text
    known = letters()
    return "".join(
        letter if letter in known else MISSING
        for letter in normalize("NFC", shown(text))
        # A mark that no letter was composed with would take a place of its own in the table and none in print.
        if not combining(letter)
    )


@lru_cache(maxsize=1)
def letters() -> frozenset[str]:
    """The letters that both fonts have; makes the fonts known to reportlab."""
    folder = files("fontpkg_ibm_plex_mono") / "files"
    known = []
    for name in (PLAIN, BOLD):
        with as_file(folder / f"{name}.ttf") as path:
            font = TTFont(name, str(path))
        pdfmetrics.registerFont(font)
        known.append({chr(code) for code in font.face.charToGlyph if font.face.charWidths.get(code)})
    return frozenset.intersection(*map(frozenset, known))


def pages(rows: Iterable[Row], *, lines_max: int) -> Iterator[Sequence[Row]]:
    """The rows of each page; a row stays together."""
    page: list[Row] = []
    lines = 0
    for row in rows:
        if page and lines + len(row.prints) > lines_max:
            yield page
            page, lines = [], 0
        page.append(row)
        lines += len(row.prints)
    yield page


def draw_page(canvas: Canvas, heading: Heading, rows: Iterable[Row], number: int) -> None:
    text = canvas.beginText(MARGIN, PAGE_HEIGHT - MARGIN)
    text.setFont(BOLD, TITLE_SIZE, 1.4 * TITLE_SIZE)
    text.textLine(printable(heading.title))
    text.setFont(PLAIN, SIZE, 2 * LEADING)
    text.textLine(heading.period)
    columns = row_of({name: title for name, (title, _) in PRINTED.items()}, BOLD)
    for row in (columns, *rows):
        text.setFont(row.font, SIZE, LEADING)
        for line in row.prints:
            text.textLine(line)
    canvas.drawText(text)
    canvas.setFont(PLAIN, SIZE)
    canvas.drawRightString(PAGE_WIDTH - MARGIN, MARGIN / 2, str(number))
    canvas.showPage()
