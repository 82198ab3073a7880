"""Statements: what each seller, ventana and banca owes, day by day."""

from __future__ import annotations

import asyncio
from functools import partial

from aiohttp import web

from api.conditional import tagged_response
from api.context import RequestContext
from api.keys import DATABASE
from api.models.statement_events import StatementBySorteoOut
from api.models.statements import CurrentBalanceOut, SortOrder, StatementOut, StatementQuery, TargetQuery
from api.operations import Operation
from api.problems import refuse
from api.statement_answers import day_documents, place_members, totals_document
from api.statement_events import correction_events, event_document, initial_event, read_events
from api.statement_periods import Period, period_of
from api.statement_readings import StoredDays, days_over, read_days, reading_of
from api.statement_targets import statements_asked, target_of
from api.ticket_answers import json_response
from core.domain.money import format_cents
from core.domain.permissions import Permission
from core.domain.statement_events import running
from core.domain.statements import summed
from core.queries import sql

# Kept, and asked about each time: a movement that was just booked must be seen, or it is booked again.
CACHE_CONTROL = "private, no-cache"


async def read_statement(context: RequestContext, query: StatementQuery) -> web.StreamResponse:
    """The days of a month, or others, of a seller, a ventana or the banca; or of several together, with each one's.

    A day on which nothing happened carries on what the day before left. Answered with a weak ETag.
    """
    target, period = statements_asked(context, query), period_of(query)
    first, last = min(period.first, period.month_first), period.month_last
    stored = await read_days(context, target, first=first, last=last, uncut=query.ignore_reset)
    # Of all sellers of a banca it takes a while; the others' requests go on meanwhile.
    return await asyncio.to_thread(statement_response, context.request, query, period, stored)


def statement_response(request: web.Request, query: StatementQuery, period: Period, stored: StoredDays) -> web.Response:
    reading = reading_of(stored)
    days = day_documents(reading, first=period.first, last=period.last)
    document = {
        "statements": days[::-1] if query.sort is SortOrder.DESC else days,
        "totals": totals_document(reading, first=period.first, last=period.last),
        "monthlyAccumulated": totals_document(reading, first=period.month_first, last=period.month_last),
        "meta": {
            "month": f"{period.last:%Y-%m}",
            "startDate": period.first,
            "endDate": period.last,
            "dimension": reading.target.dimension.lower(),
            "totalDays": len(days),
            "monthStartDate": period.month_first,
            "monthEndDate": period.month_last,
        },
    }
    return tagged_response(request, document, cache_control=CACHE_CONTROL)


async def read_statement_by_sorteo(context: RequestContext, query: TargetQuery) -> web.StreamResponse:
    """A day, draw by draw and movement by movement, with the balance that each left; the latest first."""
    day = context.path_date("date")
    target = target_of(context, query)
    # A movement that comes meanwhile is in the day and among its events, or in neither.
    async with context.app[DATABASE].tenant(context.banca_id, is_snapshot=True) as connection:
        stored = await days_over(connection, context.banca_id, target, first=day, last=day)
        entities = list(stored.entities)
        events = await read_events(connection, context.banca_id, target, entities, first=day, last=day)
    reading = await asyncio.to_thread(reading_of, stored)
    there = [each for days in reading.by_entity.values() for each in days]
    if not there and day > reading.today:
        raise refuse(400, "FUTURE_DATE", "This day is still to come in Costa Rica.")
    opening = sum(each.figures.opening_cents for each in there)
    events += correction_events(there)
    if day.day == 1:
        events.append(initial_event(day, opening, entity_id=target.entity_id))
    listed = list(running(events, openings={day: 0 if day.day == 1 else opening}))
    return json_response(
        {
            **place_members(reading, target.entity_id),
            "date": day,
            "dimension": target.dimension.lower(),
            "openingBalance": format_cents(opening),
            "closingBalance": format_cents(listed[-1][2] if listed else opening),
            "bySorteo": [event_document(*each) for each in reversed(listed)],
        }
    )


async def read_current_balance(context: RequestContext, query: TargetQuery) -> web.StreamResponse:
    """What a seller, a ventana, the banca, or several together owe now. Positive: they hold money of the bank's."""
    target = target_of(context, query)
    async with context.app[DATABASE].tenant(context.banca_id, is_snapshot=True) as connection:
        stored = await days_over(connection, context.banca_id, target, first=None, last=None)
        memos_cents = await connection.fetchval(
            sql("cash_memos/open"), context.banca_id, target.dimension.value, list(stored.entities)
        )
    reading = await asyncio.to_thread(reading_of, stored)
    figures = summed(each.figures for days in reading.by_entity.values() for each in days)
    return json_response(
        {
            **place_members(reading, target.entity_id),
            "dimension": target.dimension.lower(),
            "date": reading.today,
            "openingBalance": format_cents(figures.opening_cents),
            "balance": format_cents(figures.closing_cents),
            "openCashMemos": format_cents(memos_cents),
        }
    )


READING = partial(Operation, method="GET", permission=Permission.STATEMENTS_READ, tags=("accounts",))
OPERATIONS = (
    READING(
        path="/api/v1/accounts/statement",
        handler=read_statement,
        query=StatementQuery,
        responses={200: StatementOut, 304: None},
    ),
    READING(
        path="/api/v1/accounts/statement/{date}/bySorteo",
        handler=read_statement_by_sorteo,
        query=TargetQuery,
        responses={200: StatementBySorteoOut},
    ),
    READING(
        path="/api/v1/accounts/balance/current",
        handler=read_current_balance,
        query=TargetQuery,
        responses={200: CurrentBalanceOut},
    ),
)
