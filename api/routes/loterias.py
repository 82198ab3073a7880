"""Lotteries with their rules and multipliers."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg

from api.context import RequestContext
from api.keys import DATABASE
from api.models.loterias import LoteriaAnswer, LoteriaQuery, MultiplierAnswer
from api.operations import Operation
from api.pages import Page, cursor_text, page_of
from api.problems import ProblemError, refuse
from core.domain.permissions import Permission
from core.queries import sql


async def list_loterias(context: RequestContext, query: LoteriaQuery) -> Page[LoteriaAnswer]:
    """Lotteries by name, with their rules and active multipliers."""
    async with context.readings.tenant(context.banca_id) as connection:
        rows = await connection.fetch(
            sql("loterias/list"),
            context.banca_id,
            query.is_active,
            *query.after(cursor_text, UUID),
            query.page_size + 1,
            query.offset,
        )
    shown, meta = page_of(query, rows, keys=("name", "id"))
    return Page[LoteriaAnswer](data=[loteria_answer(row) for row in shown], meta=meta)


async def get_loteria(context: RequestContext) -> LoteriaAnswer:
    """One lottery."""
    async with context.app[DATABASE].tenant(context.banca_id) as connection:
        return await loteria(context, connection)


async def loteria(context: RequestContext, connection: Any) -> LoteriaAnswer:
    """The lottery of the path. Raises ProblemError LOTERIA_NOT_FOUND."""
    row = await connection.fetchrow(sql("loterias/get"), context.banca_id, context.path_id("loteriaId"))
    if row is None:
        raise no_loteria()
    return loteria_answer(row)


def no_loteria() -> ProblemError:
    return refuse(404, "LOTERIA_NOT_FOUND", "There is no such loteria.")


def loteria_answer(row: asyncpg.Record) -> LoteriaAnswer:
    return LoteriaAnswer(
        id=row["id"],
        name=row["name"],
        is_active=row["is_active"],
        rules_json=row["rules"],
        multipliers=[MultiplierAnswer(**multiplier) for multiplier in row["multipliers"]],
    )


TAGS = ("loterias",)
ONE = "/api/v1/loterias/{loteriaId}"
OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/loterias",
        handler=list_loterias,
        permission=Permission.LOTERIAS_READ,
        tags=TAGS,
        query=LoteriaQuery,
        responses={200: Page[LoteriaAnswer]},
        may_lag=True,
    ),
    Operation(
        method="GET",
        path=ONE,
        handler=get_loteria,
        permission=Permission.LOTERIAS_READ,
        tags=TAGS,
        responses={200: LoteriaAnswer, 304: None},
        tagged=True,
    ),
)
