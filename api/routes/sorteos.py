"""Draws, as sellers see them."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from api.context import RequestContext
from api.keys import DATABASE
from api.models.sorteos import SorteoAnswer, SorteoQuery
from api.operations import Operation
from api.pages import Page, cursor_instant, page_of
from api.problems import refuse
from core.domain.permissions import Permission
from core.queries import sql


async def list_sorteos(context: RequestContext, query: SorteoQuery) -> Page[SorteoAnswer]:
    """Draws, the latest first."""
    async with context.readings.tenant(context.banca_id) as connection:
        rows = await connection.fetch(
            sql("sorteos/list"),
            context.banca_id,
            query.status,
            query.loteria_id,
            query.date,
            *query.after(cursor_instant, UUID),
            query.page_size + 1,
            query.offset,
        )
    shown, meta = page_of(query, rows, keys=("scheduled_at", "id"))
    return Page[SorteoAnswer](data=[sorteo_answer(row) for row in shown], meta=meta)


async def get_sorteo(context: RequestContext) -> SorteoAnswer:
    """One draw."""
    async with context.app[DATABASE].tenant(context.banca_id) as connection:
        row = await connection.fetchrow(sql("sorteos/get"), context.banca_id, context.path_id("sorteoId"))
    if row is None:
        raise refuse(404, "SORTEO_NOT_FOUND", "There is no such sorteo.")
    return sorteo_answer(row)


def sorteo_answer(row: asyncpg.Record) -> SorteoAnswer:
    return SorteoAnswer(**dict(row))


TAGS = ("sorteos",)
OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/sorteos",
        handler=list_sorteos,
        permission=Permission.SORTEOS_READ,
        tags=TAGS,
        query=SorteoQuery,
        responses={200: Page[SorteoAnswer]},
        may_lag=True,
    ),
    Operation(
        method="GET",
        path="/api/v1/sorteos/{sorteoId}",
        handler=get_sorteo,
        permission=Permission.SORTEOS_READ,
        tags=TAGS,
        responses={200: SorteoAnswer, 304: None},
        tagged=True,
    ),
)
