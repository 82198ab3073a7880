"""Selling, cancelling and reading tickets."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from aiohttp import web
from pydantic import ValidationError

from api.context import RequestContext
from api.keys import CANCELLER, COUNTER, DATABASE
from api.models.tickets import (
    TICKETS_PER_BATCH_MAX,
    BatchTicketIn,
    CancelBySaleKeyIn,
    CancelOut,
    TicketBatchIn,
    TicketBatchOut,
    TicketIn,
    TicketOut,
    TicketPageOut,
    TicketsQuery,
)
from api.operations import Key, Operation
from api.problems import Problem, ProblemError, problem_document, refuse
from api.ticket_answers import json_response, problem_of_refusal, problem_of_trouble, ticket_document
from api.validation import validation_failed, violations_of
from core.domain.calendar import format_instant
from core.domain.permissions import Permission, Scope
from core.domain.ticket_number import TicketNumberError, parse_ticket_number
from core.domain.violations import Violation
from core.queries import sql
from core.till.cancels import CancelAnswer, Cancelled, CancelledUnsold, CancelRequest, TicketNotFound
from core.till.order import Actor, earliest_day
from core.till.outcomes import TicketPlace
from core.till.records import TicketRecord, TicketState, load_tickets
from core.till.refusals import Refused
from core.till.sales import TROUBLE, SaleAnswer, SaleRequest, Sold

TAGS = ("tickets",)
# A draw's ordinal is a smallint; a number with a greater one is no ticket's.
ORDINAL_MAX = 32_767


async def sell_ticket(context: RequestContext, body: TicketIn) -> web.StreamResponse:
    """Sell a ticket.

    All or nothing. The same key and content again give the same answer, with `Idempotent-Replayed: true`; the same
    key with other content is 422. Refusals that are recorded (sold out, no funds, closed) stand for their key.
    """
    request = SaleRequest(actor_of(context), context.idempotency_key or "", context.request_id, body.to_request())
    [answer] = await context.app[COUNTER].sell_all([request])
    if isinstance(answer, Sold):
        return json_response(ticket_document(answer.record), status=201, replayed=answer.replayed)
    raise ProblemError(problem_of_answer(answer))


@dataclass(slots=True)
class BatchItem:
    """One ticket of a batch, from what was sent to what is answered; problem: it went no further."""

    key: str | None
    request: SaleRequest | None = None
    problem: Problem | None = None


async def sell_batch(context: RequestContext, body: dict[str, Any]) -> web.StreamResponse:
    """Sell up to 500 tickets.

    Each has its own key and its own result, in the order sent; one that is malformed or refused is that ticket's
    problem only. A key of the request itself is signed when it is sent, and not recorded.
    """
    items = [read_item(context, index, sent) for index, sent in enumerate(sent_tickets(body))]
    requests = [item.request for item in items if item.request is not None]
    answers = iter(await context.app[COUNTER].sell_all(requests) if requests else [])
    results = [next(answers) if item.request is not None else item.problem for item in items]
    refuse_if_all_failed(results)
    return json_response(
        {"results": [result_document(item.key, result) for item, result in zip(items, results, strict=True)]}
    )


def sent_tickets(body: dict[str, Any]) -> list[Any]:
    """The batch's own form; its tickets are looked at one by one."""
    tickets = body.get("tickets")
    violations = [Violation("FIELD_UNKNOWN", "No such member.", name) for name in body if name != "tickets"]
    if not isinstance(tickets, list):
        violations.append(Violation("FIELD_REQUIRED", "A list of tickets is required.", "tickets"))
    elif not 1 <= len(tickets) <= TICKETS_PER_BATCH_MAX:
        message = f"A batch has 1 to {TICKETS_PER_BATCH_MAX} tickets."
        violations.append(Violation("FIELD_LENGTH_INVALID", message, "tickets"))
    if violations or not isinstance(tickets, list):
        raise validation_failed(violations)
    return tickets


def read_item(context: RequestContext, index: int, sent: Any) -> BatchItem:
    sent_key = sent.get("idempotencyKey") if isinstance(sent, dict) else None
    # A JsonNumber is a str, and no key.
    item = BatchItem(sent_key if type(sent_key) is str else None)
    try:
        ticket = BatchTicketIn.model_validate(sent)
    except ValidationError as error:
        # The same fields as for a ticket alone; its place in the batch is the result's.
        item.problem = key_problem(item.key) or validation_failed(violations_of(error)).problem
    else:
        request_id = f"{context.request_id}#{index + 1}"
        item.request = SaleRequest(actor_of(context), ticket.idempotency_key, request_id, ticket.to_request())
    return item


