"""Statements to take away, as files."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import assert_never

import asyncpg
from aiohttp import web

from api.context import RequestContext
from api.keys import EXPORT_TURNS
from api.models.statements import ExportFormat, ExportQuery, SortOrder
from api.movement_answers import movement_document
from api.operations import Operation
from api.problems import refuse
from api.statement_answers import day_documents, place_members, totals_document
from api.statement_pages import Heading, pages_of
from api.statement_periods import Period, period_of
from api.statement_readings import Reading, StoredDays, days_over, reading_of
from api.statement_sheets import csv_of, lines_of
from api.statement_targets import Target, statements_asked
from api.statement_workbooks import workbook_of
from api.turns import turn
from core.domain.permissions import Permission
from core.domain.statements import Dimension
from core.queries import sql

# How long a request waits until those before it have their files.
EXPORT_WAIT_S = 5.0
# What a file may hold: as many as are made in some seconds. A workbook of these takes 40 MB of the temporary files.
LINES_MAX: Mapping[ExportFormat, int] = MappingProxyType(
    {ExportFormat.CSV: 30_000, ExportFormat.EXCEL: 30_000, ExportFormat.PDF: 20_000}
)
# The content's type, and how the file's name ends.
KINDS: Mapping[ExportFormat, tuple[str, str]] = MappingProxyType(
    {
        ExportFormat.CSV: ("text/csv; charset=utf-8", "csv"),
        ExportFormat.EXCEL: ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
        ExportFormat.PDF: ("application/pdf", "pdf"),
    }
)


async def export_statement(context: RequestContext, query: ExportQuery) -> web.Response:
    """The days of a statement with all their movements, as CSV, XLSX or PDF; 10 times a minute.

    A line's `kind` says what it is: a day, a ventana's or a seller's part of it, or a movement.
    """
    target, period = statements_asked(context, query), period_of(query)
    busy = refuse(503, "EXPORT_BUSY", "Others' files are being made; ask again.", retry_after_s=1)
    async with turn(context.app[EXPORT_TURNS], wait_s=EXPORT_WAIT_S, busy=busy):
        stored, movements = await read_lines(context, query, target, period)
        # Of all sellers of a banca it takes a while; the others' requests go on meanwhile.
        content = await asyncio.to_thread(file_of, query, period, stored, movements)
    content_type, ending = KINDS[query.format]
    return web.Response(
        body=content,
        headers={
            "Content-Type": content_type,
            "Content-Disposition": f'attachment; filename="{title_of(target, period)}.{ending}"',
        },
    )


async def read_lines(
    context: RequestContext, query: ExportQuery, target: Target, period: Period
) -> tuple[StoredDays, Sequence[asyncpg.Record]]:
    async with context.readings.tenant(context.banca_id, is_snapshot=True) as connection:
        stored = await days_over(
            connection, context.banca_id, target, first=period.first, last=period.last, uncut=query.ignore_reset
        )
        movements = await connection.fetch(
            sql("statements/movements"),
            context.banca_id,
            target.dimension.value,
            list(stored.entities),
            period.first,
            period.last,
            query.ignore_reset,
            LINES_MAX[query.format] + 1,
        )
    return stored, movements


def file_of(query: ExportQuery, period: Period, stored: StoredDays, movements: Sequence[asyncpg.Record]) -> bytes:
    """Raises ProblemError STATEMENT_TOO_LARGE."""
    reading = reading_of(stored)
    days = day_documents(reading, first=period.first, last=period.last)
    listed = [
        {**movement_document(reading.banca.id, row["facts"]), **place_members(reading, row["entity_id"])}
        for row in movements
    ]
    if query.sort is SortOrder.DESC:
        days, listed = days[::-1], listed[::-1]
    lines = list(lines_of(days, listed))
    if len(lines) > LINES_MAX[query.format]:
        detail = f"A file of this format holds {LINES_MAX[query.format]} lines: ask for fewer days, or for one ventana."
        raise refuse(400, "STATEMENT_TOO_LARGE", detail)
    match query.format:
        case ExportFormat.CSV:
            return csv_of(lines, query.csv)
        case ExportFormat.EXCEL:
            return workbook_of(lines)
        case ExportFormat.PDF:
            return pages_of(lines, heading_of(reading, period))
        case _:
            assert_never(query.format)


def heading_of(reading: Reading, period: Period) -> Heading:
    target, banca = reading.target, reading.banca.name
    match target.dimension, target.entity_id:
        case Dimension.BANCA, _:
            whose = banca
        case Dimension.VENTANA, None:
            whose = f"all ventanas, {banca}"
        case _, None:
            # Of one ventana, where only its own were asked for.
            ventanas = {entity.ventana_name for entity in reading.entities.values()} if target.ventana_id else set()
            whose = ", ".join(["all sellers", *sorted(filter(None, ventanas)), banca])
        case _, entity_id:
            whose = f"{reading.entities[entity_id].name}, {banca}"
    totals = totals_document(reading, first=period.first, last=period.last)
    return Heading(f"Statement: {whose}", f"{period.first} to {period.last}", totals)


def title_of(target: Target, period: Period) -> str:
    return f"statement-{target.dimension.lower()}-{period.first}-{period.last}"


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/accounts/export",
        handler=export_statement,
        query=ExportQuery,
        permission=Permission.STATEMENTS_READ,
        tags=("accounts",),
        responses={200: None},
        export_rate=True,
        may_lag=True,
    ),
)
