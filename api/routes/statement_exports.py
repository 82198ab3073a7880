"""Statements to take away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import asyncpg
from aiohttp import web

from api.context import RequestContext
from api.keys import EXPORT_BUCKETS
from api.models.statements import ExportFormat, ExportQuery, SortOrder
from api.movement_answers import movement_document
from api.operations import Operation
from api.problems import refuse
from api.statement_answers import day_documents, place_members
from api.statement_periods import Period, period_of
from api.statement_readings import Reading, days_over
from api.statement_sheets import sheet_of
from api.statement_targets import statements_asked
from core.domain.permissions import Permission
from core.queries import sql


async def export_statement(context: RequestContext, query: ExportQuery) -> web.Response:
    """The days of a statement with all their movements, as CSV; 10 times a minute.

    A line's `kind` says what it is: a day, a ventana's or a seller's part of it, or a movement.
    """
    buckets = context.app[EXPORT_BUCKETS]
    if buckets is not None:
        buckets.require(context.principal.user_id)
    if query.format is not ExportFormat.CSV:
        raise refuse(400, "FORMAT_UNAVAILABLE", "Statements are exported as CSV: format=csv.")
    target, period = statements_asked(context, query), period_of(query)
    async with context.readings.tenant(context.banca_id) as connection:
        reading = await days_over(
            connection, context.banca_id, target, first=period.first, last=period.last, uncut=query.ignore_reset
        )
        movements = await connection.fetch(
            sql("statements/movements"),
            context.banca_id,
            target.dimension.value,
            list(reading.entities),
            period.first,
            period.last,
            query.ignore_reset,
        )
    # Of all sellers of a banca it takes a while; the others' requests go on meanwhile.
    text = await asyncio.to_thread(sheet, query, period, reading, movements)
    name = f"statement-{target.dimension.lower()}-{period.first}-{period.last}.csv"
    return web.Response(
        text=text,
        content_type="text/csv",
        charset="utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def sheet(query: ExportQuery, period: Period, reading: Reading, movements: Sequence[asyncpg.Record]) -> str:
    days = day_documents(reading, first=period.first, last=period.last)
    listed = [
        {**movement_document(reading.banca.id, row["facts"]), **place_members(reading, row["entity_id"])}
        for row in movements
    ]
    if query.sort is SortOrder.DESC:
        days, listed = days[::-1], listed[::-1]
    return sheet_of(days, listed)


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/accounts/export",
        handler=export_statement,
        query=ExportQuery,
        permission=Permission.STATEMENTS_READ,
        tags=("accounts",),
        responses={200: None},
        problems=(403, 404, 429),
        may_lag=True,
    ),
)