def key_problem(key: str | None) -> Problem | None:
    if key is None:
        return Problem(400, "IDEMPOTENCY_KEY_REQUIRED", "Give each ticket an idempotencyKey.")
    if not (8 <= len(key) <= 100 and key.isascii() and all("!" <= character <= "~" for character in key)):
        return Problem(400, "IDEMPOTENCY_KEY_INVALID", "The idempotencyKey must be 8–100 visible ASCII characters.")
    return None


def refuse_if_all_failed(results: Sequence[SaleAnswer | BaseException | Problem | None]) -> None:
    """Trouble of ours that hit every ticket is the whole request's answer, with its Retry-After."""
    if all(isinstance(result, BaseException) for result in results):
        [first, *_] = results
        raise ProblemError(problem_of_answer(first))


def result_document(key: str | None, result: SaleAnswer | BaseException | Problem | None) -> dict[str, Any]:
    if isinstance(result, Sold):
        ticket = ticket_document(result.record)
        return {"idempotencyKey": key, "status": 201, "replayed": result.replayed, "ticket": ticket}
    problem = result if isinstance(result, Problem) else problem_of_answer(result)
    replayed = isinstance(result, Refused) and result.replayed
    document = problem_document(problem, instance=None)
    return {"idempotencyKey": key, "status": problem.status, "replayed": replayed, "problem": document}


def problem_of_answer(answer: SaleAnswer | BaseException | Problem | None) -> Problem:
    if isinstance(answer, Refused):
        return problem_of_refusal(answer)
    assert isinstance(answer, BaseException), "what was sold is no problem"
    return problem_of_trouble(answer)


async def cancel_ticket(context: RequestContext) -> web.StreamResponse:
    """Cancel a ticket of one's own, once, before the cutoff."""
    ticket_id = context.path_id("id")
    return await cancel(context, f"/tickets/{ticket_id}/cancel", ticket_id=ticket_id)


async def cancel_by_sale_key(context: RequestContext, body: CancelBySaleKeyIn) -> web.StreamResponse:
    """Cancel the ticket that was sold under a key.

    For a POS that never got the sale's answer. If the sale has not come, it is refused should it still come.
    """
    if body.sale_key == context.idempotency_key:
        message = "A cancel has a key of its own; this is the sale's."
        raise validation_failed([Violation("SALE_KEY_IS_OWN_KEY", message, "saleKey")])
    return await cancel(context, "/tickets/cancel", sale_key=body.sale_key)


async def cancel(
    context: RequestContext, path: str, *, ticket_id: UUID | None = None, sale_key: str | None = None
) -> web.StreamResponse:
    canonical = orjson.dumps(["POST", path, {} if sale_key is None else {"saleKey": sale_key}])
    request = CancelRequest(
        actor_of(context),
        context.idempotency_key or "",
        hashlib.sha256(canonical).digest(),
        context.request_id,
        ticket_id,
        sale_key,
    )
    try:
        answer = await context.app[CANCELLER].cancel(request)
    except TROUBLE as error:
        raise ProblemError(problem_of_trouble(error)) from error
    return cancel_response(answer)


def cancel_response(answer: CancelAnswer) -> web.StreamResponse:
    match answer:
        case Cancelled():
            return json_response(ticket_document(answer.record, cancelled_at=answer.at), replayed=answer.replayed)
        case CancelledUnsold():
            document = {
                "saleKey": answer.sale_key,
                "status": "CANCELLED_BEFORE_SALE",
                "cancelledAt": format_instant(answer.at),
            }
            return json_response(document, replayed=answer.replayed)
        case TicketNotFound():
            raise ticket_not_found()
        case Refused():
            raise ProblemError(problem_of_refusal(answer))


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
    async with context.app[DATABASE].tenant(context.banca_id) as connection:
        row = await connection.fetchrow(sql(query), context.banca_id, *arguments)
    tickets = await stored(context, [row] if row is not None else [])
    if not tickets:
        raise ticket_not_found()
    [(record, state)] = tickets
    return json_response(ticket_document(record, cancelled_at=state.cancelled_at))


