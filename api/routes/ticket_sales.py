"""Tickets as they are sold: one, or a batch of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from aiohttp import web

from api.context import RequestContext
from api.keys import CACHE, COUNTER
from api.models.tickets import (
    TicketBatchIn,
    TicketBatchOut,
    TicketIn,
    TicketOut,
)
from api.operations import Key, Operation
from api.problems import Problem, ProblemError, problem_document
from api.routes.tickets import TAGS
from api.ticket_answers import json_response, problem_of_refusal, problem_of_trouble, ticket_document
from api.ticket_bodies import SentTicket, read_batch, read_ticket
from core.domain.permissions import Permission
from core.domain.ticket import TicketRequest
from core.slices import Pace
from core.till.order import Actor
from core.till.records import JUGADAS_PER_SLICE
from core.till.refusals import Refused
from core.till.sales import SaleAnswer, SaleRequest, Sold


async def sell_ticket(context: RequestContext, ticket: TicketRequest) -> web.StreamResponse:
    """Sell a ticket.

    All or nothing. The same key and content again give the same answer, with `Idempotent-Replayed: true`; the same
    key with other content is 422. Refusals that are recorded (sold out, no funds, closed) stand for their key.
    """
    request = SaleRequest(actor_of(context), context.idempotency_key or "", context.request_id, ticket)
    # Beside the sale, so that nothing is left to wait for afterwards.
    context.app[CACHE].hide(context.banca_id, [ticket.vendedor_id or context.principal.user_id])
    [answer] = await context.app[COUNTER].sell_all([request])
    if isinstance(answer, Sold):
        await context.app[CACHE].until_hidden(context.banca_id, [answer.record.vendedor_id])
        return json_response(ticket_document(answer.record), status=201, replayed=answer.replayed)
    raise ProblemError(problem_of_answer(answer))


async def sell_batch(context: RequestContext, sent: Sequence[SentTicket]) -> web.StreamResponse:
    """Sell up to 500 tickets.

    Each has its own key and its own result, in the order sent; one that is malformed or refused is that ticket's
    problem only. A key of the request itself is signed when it is sent, and not recorded.
    """
    actor = actor_of(context)
    requests = [
        SaleRequest(actor, one.key, f"{context.request_id}#{place}", one.ticket)
        for place, one in enumerate(sent, 1)
        if one.key is not None and one.ticket is not None
    ]
    sellers = {request.ticket.vendedor_id or actor.user_id for request in requests}
    context.app[CACHE].hide(context.banca_id, sellers)
    answers = iter(await context.app[COUNTER].sell_all(requests) if requests else [])
    await context.app[CACHE].until_hidden(context.banca_id, sellers)
    results = [next(answers) if one.ticket is not None else one.problem for one in sent]
    refuse_if_all_failed(results)
    documents, pace = [], Pace(JUGADAS_PER_SLICE)
    for one, result in zip(sent, results, strict=True):
        documents.append(result_document(one.key, result))
        await pace.did(1 if one.ticket is None else len(one.ticket.jugadas))
    return json_response({"results": documents})


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


# A terminal signs them, and a seller may send so many of them a second.
SIGNED = partial(Operation, tags=TAGS, signed=True, ticket_rate=True)
OPERATIONS = (
    SIGNED(
        method="POST",
        path="/api/v1/tickets",
        handler=sell_ticket,
        permission=Permission.TICKETS_SELL,
        body=TicketIn,
        read=read_ticket,
        responses={201: TicketOut},
        key=Key.REQUIRED,
    ),
    SIGNED(
        method="POST",
        path="/api/v1/tickets/batch",
        handler=sell_batch,
        permission=Permission.TICKETS_SELL,
        body=TicketBatchIn,
        read_in_steps=read_batch,
        responses={200: TicketBatchOut},
        key=Key.OPTIONAL,
        batch=True,
    ),
)
