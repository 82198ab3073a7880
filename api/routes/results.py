"""What the evaluated draws of some days came to."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg

from api.context import RequestContext
from api.models.results import (
    EvaluatedSorteo,
    EvaluatedSummary,
    MultiplierSummary,
    SummaryMovement,
    SummaryQuery,
    SummaryTotals,
)
from api.operations import Operation
from api.problems import refuse
from api.routes.limits import turn_to_sum
from api.seller_accounts import NO_ACCOUNT, SellerAccount, read_account
from api.statement_periods import month_of
from api.statement_targets import Target
from api.validation import validation_failed
from core.domain.calendar import costa_rica_date
from core.domain.numbers import format_number
from core.domain.permissions import Permission, Scope
from core.domain.rulebook import JugadaType
from core.domain.statement_events import EventType, StatementEvent, running
from core.domain.statements import Dimension
from core.domain.violations import Violation
from core.queries import sql

DAYS_MAX = 31
NOBODY = UUID(int=0)


async def evaluated_summary(context: RequestContext, query: SummaryQuery) -> EvaluatedSummary:
    """What the evaluated draws of some days came to, the latest first.

    For a seller its own tickets, for a VENTANA its own, for the others the whole banca's. Of one seller with all its draws
    `accumulated` is what it owed after each of them, and its movements are in the list.
    """
    if query.ignore_reset and context.scope is Scope.OWN:
        raise refuse(403, "FORBIDDEN", "A seller's statement begins where it was reset.")
    first, last = days_of(query)
    seller, ventana = whose(context, query.vendedor_id, query.ventana_id)
    filters = (query.loteria_id, query.is_active, seller, ventana)
    async with turn_of(context, query), context.readings.tenant(context.banca_id, is_snapshot=True) as connection:
        rows = await connection.fetch(
            sql("results/evaluated_summary"), context.banca_id, first, last, *filters, not query.summary_only
        )
        month = await connection.fetchrow(
            sql("results/evaluated_total"), context.banca_id, last.replace(day=1), month_of(last).last, *filters
        )
        account = NO_ACCOUNT
        if has_account(context, query) and seller is not None:
            account = await read_account(
                connection,
                context.banca_id,
                Target(Dimension.VENDEDOR, seller, ventana),
                first=first,
                last=last,
                uncut=query.ignore_reset,
            )
    assert month is not None, "a sum is one row"
    events = listed_events(rows, account, summary_only=query.summary_only)
    return EvaluatedSummary(
        data=events[::-1],
        meta=totals_of(rows, first, last),
        monthly_accumulated=SummaryTotals(
            from_date=last.replace(day=1),
            to_date=month_of(last).last,
            count=month["draws"],
            total_sales=month["sales"],
            total_commission=month["commission"],
            total_prizes=month["prizes"],
            subtotal=month["sales"] - month["commission"] - month["prizes"],
        ),
    )


def turn_of(context: RequestContext, query: SummaryQuery) -> AbstractAsyncContextManager[None]:
    """Only the lines are summed over all jugadas."""
    return nullcontext() if query.summary_only else turn_to_sum(context)


def has_account(context: RequestContext, query: SummaryQuery) -> bool:
    """Whether all draws of one seller are asked for; of a part of them no balance follows."""
    is_whole = query.loteria_id is None and query.is_active is None and query.ventana_id is None
    return is_whole and (context.scope is Scope.OWN or query.vendedor_id is not None)


def listed_events(
    rows: Sequence[asyncpg.Record], account: SellerAccount, *, summary_only: bool
) -> list[EvaluatedSorteo | SummaryMovement]:
    """The earliest first. Without an account the draws' subtotals add up from 0."""
    by_id = {str(row["id"]): row for row in rows}
    draws = [changed_by_draw(draw_id, row, account) for draw_id, row in by_id.items()]
    return [
        evaluated_sorteo(by_id[event.id], index=index, accumulated=balance, summary_only=summary_only)
        if event.type is EventType.SORTEO
        else summary_movement(event, index=index, accumulated=balance)
        for index, event, balance in running([*draws, *account.others], openings=account.openings)
    ]


def changed_by_draw(draw_id: str, row: asyncpg.Record, account: SellerAccount) -> StatementEvent:
    """Of a seller the commission that is its own counts, as in its statement; else the commission of any origin."""
    change = row["sales"] - row["commission"] - row["prizes"]
    if account is not NO_ACCOUNT:
        known = account.draws.get(draw_id)
        change = 0 if known is None else known.balance_cents
    return StatementEvent(draw_id, EventType.SORTEO, row["business_date"], row["scheduled_at"], change, {})