async def list_tickets(context: RequestContext, query: TicketsQuery) -> web.StreamResponse:
    """Tickets, newest first.

    `cursor` goes on where the page before ended; `page` counts from it.
    """
    principal = context.principal
    async with context.app[DATABASE].tenant(context.banca_id) as connection:
        rows = await connection.fetch(
            sql("tickets/page"),
            context.banca_id,
            principal.user_id if context.scope is Scope.OWN else query.vendedor_id,
            principal.ventana_id if context.scope is Scope.VENTANA else None,
            query.sorteo_id,
            query.status,
            query.date,
            query.cursor,
            (query.page - 1) * query.page_size,
            query.page_size + 1,
        )
    page = rows[: query.page_size]
    tickets = await stored(context, page)
    last = page[-1]["id"] if len(rows) > query.page_size else None
    return json_response(
        {
            "data": [ticket_document(record, cancelled_at=state.cancelled_at) for record, state in tickets],
            "meta": {"pageSize": query.page_size, "nextCursor": last},
        }
    )


async def stored(context: RequestContext, rows: Sequence[asyncpg.Record]) -> list[tuple[TicketRecord, TicketState]]:
    """The tickets of these places that the user may see, in the order of the places."""
    places = [TicketPlace(row["business_date"], row["sorteo_id"], row["sequence"]) for row in rows]
    tickets = await load_tickets(context.app[DATABASE], context.banca_id, places)
    return [tickets[place] for place in places if place in tickets and may_see(context, tickets[place][0])]


def may_see(context: RequestContext, record: TicketRecord) -> bool:
    match context.scope:
        case Scope.OWN:
            return record.vendedor_id == context.principal.user_id
        case Scope.VENTANA:
            return record.ventana_id == context.principal.ventana_id
        case Scope.BANCA | Scope.PLATFORM:
            return True


def actor_of(context: RequestContext) -> Actor:
    principal, terminal = context.principal, context.terminal
    return Actor(
        context.banca_id,
        principal.user_id,
        principal.role.value,
        principal.session_id,
        terminal.terminal_id,
        terminal.key_version,
        principal.ventana_id,
    )


def ticket_not_found() -> ProblemError:
    return refuse(404, "TICKET_NOT_FOUND", "There is no such ticket.")


WRITES: Mapping[str, Any] = {"tags": TAGS, "signed": True, "ticket_rate": True}
OPERATIONS = (
    Operation(
        method="POST",
        path="/api/v1/tickets",
        handler=sell_ticket,
        permission=Permission.TICKETS_SELL,
        body=TicketIn,
        responses={201: TicketOut},
        problems=(403, 404, 409, 422, 503),
        key=Key.REQUIRED,
        **WRITES,
    ),
    Operation(
        method="POST",
        path="/api/v1/tickets/batch",
        handler=sell_batch,
        permission=Permission.TICKETS_SELL,
        body=TicketBatchIn,
        raw_body=True,
        responses={200: TicketBatchOut},
        problems=(403, 503),
        key=Key.OPTIONAL,
        batch=True,
        **WRITES,
    ),
    Operation(
        method="POST",
        path="/api/v1/tickets/cancel",
        handler=cancel_by_sale_key,
        permission=Permission.TICKETS_CANCEL,
        body=CancelBySaleKeyIn,
        responses={200: CancelOut},
        problems=(403, 404, 409, 422, 503),
        key=Key.REQUIRED,
        **WRITES,
    ),
    Operation(
        method="POST",
        path="/api/v1/tickets/{id}/cancel",
        handler=cancel_ticket,
        permission=Permission.TICKETS_CANCEL,
        responses={200: TicketOut},
        problems=(403, 404, 409, 422, 503),
        key=Key.REQUIRED,
        **WRITES,
    ),
    Operation(
        method="GET",
        path="/api/v1/tickets/by-number/{number}",
        handler=read_ticket_by_number,
        permission=Permission.TICKETS_READ,
        responses={200: TicketOut},
        problems=(404,),
        tags=TAGS,
    ),
    Operation(
        method="GET",
        path="/api/v1/tickets/{id}",
        handler=read_ticket,
        permission=Permission.TICKETS_READ,
        responses={200: TicketOut},
        problems=(404,),
        tags=TAGS,
    ),
    Operation(
        method="GET",
        path="/api/v1/tickets",
        handler=list_tickets,
        permission=Permission.TICKETS_READ,
        query=TicketsQuery,
        responses={200: TicketPageOut},
        tags=TAGS,
    ),
)
