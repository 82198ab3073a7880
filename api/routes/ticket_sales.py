"""Tickets as they are sold: one, or a batch of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from api.context import RequestContext
from api.keys import COUNTER
from api.models.tickets import (
    TICKETS_PER_BATCH_MAX,
    BatchTicketIn,
    TicketBatchIn,
    TicketBatchOut,
    TicketIn,
    TicketOut,
)
from api.operations import Key, Operation
from api.problems import Problem, ProblemError, problem_document
from api.routes.tickets import TAGS
from api.ticket_answers import json_response, problem_of_refusal, problem_of_trouble, ticket_document
from api.validation import validation_failed, violations_of
from core.domain.permissions import Permission
from core.domain.violations import Violation
from core.till.order import Actor
from core.till.refusals import Refused
from core.till.sales import SaleAnswer, SaleRequest, Sold


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
        responses={201: TicketOut},
        problems=(403, 404, 409, 422, 503),
        key=Key.REQUIRED,
    ),
    SIGNED(
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
    ),
)
