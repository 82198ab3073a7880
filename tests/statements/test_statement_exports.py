"""Statements to take away: the same table as CSV and XLSX, what of it is printed (PDF), how large it may be, and how often it is made."""

from __future__ import annotations

import asyncio
import csv
import io
import re
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook
from pypdf import PdfReader

from api import statement_readings
from api.keys import EXPORT_TURNS, READINGS
from api.models.statements import CsvDialect, ExportFormat
from api.routes import statement_exports
from api.statement_pages import BOLD, PLAIN, PRINTED
from api.statement_sheets import AMOUNTS, COLUMNS, MONEY, cell_of, csv_of, line_of
from core.database import Database, create_pool
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.running_api import Answer, RunningApi, api_settings
from tests.statements.clerk import Clerk, days_ago
from tests.statements.office import Office
from tests.workers.pipeline import eventually

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
Line = dict[str, str]


@pytest.fixture
async def boss(api: RunningApi, arena: Arena) -> Clerk:
    return await Clerk.of(api, arena)


async def export(clerk: Clerk, query: str) -> Answer:
    answer = await clerk.send("GET", f"/export?{query}")
    assert answer.status == 200, answer.body
    return answer


def lines_of_csv(answer: Answer) -> list[Line]:
    assert answer.body.startswith(b"\xef\xbb\xbf"), "spreadsheets tell UTF-8 by it"
    return list(csv.DictReader(io.StringIO(answer.body.decode("utf-8-sig"), newline="")))


def lines_of_workbook(answer: Answer) -> list[Line]:
    [sheet] = load_workbook(io.BytesIO(answer.body), read_only=True).worksheets
    heading, *rows = sheet.iter_rows(values_only=True)
    assert heading == COLUMNS
    return [
        {name: text_of(name, value) for name, value in zip(COLUMNS, [*row, *[None] * len(COLUMNS)], strict=False)}
        for row in rows
    ]


