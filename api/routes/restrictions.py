"""Restriction rules as those see them for whom they are: what may be sold of a number, until when, at which multiplier."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg

from api.context import RequestContext
from api.keys import DATABASE
from api.models.restrictions import RestrictionAnswer, RestrictionQuery
from api.operations import Operation
from api.pages import Page, cursor_instant, page_of
from api.problems import refuse
from api.rule_access import places_seen
from core.domain.permissions import Permission
from core.queries import sql


async def list_restrictions(context: RequestContext, query: RestrictionQuery) -> Page[RestrictionAnswer]:
    """Restriction rules, the newest first.

    A ventana sees its own, its sellers' and the banca's; a seller its own, its ventana's and the banca's.
    """
    async with context.readings.tenant(context.banca_id) as connection:
        rows = await connection.fetch(
            sql("restrictions/list"),
            context.banca_id,
            *places_seen(context),
            query.ventana_id,
            query.user_id,
            None if query.number is None else int(query.number),
            query.is_active,
            query.loteria_id,
            query.multiplier_id,
            query.kind,
            *query.after(cursor_instant, UUID),
            query.page_size + 1,
            query.offset,
        )
    shown, meta = page_of(query, rows, keys=("created_at", "id"))
    return Page[RestrictionAnswer](data=[restriction_answer(row) for row in shown], meta=meta)


async def get_restriction(context: RequestContext) -> RestrictionAnswer:
    """One restriction rule."""
    async with context.app[DATABASE].tenant(context.banca_id) as connection:
        return restriction_answer(await seen(context, connection))


async def seen(context: RequestContext, connection: Any) -> asyncpg.Record:
    """The rule of the path. Raises ProblemError RESTRICTION_NOT_FOUND, also when it is not for the user to see."""
    rule_id = context.path_id("restrictionId")
    row: asyncpg.Record | None = await connection.fetchrow(
        sql("restrictions/get"), context.banca_id, *places_seen(context), [rule_id]
    )
    if row is None:
        raise refuse(404, "RESTRICTION_NOT_FOUND", "There is no such restriction rule.")
    return row


def restriction_answer(row: asyncpg.Record) -> RestrictionAnswer:
    return RestrictionAnswer(**members(row))


def members(row: asyncpg.Record) -> dict[str, Any]:
    number = row["number"]
    return {**dict(row), "number": None if number is None else f"{number:02d}"}


TAGS = ("restrictions",)
ALL = "/api/v1/restrictions"
ONE = "/api/v1/restrictions/{restrictionId}"
OPERATIONS = (
    Operation(
        method="GET",
        path=ALL,
        handler=list_restrictions,
        permission=Permission.RESTRICTIONS_READ,
        tags=TAGS,
        query=RestrictionQuery,
        responses={200: Page[RestrictionAnswer]},
        may_lag=True,
    ),
    Operation(
        method="GET",
        path=ONE,
        handler=get_restriction,
        permission=Permission.RESTRICTIONS_READ,
        tags=TAGS,
        responses={200: RestrictionAnswer, 304: None},
        tagged=True,
    ),
)
