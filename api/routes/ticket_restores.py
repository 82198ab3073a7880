"""Tickets as their cancel is taken back."""

from __future__ import annotations

from aiohttp import web

from api.context import RequestContext
from api.fingerprints import fingerprint_of
from api.keys import AFTER_SALE, CACHE
from api.models.tickets import TicketOut
from api.operations import Key
from api.problems import ProblemError
from api.routes.ticket_sales import SIGNED, actor_of
from api.routes.tickets import ticket_not_found
from api.ticket_answers import json_response, problem_of_refusal, problem_of_trouble, ticket_document
from core.domain.permissions import Permission
from core.till.operations import TicketNotFound
from core.till.refusals import Refused
from core.till.restores import Restored, RestoreRequest
from core.till.sales import TROUBLE


async def restore_ticket(context: RequestContext) -> web.StreamResponse:
    """Take a ticket's cancel back.

    At the terms that it was sold at; cutoff, limits and funds are judged again, as they are now.
    """
    ticket_id = context.path_id("id")
    request = RestoreRequest(
        actor_of(context),
        context.idempotency_key or "",
        fingerprint_of(f"/tickets/{ticket_id}/restore", {}),
        context.request_id,
        ticket_id,
    )
    try:
        answer = await context.app[AFTER_SALE].restorer.restore(request)
    except TROUBLE as error:
        raise ProblemError(problem_of_trouble(error)) from error
    match answer:
        case Restored():
            await context.app[CACHE].until_hidden(context.banca_id, [answer.record.vendedor_id])
            return json_response(ticket_document(answer.record), replayed=answer.replayed)
        case TicketNotFound():
            raise ticket_not_found()
        case Refused():
            raise ProblemError(problem_of_refusal(answer))


OPERATIONS = (
    SIGNED(
        method="POST",
        path="/api/v1/tickets/{id}/restore",
        handler=restore_ticket,
        permission=Permission.TICKETS_RESTORE,
        responses={200: TicketOut},
        key=Key.REQUIRED,
    ),
)
