"""What the evaluated draws of some days came to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import accumulate
from uuid import UUID

import asyncpg

from api.context import RequestContext
from api.keys import DATABASE
from api.models.results import EvaluatedSorteo, EvaluatedSummary, MultiplierSummary, SummaryQuery, SummaryTotals
from api.operations import Operation
from api.validation import validation_failed
from core.domain.calendar import costa_rica_date
from core.domain.numbers import format_number
from core.domain.permissions import Permission, Scope
from core.domain.rulebook import JugadaType
from core.domain.violations import Violation
from core.queries import sql

DAYS_MAX = 31
NOBODY = UUID(int=0)


async def evaluated_summary(context: RequestContext, query: SummaryQuery) -> EvaluatedSummary:
    """What the evaluated draws of some days came to, the latest first.

    For a seller its own tickets, for a VENTANA its own, for the others the whole banca's.
    """
    first, last = days_of(query)
    seller, ventana = whose(context, query.vendedor_id, query.ventana_id)
    async with context.app[DATABASE].tenant(context.banca_id) as connection:
        rows = await connection.fetch(
            sql("results/evaluated_summary"),
            context.banca_id,
            first,
            last,
            query.loteria_id,
            query.is_active,
            seller,
            ventana,
        )
    by_draw = [multiplier_summaries(row) for row in rows]
    accumulated = accumulate(sum(line.subtotal for line in lines) for lines in by_draw)
    draws = [
        evaluated_sorteo(row, lines, index=index, accumulated=total, summary_only=query.summary_only)
        for index, (row, lines, total) in enumerate(zip(rows, by_draw, accumulated, strict=True), start=1)
    ]
    return EvaluatedSummary(data=draws[::-1], meta=totals_of(draws, first, last))


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


def evaluated_sorteo(
    row: asyncpg.Record, lines: Sequence[MultiplierSummary], *, index: int, accumulated: int, summary_only: bool
) -> EvaluatedSorteo:
    commission = {kind: sum(line.total_commission for line in lines if line.type is kind) for kind in JugadaType}
    return EvaluatedSorteo(
        sorteo_id=row["id"],
        loteria_id=row["loteria_id"],
        loteria_name=row["loteria_name"],
        name=row["name"],
        is_active=row["is_active"],
        scheduled_at=row["scheduled_at"],
        business_date=row["business_date"],
        winning_number=format_number(row["winning_number"], row["digits"]),
        is_reventado=row["extra_multiplier_id"] is not None,
        extra_outcome_code=row["extra_outcome_code"],
        settled_at=row["settled_at"],
        total_sales=sum(line.total_sales for line in lines),
        total_commission=sum(commission.values()),
        commission_by_number=commission[JugadaType.NUMERO],
        commission_by_reventado=commission[JugadaType.REVENTADO],
        total_prizes=sum(line.total_prizes for line in lines),
        subtotal=sum(line.subtotal for line in lines),
        accumulated=accumulated,
        ticket_count=row["tickets"],
        winning_tickets_count=row["winners"],
        paid_tickets_count=row["paid"],
        unpaid_tickets_count=row["winners"] - row["paid"],
        chronological_index=index,
        by_multiplier=None if summary_only else list(lines),
    )


def totals_of(draws: Sequence[EvaluatedSorteo], first: date, last: date) -> SummaryTotals:
    return SummaryTotals(
        from_date=first,
        to_date=last,
        count=len(draws),
        total_sales=sum(draw.total_sales for draw in draws),
        total_commission=sum(draw.total_commission for draw in draws),
        total_prizes=sum(draw.total_prizes for draw in draws),
        subtotal=sum(draw.subtotal for draw in draws),
    )


READING = partial(Operation, method="GET", permission=Permission.RESULTS_READ, tags=("results",))
OPERATIONS = (
    READING(
        path="/api/v1/sorteos/evaluated-summary",
        handler=evaluated_summary,
        query=SummaryQuery,
        responses={200: EvaluatedSummary},
    ),
)
