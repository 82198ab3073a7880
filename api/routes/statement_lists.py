"""Who has statements, and how months ended."""

from __future__ import annotations

from datetime import date
from functools import partial

import asyncpg

from api.context import RequestContext
from api.keys import DATABASE
from api.models.statement_lists import (
    HistoricalEntities,
    HistoricalEntity,
    MonthlyClosing,
    MonthlyClosings,
    MonthlyClosingsMeta,
    MonthlyClosingsQuery,
)
from api.models.statements import DimensionName
from api.operations import Operation
from api.problems import refuse
from api.routes.results import whose
from api.statement_targets import target_of
from core.domain.permissions import Permission
from core.queries import sql


async def list_historical_entities(context: RequestContext) -> HistoricalEntities:
    """The sellers and ventanas that have statements, those that sell no more among them.

    For a seller itself, for a VENTANA itself and its sellers, for the others the whole banca's.
    """
    seller, ventana = whose(context, None, None)
    async with context.readings.tenant(context.banca_id) as connection:
        rows = await connection.fetch(sql("statements/historical_entities"), context.banca_id, seller, ventana)
    listed = [HistoricalEntity(**{**row, "dimension": DimensionName(row["dimension"].lower())}) for row in rows]
    return HistoricalEntities(data=listed)


async def list_monthly_closings(context: RequestContext, query: MonthlyClosingsQuery) -> MonthlyClosings:
    """How a month ended: what was owed when it began, what happened, and what was owed when it ended."""
    target, month = target_of(context, query), date.fromisoformat(f"{query.month}-01")
    async with context.app[DATABASE].tenant(context.banca_id) as connection:
        rows = await connection.fetch(
            sql("statements/monthly_closings"),
            context.banca_id,
            month,
            target.dimension.value,
            target.entity_id,
            target.ventana_id,
        )
    if not rows:
        raise refuse(404, "CLOSING_NOT_FOUND", "This month is not closed, or not for whom you ask.")
    meta = MonthlyClosingsMeta(
        month=query.month,
        dimension=DimensionName(target.dimension.lower()),
        count=len(rows),
        opening_balance=sum(row["opening_cents"] for row in rows),
        movement=sum(row["movement_cents"] for row in rows),
        closing_balance=sum(row["closing_cents"] for row in rows),
    )
    return MonthlyClosings(data=[closing_of(row) for row in rows], meta=meta)


def closing_of(row: asyncpg.Record) -> MonthlyClosing:
    return MonthlyClosing(
        entity_id=row["entity_id"],
        name=row["name"],
        code=row["code"],
        opening_balance=row["opening_cents"],
        total_sales=row["sales_cents"],
        total_payouts=row["payouts_cents"],
        total_commission=row["commission_cents"],
        total_corrections=row["corrections_cents"],
        total_paid=row["paid_cents"],
        total_collected=row["collected_cents"],
        movement=row["movement_cents"],
        reset_amount=row["reset_cents"],
        closing_balance=row["closing_cents"],
        ticket_count=row["ticket_count"],
        closed_at=row["closed_at"],
        updated_at=row["updated_at"],
    )


READING = partial(Operation, method="GET", permission=Permission.STATEMENTS_READ, tags=("accounts",))
OPERATIONS = (
    READING(
        path="/api/v1/accounts/historical-entities",
        handler=list_historical_entities,
        responses={200: HistoricalEntities},
        may_lag=True,
    ),
    READING(
        path="/api/v1/accounts/monthly-closings",
        handler=list_monthly_closings,
        query=MonthlyClosingsQuery,
        responses={200: MonthlyClosings},
    ),
)