def text_of(name: str, value: Any) -> str:
    """As the CSV has it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if name in MONEY:
        assert isinstance(value, int | float), "it can be summed"
        return f"{value:.2f}"
    return str(value)


def lines_of_pages(answer: Answer) -> list[Line]:
    """The lines of the table put together again, column by column; what went on below after a blank."""
    found: list[Line] = []
    for page in PdfReader(io.BytesIO(answer.body)).pages:
        for text in page.extract_text().splitlines()[3:-1]:
            cells, place = {}, 0
            for name, (_, width) in PRINTED.items():
                cells[name] = text[place : place + width].strip()
                place += width + 1
            if any(cells[name] for name in PRINTED if name != "what"):
                found.append(cells)
            else:
                found[-1]["what"] += f" {cells['what']}"
    return found


def on_paper(line: Line) -> Line:
    """Of a line of the table, what is printed of it."""
    amounts = {name: f"{Decimal(line[name] or 0):,.2f}" for name in AMOUNTS if name in PRINTED}
    if line["kind"] == "movement":
        told = [f"{line['time']} {line['method']}", f"of {line['vendedorName'] or line['ventanaName']}", line["notes"]]
        told += ["taken back"] if line["isReversed"] == "true" else []
        column = "totalPaid" if line["type"] == "payment" else "totalCollected"
        return dict.fromkeys(PRINTED, "") | {
            "date": line["date"],
            "what": ", ".join(filter(None, told)),
            column: f"{Decimal(line['amount']):,.2f}",
        }
    flows = {name: "" for name in amounts if name not in ("openingBalance", "remainingBalance")}
    is_day = line["kind"] == "day"
    return {
        **amounts,
        **{name: "" for name in flows if Decimal(line[name]) == 0},
        "date": line["date"] if is_day else "",
        "what": "" if is_day else line[f"{line['kind']}Name"],
        "ticketCount": line["ticketCount"].replace("0", "") if line["ticketCount"] == "0" else line["ticketCount"],
        "isSettled": "yes" if line["isSettled"] == "true" else "",
    }


async def test_a_statement_is_exported_with_its_movements(arena: Arena, boss: Clerk) -> None:
    await arena.owner.execute("UPDATE users SET name = '=Ana, \"the first\"' WHERE id = $1", arena.seller.id)
    await boss.moved("5.00", vendedorId=arena.seller.id, day=days_ago(2), notes="+1;\n2", type="payment")
    await boss.moved("1.00", vendedorId=arena.sellers[1].id, day=days_ago(1), type="payment")
    query = f"fromDate={days_ago(2)}&toDate={days_ago(1)}&sort=asc"
    answer = await export(boss, f"format=csv&dimension=vendedor&{query}")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert f'filename="statement-vendedor-{days_ago(2)}-{days_ago(1)}.csv"' in answer.headers["Content-Disposition"]
    lines = lines_of_csv(answer)
    assert [(line["kind"], line["date"], line["remainingBalance"] or line["amount"]) for line in lines] == [
        ("day", str(days_ago(2)), "5.00"), ("vendedor", str(days_ago(2)), "5.00"), ("day", str(days_ago(1)), "6.00"),
        ("vendedor", str(days_ago(1)), "5.00"), ("vendedor", str(days_ago(1)), "1.00"),
        ("movement", str(days_ago(2)), "5.00"), ("movement", str(days_ago(1)), "1.00"),
    ]  # fmt: skip
    # A spreadsheet must not take a name for a formula.
    assert (lines[1]["vendedorName"], lines[5]["notes"]) == ('\'=Ana, "the first"', "'+1; 2")
    own = await export(Clerk(boss.api, arena.seller), query)
    assert [line["kind"] for line in lines_of_csv(own)] == ["day", "day", "movement"]
    for clerk, asked, status, code in (
        (boss, "format=xml", 400, "VALIDATION_FAILED"),
        (boss, "csv=tab", 400, "VALIDATION_FAILED"),
        (boss, "format=excel&csv=semicolon", 400, "VALIDATION_FAILED"),
        (boss, f"vendedorId={uuid4()}", 404, "ENTITY_NOT_FOUND"),
        (Clerk(boss.api, arena.seller), "scope=all", 403, "FORBIDDEN"),
        (Clerk(boss.api, arena.seller), "ignoreReset=true&format=pdf", 403, "FORBIDDEN"),
    ):
        refused = await clerk.send("GET", f"/export?{asked}")
        assert (refused.status, refused.code) == (status, code), asked


FORMULA = tuple("=+-@＝＋－＠")
NUMBER = re.compile("-?[0-9]+([.,][0-9]+)?")


@pytest.mark.parametrize("begin", FORMULA)
def test_what_people_write_begins_no_formula_of_a_csv(begin: str) -> None:
    for before in ("", "pago;", "pago,", "pago|", "pago; ", 'pago;"', "\t", "\r", "\n"):
        cell = cell_of("notes", f"{before}{begin}1+1")
        assert cell.endswith(f"'{begin}1+1"), (before, cell)
        assert cell_of("notes", f"{before}a{begin}1+1").endswith(f"a{begin}1+1"), before
    assert cell_of("balance", "-500.00") == "-500.00"
    assert cell_of("balance", "-500.00", has_decimal_comma=True) == "-500,00"


@given(
    st.text(st.sampled_from([*FORMULA, *";,|\t \"'\n\r\x85\u2028a1"]), max_size=12),
    st.text(st.sampled_from([*FORMULA, *';,|\t "a']), max_size=6),
    st.sampled_from(CsvDialect),
)
def test_no_cell_is_a_formula_whatever_separates_cells(notes: str, name: str, dialect: CsvDialect) -> None:
    """However a reader takes the file apart, with quotes or without; an amount stays a number."""
    amounts = dict.fromkeys(MONEY, "-500.00")
    written = csv_of([line_of("movement", {**amounts, "notes": notes, "vendedorName": name})], dialect).decode()
    for separator in ",;|\t":
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
            for row in csv.reader(io.StringIO(written, newline=""), delimiter=separator, quoting=quoting):
                for cell in row:
                    begins_one = cell.lstrip(' "').startswith(FORMULA)
                    assert not begins_one or NUMBER.fullmatch(cell), (separator, cell)
    [_, line] = csv.reader(io.StringIO(written, newline=""), delimiter={"comma": ",", "semicolon": ";"}[dialect])
    assert len(line) == len(COLUMNS)
    assert line[COLUMNS.index("amount")] == {"comma": "-500.00", "semicolon": "-500,00"}[dialect]


async def test_a_spreadsheet_in_costa_rica_opens_columns_and_sums_them(arena: Arena, boss: Clerk) -> None:
    await boss.moved("1234.50", vendedorId=arena.seller.id, day=days_ago(1), notes="pago;=1+1;fin", type="payment")
    answer = await export(boss, f"csv=semicolon&vendedorId={arena.seller.id}&date={days_ago(1)}")
    assert answer.body.startswith(b"\xef\xbb\xbfkind;id;date;")
    [_, movement] = csv.DictReader(io.StringIO(answer.body.decode("utf-8-sig"), newline=""), delimiter=";")
    assert (movement["amount"], movement["notes"]) == ("1234,50", "pago;'=1+1;fin")
    sheet = load_workbook(io.BytesIO((await export(boss, f"format=excel&date={days_ago(1)}")).body)).worksheets[0]
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n", "b"}


async def test_every_format_holds_the_same_table(arena: Arena, boss: Clerk) -> None:
    await arena.owner.execute("UPDATE users SET name = '=SUM(A1:A9)' WHERE id = $1", arena.seller.id)
    await arena.owner.execute("UPDATE ventanas SET name = 'Peñas Blancas' WHERE id = $1", arena.ventana_id)
    notes = "http://example.test/?a=1 y “más” & <menos>; " + "una nota que no cabe en una línea " * 9
    await boss.moved("1234567.89", vendedorId=arena.seller.id, day=days_ago(3), notes=notes, type="payment")
    back = await boss.moved("0.01", vendedorId=arena.sellers[1].id, day=days_ago(2))
    await boss.moved("0.03", vendedorId=arena.sellers[1].id, day=days_ago(1))
    assert (await boss.reverse(back["id"])).status == 200
    query = f"dimension=vendedor&fromDate={days_ago(60)}&toDate={days_ago(0)}"
    answers = {kind: await export(boss, f"{query}&format={kind}") for kind in ExportFormat}
    expected = [
        {name: cell.removeprefix("'") for name, cell in line.items()}
        for line in lines_of_csv(answers[ExportFormat.CSV])
    ]
    assert len(expected) > 61
    assert any(line["remainingBalance"] == "-0.03" for line in expected)
    assert lines_of_workbook(answers[ExportFormat.EXCEL]) == expected
    pages = lines_of_pages(answers[ExportFormat.PDF])
    [total] = [line for line in pages if line["date"] == "Total"]
    # After the days, before the movements.
    assert pages.index(total) == len([line for line in expected if line["kind"] != "movement"])
    pages.remove(total)
    printed = [on_paper(line) for line in expected]
    for line in pages + printed:
        # Where a word is longer than a line it is broken.
        line["what"] = line["what"].replace(" ", "")
    assert pages == printed
    assert (total["totalPaid"], total["totalCollected"]) == ("1,234,567.89", "0.03")
    assert (total["openingBalance"], total["remainingBalance"]) == ("0.00", "1,234,567.86")
    [first, *_] = PdfReader(io.BytesIO(answers[ExportFormat.PDF].body)).pages
    told = first.extract_text().splitlines()[:2]
    banca = await arena.owner.fetchval("SELECT name FROM bancas WHERE id = $1", arena.banca_id)
    assert told == [f"Statement: all sellers, {banca}", f"{days_ago(60)} to {days_ago(0)}"]
    for asked, whose in (
        ("dimension=banca", banca),
        ("dimension=ventana", f"all ventanas, {banca}"),
        (f"dimension=vendedor&ventanaId={arena.ventana_id}", f"all sellers, Peñas Blancas, {banca}"),
        (f"vendedorId={arena.seller.id}", f"=SUM(A1:A9), {banca}"),
    ):
        [page, *_] = PdfReader(io.BytesIO((await export(boss, f"{asked}&format=pdf")).body)).pages
        assert page.extract_text().splitlines()[0] == f"Statement: {whose}"
    for kind, content_type, ending in (
        (ExportFormat.EXCEL, XLSX, "xlsx"),
        (ExportFormat.PDF, "application/pdf", "pdf"),
    ):
        assert answers[kind].headers["Content-Type"] == content_type
        assert (
            f'filename="statement-vendedor-{days_ago(60)}-{days_ago(0)}.{ending}"'
            in answers[kind].headers["Content-Disposition"]
        )


async def test_letters_that_a_format_has_not_are_shown_as_missing(arena: Arena, boss: Clerk) -> None:
    await boss.moved(vendedorId=arena.seller.id, day=days_ago(1), notes="@")
    # As it could be stored before such characters were refused.
    stored = "Žofie ₡5 🎲 \x01\ufffe.\nTotal\u202e e\u0301"
    async with arena.owner.transaction():
        await arena.owner.execute("SET LOCAL session_replication_role = replica")
        await arena.owner.execute("UPDATE movements SET notes = $1", stored)
    query = f"vendedorId={arena.seller.id}&date={days_ago(1)}"
    for kind, read in (("csv", lines_of_csv), ("excel", lines_of_workbook)):
        shown = read(await export(boss, f"{query}&format={kind}"))[-1]["notes"]
        assert shown == "Žofie ₡5 🎲 \ufffd\ufffd. Total\ufffd e\u0301"
    [*_, printed] = lines_of_pages(await export(boss, f"{query}&format=pdf"))
    assert printed["what"].endswith(", Žofie ₡5 ? ??. Total? é")


async def test_a_pdf_brings_its_letters_along(arena: Arena, boss: Clerk) -> None:
    """Also ₡, which none of the fonts has that a reader brings."""
    await boss.moved(vendedorId=arena.seller.id, day=days_ago(1), notes="₡ñÑáéíóúü¿¡€Žș–“”")
    answer = await export(boss, f"vendedorId={arena.seller.id}&date={days_ago(1)}&format=pdf")
    reader = PdfReader(io.BytesIO(answer.body))
    assert "₡ñÑáéíóúü¿¡€Žș–“”" in reader.pages[0].extract_text().replace("\n", "").replace(" ", "")
    resources: Any = reader.pages[0]["/Resources"]
    fonts = resources["/Font"].values()
    described = [font.get_object() for font in fonts if "/FontDescriptor" in font.get_object()]
    assert all("/FontFile2" in font["/FontDescriptor"].get_object() for font in described)
    assert {font["/BaseFont"].partition("+")[2] for font in described} == {PLAIN, BOLD}


async def test_nobody_has_a_file_of_nobody(boss: Clerk) -> None:
    """A ventana without sellers, days to come: an empty table in every format."""
    for kind, read in (("csv", lines_of_csv), ("excel", lines_of_workbook), ("pdf", lines_of_pages)):
        lines = read(await export(boss, f"format={kind}&date=2099-12-31&dimension=vendedor"))
        assert [line for line in lines if line["date"] != "Total"] == []


async def test_what_is_too_large_is_refused(arena: Arena, boss: Clerk, monkeypatch: pytest.MonkeyPatch) -> None:
    for days in (1, 2, 3):
        await boss.moved("1.00", vendedorId=arena.seller.id, day=days_ago(days))
    query = f"vendedorId={arena.seller.id}&fromDate={days_ago(3)}&toDate={days_ago(1)}"
    for most, status in ((6, 200), (5, 400), (2, 400)):
        monkeypatch.setattr(statement_exports, "LINES_MAX", dict.fromkeys(ExportFormat, most))
        for kind in ExportFormat:
            answer = await boss.send("GET", f"/export?{query}&format={kind}")
            assert (answer.status, answer.code) == (status, None if status == 200 else "STATEMENT_TOO_LARGE")
    monkeypatch.undo()
    sellers = len(arena.sellers)
    monkeypatch.setattr(statement_readings, "LISTED_DAYS_MAX", sellers * 31 - 1)
    for path in ("/statement?month=2026-01&dimension=vendedor", "/export?month=2026-01&dimension=vendedor"):
        assert (await boss.send("GET", path)).code == "STATEMENT_TOO_LARGE"
    assert (await boss.send("GET", "/statement?month=2026-02&dimension=vendedor")).status == 200
    assert (await boss.send("GET", "/balance/current?dimension=vendedor")).status == 200


async def test_a_file_is_of_one_instant(arena: Arena, boss: Clerk, office: Office) -> None:
    """What comes while it is read is in the day and among the movements, or in neither."""
    day, waiting = days_ago(1), "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'movements'::regclass"

    async def waits() -> bool:
        return bool(await arena.owner.fetchval(waiting))

    async with arena.owner.transaction():
        await arena.owner.execute("LOCK TABLE movements")
        exporting = asyncio.create_task(export(boss, f"vendedorId={arena.seller.id}&date={day}"))
        await eventually(waits)
        assert (await office.move(day, 500))["outcome"] == "REGISTERED"
    [line] = lines_of_csv(await exporting)
    assert (line["kind"], line["totalCollected"]) == ("day", "0.00")


async def test_files_are_made_one_after_the_other(
    api: RunningApi, boss: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statement_exports, "EXPORT_WAIT_S", 0.01)
    async with api.app[EXPORT_TURNS]:
        busy = await boss.send("GET", "/export")
    assert (busy.status, busy.code, busy.headers["Retry-After"]) == (503, "EXPORT_BUSY", "1")
    assert (await boss.send("GET", "/export")).status == 200


async def test_exports_are_limited(arena: Arena, database: TestDatabase) -> None:
    settings = api_settings(database_url=database.api_url, rate_limit_enabled=True)
    async with RunningApi(settings) as limited:
        clerk = await Clerk.of(limited, arena)
        answers = [await clerk.send("GET", f"/export?date={date(2026, 1, 15)}") for _ in range(11)]
        assert [answer.status for answer in answers] == [200] * 10 + [429]
        assert (answers[-1].code, int(answers[-1].headers["Retry-After"]) in range(1, 7)) == ("RATE_LIMITED", True)
        assert (await (await Clerk.of(limited, arena)).send("GET", "/export")).status == 200


class Gone:
    """A replica that nobody has noticed to be gone."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def caught_up(self) -> Database:
        return self._database


async def test_what_is_read_again_on_the_primary_counts_once(
    arena: Arena, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = api_settings(database_url=database.api_url, rate_limit_enabled=True)
    pool = await create_pool("postgresql://banca_api@127.0.0.1:1/banca", size=1, timeout_s=1, application_name="tests")
    async with RunningApi(settings) as limited:
        monkeypatch.setattr(limited.app[READINGS], "replica", Gone(Database(pool, acquire_timeout_s=1)))
        clerk = await Clerk.of(limited, arena)
        answers = [await clerk.send("GET", "/export") for _ in range(10)]
        assert [answer.status for answer in answers] == [200] * 10
    await pool.close()