def summary_movement(event: StatementEvent, *, index: int, accumulated: int) -> SummaryMovement:
    return SummaryMovement(
        sorteo_id=event.id,
        type=event.type,
        scheduled_at=event.at,
        business_date=event.day,
        amount=event.members.get("amount"),
        method=event.members.get("method"),
        notes=event.members.get("notes"),
        is_reversed=event.members.get("isReversed"),
        balance=event.balance_cents,
        accumulated=accumulated,
        chronological_index=index,
    )


def days_of(query: SummaryQuery) -> tuple[date, date]:
    """Raises ProblemError VALIDATION_FAILED."""
    if query.date is not None:
        if query.from_date is not None or query.to_date is not None:
            raise validation_failed([Violation("FIELD_INVALID", "Send one day or two, not both.", "date")])
        return query.date, query.date
    if query.from_date is None and query.to_date is None:
        today = costa_rica_date(datetime.now(UTC))
        return today, today
    if query.from_date is None or query.to_date is None:
        missing = "fromDate" if query.from_date is None else "toDate"
        raise validation_failed([Violation("FIELD_REQUIRED", "Both ends of the days are needed.", missing)])
    if not timedelta() <= query.to_date - query.from_date < timedelta(days=DAYS_MAX):
        message = f"From fromDate to toDate are 1 to {DAYS_MAX} days."
        raise validation_failed([Violation("FIELD_OUT_OF_RANGE", message, "toDate")])
    return query.from_date, query.to_date


def whose(context: RequestContext, seller: UUID | None, ventana: UUID | None) -> tuple[UUID | None, UUID | None]:
    """The seller and the ventana whose tickets are meant, None for all; what is not the user's has none."""
    principal = context.principal
    match context.scope:
        case Scope.OWN:
            return (principal.user_id if seller in (None, principal.user_id) else NOBODY), ventana
        case Scope.VENTANA:
            return seller, (principal.ventana_id if ventana in (None, principal.ventana_id) else NOBODY)
        case Scope.BANCA | Scope.PLATFORM:
            return seller, ventana


def multiplier_summaries(row: asyncpg.Record) -> list[MultiplierSummary]:
    return [
        MultiplierSummary(
            type=JugadaType(kind),
            multiplier_id=multiplier,
            multiplier_name=name,
            multiplier_x=x,
            total_sales=sold,
            total_commission=commission,
            total_prizes=prizes,
            subtotal=sold - commission - prizes,
            ticket_count=tickets,
            winning_jugadas_count=winning,
        )
        for kind, multiplier, name, x, sold, commission, tickets, prizes, winning in row["lines"]
    ]


def evaluated_sorteo(row: asyncpg.Record, *, index: int, accumulated: int, summary_only: bool) -> EvaluatedSorteo:
    lines = multiplier_summaries(row)
    commission = {kind: sum(line.total_commission for line in lines if line.type is kind) for kind in JugadaType}
    return EvaluatedSorteo(
        **draw_members(row),
        is_active=row["is_active"],
        total_sales=row["sales"],
        total_commission=row["commission"],
        commission_by_number=None if summary_only else commission[JugadaType.NUMERO],
        commission_by_reventado=None if summary_only else commission[JugadaType.REVENTADO],
        total_prizes=row["prizes"],
        subtotal=row["sales"] - row["commission"] - row["prizes"],
        accumulated=accumulated,
        ticket_count=row["tickets"],
        winning_tickets_count=row["winners"],
        paid_tickets_count=row["paid"],
        unpaid_tickets_count=row["winners"] - row["paid"],
        chronological_index=index,
        by_multiplier=None if summary_only else lines,
    )


def draw_members(row: asyncpg.Record) -> dict[str, Any]:
    """Of api.models.results.EvaluatedDraw, and the outcome in words."""
    return {
        "sorteo_id": row["id"],
        "loteria_id": row["loteria_id"],
        "loteria_name": row["loteria_name"],
        "name": row["name"],
        "scheduled_at": row["scheduled_at"],
        "business_date": row["business_date"],
        "winning_number": format_number(row["winning_number"], row["digits"]),
        "is_reventado": row["extra_multiplier_id"] is not None,
        "extra_outcome_code": row["extra_outcome_code"],
        "settled_at": row["settled_at"],
    }


def totals_of(rows: Sequence[asyncpg.Record], first: date, last: date) -> SummaryTotals:
    sales, commission, prizes = (sum(row[name] for row in rows) for name in ("sales", "commission", "prizes"))
    return SummaryTotals(
        from_date=first,
        to_date=last,
        count=len(rows),
        total_sales=sales,
        total_commission=commission,
        total_prizes=prizes,
        subtotal=sales - commission - prizes,
    )


READING = partial(Operation, method="GET", permission=Permission.RESULTS_READ, tags=("results",), may_lag=True)
OPERATIONS = (
    READING(
        path="/api/v1/sorteos/evaluated-summary",
        handler=evaluated_summary,
        query=SummaryQuery,
        responses={200: EvaluatedSummary},
    ),
)
