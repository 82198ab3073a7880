"""Tickets as they are cancelled: by their id, or by the key of their sale."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from aiohttp import web

from api.context import RequestContext
from api.fingerprints import fingerprint_of
from api.keys import CACHE, CANCELLER
from api.models.tickets import CancelBySaleKeyIn, CancelOut, TicketOut
from api.operations import Key
from api.problems import ProblemError
from api.routes.ticket_sales import SIGNED, actor_of
from api.routes.tickets import ticket_not_found
from api.ticket_answers import json_response, problem_of_refusal, problem_of_trouble, ticket_document
from api.validation import validation_failed
from core.domain.calendar import format_instant
from core.domain.permissions import Permission
from core.domain.violations import Violation
from core.till.cancels import CancelAnswer, Cancelled, CancelledUnsold, CancelRequest
from core.till.operations import TicketNotFound
from core.till.refusals import Refused
from core.till.sales import TROUBLE


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
    request = CancelRequest(
        actor_of(context),
        context.idempotency_key or "",
        fingerprint_of(path, {} if sale_key is None else {"saleKey": sale_key}),
        context.request_id,
        ticket_id,
        sale_key,
    )
    try:
        answer = await context.app[CANCELLER].cancel(request)
    except TROUBLE as error:
        raise ProblemError(problem_of_trouble(error)) from error
    if isinstance(answer, Cancelled):
        await context.app[CACHE].until_hidden(context.banca_id, [answer.record.vendedor_id])
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


CANCELLING = partial(
    SIGNED,
    method="POST",
    permission=Permission.TICKETS_CANCEL,
    key=Key.REQUIRED,
)
OPERATIONS = (
    CANCELLING(
        path="/api/v1/tickets/cancel",
        handler=cancel_by_sale_key,
        body=CancelBySaleKeyIn,
        responses={200: CancelOut},
    ),
    CANCELLING(path="/api/v1/tickets/{id}/cancel", handler=cancel_ticket, responses={200: TicketOut}),
)
