"""Tickets as they are read: one by its id or its number, and lists."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import asyncpg
from aiohttp import web

from api.context import RequestContext
from api.keys import DATABASE
from api.models.tickets import ReadTicketOut, TicketPageOut, TicketsQuery
from api.operations import Operation
from api.problems import ProblemError, refuse
from api.routes.results import whose
from api.ticket_answers import json_response
from api.ticket_readings import read_document
from core.database import Database
from core.domain.permissions import Permission, Scope
from core.domain.ticket_number import TicketNumberError, parse_ticket_number
from core.queries import sql
from core.slices import Pace
from core.till.order import earliest_day
from core.till.outcomes import TicketPlace
from core.till.records import JUGADAS_PER_SLICE, TicketRecord, load_tickets
from core.till.standings import load_standings

TAGS = ("tickets",)
# A draw's ordinal is a smallint; a number with a greater one is no ticket's.
ORDINAL_MAX = 32_767
# Statuses that few tickets have are not looked for among all.
PAGES = {"CANCELLED": "tickets/page_withdrawn", "EXCLUDED": "tickets/page_withdrawn", "PAID": "tickets/page_paid"}


async def read_ticket(context: RequestContext) -> web.StreamResponse:
    """A ticket, by its id."""
    ticket_id = context.path_id("id")
    sold_on = earliest_day(ticket_id)
    if sold_on is None:
        raise ticket_not_found()
    return await found_ticket(context, "tickets/by_id", ticket_id, sold_on)


async def read_ticket_by_number(context: RequestContext) -> web.StreamResponse:
    """A ticket, by the number that is printed on it."""
    try:
        number = parse_ticket_number(context.request.match_info["number"])
    except TicketNumberError:
        raise refuse(
            400, "TICKET_NUMBER_INVALID", "This is no ticket number: it was misread, or comes from elsewhere."
        ) from None
    if number.ordinal > ORDINAL_MAX:
        raise ticket_not_found()
    return await found_ticket(context, "tickets/by_number", number.business_date, number.ordinal, number.sequence)


async def found_ticket(context: RequestContext, query: str, *arguments: Any) -> web.StreamResponse:
    database = context.app[DATABASE]
    async with database.tenant(context.banca_id) as connection:
        row = await connection.fetchrow(sql(query), context.banca_id, *arguments)
    tickets = await stored(context, database, [row] if row is not None else [])
    if not tickets:
        raise ticket_not_found()
    return json_response(tickets[0])


async def list_tickets(context: RequestContext, query: TicketsQuery) -> web.StreamResponse:
    """Tickets, newest first.

    `cursor` goes on where the page before ended; `page` counts from it.
    """
    database = context.readings
    seller, ventana = whose(context, query.vendedor_id, None)
    async with database.tenant(context.banca_id) as connection:
        rows = await connection.fetch(
            sql(PAGES.get(query.status or "", "tickets/page")),
            context.banca_id,
            seller,
            ventana,
            query.sorteo_id,
            query.status,
            query.date,
            query.cursor,
            (query.page - 1) * query.page_size,
            query.page_size + 1,
        )
    page = rows[: query.page_size]
    tickets = await stored(context, database, page)
    last = page[-1]["id"] if len(rows) > query.page_size else None
    return json_response(
        {
            "data": tickets,
            "meta": {"pageSize": query.page_size, "nextCursor": last},
        }
    )


async def stored(context: RequestContext, database: Database, rows: Sequence[asyncpg.Record]) -> list[dict[str, Any]]:
    """The tickets of these places that the user may see, as they are read, in the order of the places."""
    places = [TicketPlace(row["business_date"], row["sorteo_id"], row["sequence"]) for row in rows]
    tickets = await load_tickets(database, context.banca_id, places)
    seen = {place: tickets[place][0] for place in places if place in tickets and may_see(context, tickets[place][0])}
    standings = await load_standings(database, context.banca_id, seen)
    documents, pace = [], Pace(JUGADAS_PER_SLICE)
    for place, record in seen.items():
        documents.append(read_document(record, standings[place]))
        await pace.did(len(record.jugadas))
    return documents


def may_see(context: RequestContext, record: TicketRecord) -> bool:
    match context.scope:
        case Scope.OWN:
            return record.vendedor_id == context.principal.user_id
        case Scope.VENTANA:
            return record.ventana_id == context.principal.ventana_id
        case Scope.BANCA | Scope.PLATFORM:
            return True


def ticket_not_found() -> ProblemError:
    return refuse(404, "TICKET_NOT_FOUND", "There is no such ticket.")


READING = partial(Operation, method="GET", permission=Permission.TICKETS_READ, tags=TAGS)
OPERATIONS = (
    READING(
        path="/api/v1/tickets/by-number/{number}",
        handler=read_ticket_by_number,
        responses={200: ReadTicketOut},
    ),
    READING(path="/api/v1/tickets/{id}", handler=read_ticket, responses={200: ReadTicketOut}),
    READING(
        path="/api/v1/tickets", handler=list_tickets, query=TicketsQuery, responses={200: TicketPageOut}, may_lag=True
    ),
)
