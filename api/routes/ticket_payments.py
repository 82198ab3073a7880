"""Winners as they are paid: in full, in parts, finally; and the last payment taken back."""

from __future__ import annotations

from functools import partial
from typing import Any

from aiohttp import web

from api.context import RequestContext
from api.fingerprints import fingerprint_of
from api.keys import AFTER_SALE
from api.models.payments import PaymentFinalizingIn, PaymentIn, PaymentReversalIn, SettledTicketOut
from api.operations import Key
from api.payment_answers import settled_document
from api.problems import ProblemError
from api.routes.ticket_sales import SIGNED, actor_of
from api.routes.tickets import ticket_not_found
from api.ticket_answers import json_response, problem_of_refusal, problem_of_trouble
from core.domain.permissions import Permission
from core.till.operations import TicketNotFound
from core.till.payments import PaymentOperation, PaymentRequest, Settled
from core.till.refusals import Refused
from core.till.sales import TROUBLE


async def pay_ticket(context: RequestContext, body: PaymentIn) -> web.StreamResponse:
    """Hand out a winner's prize, or a part of it.

    No balance moves: the prize was credited to the seller when the draw was evaluated. `isFinal` closes it, whatever is
    left.
    """
    return await settle(
        context,
        "pay",
        PaymentOperation.PAY,
        amount_cents=body.amount_paid,
        method=body.method.value,
        notes=body.notes or None,
        is_final=body.is_final,
    )


async def reverse_payment(context: RequestContext, body: PaymentReversalIn) -> web.StreamResponse:
    """Take the last payment that stands back. It is kept, and says so."""
    return await settle(context, "reverse-payment", PaymentOperation.REVERSE, notes=body.reason)


async def finalize_payment(context: RequestContext, body: PaymentFinalizingIn) -> web.StreamResponse:
    """Close a prize that was paid in part: the customer waives the rest."""
    return await settle(context, "finalize-payment", PaymentOperation.FINALIZE, notes=body.notes or None)


async def settle(
    context: RequestContext, action: str, operation: PaymentOperation, **members: Any
) -> web.StreamResponse:
    """members: of PaymentRequest, as they were understood; they name the request together with its address."""
    ticket_id = context.path_id("id")
    request = PaymentRequest(
        actor_of(context),
        context.idempotency_key or "",
        fingerprint_of(f"/tickets/{ticket_id}/{action}", members),
        context.request_id,
        ticket_id,
        operation,
        **members,
    )
    try:
        answer = await context.app[AFTER_SALE].cashier.settle(request)
    except TROUBLE as error:
        raise ProblemError(problem_of_trouble(error)) from error
    match answer:
        case Settled():
            return json_response(settled_document(answer.facts), replayed=answer.replayed)
        case TicketNotFound():
            raise ticket_not_found()
        case Refused():
            raise ProblemError(problem_of_refusal(answer))


PAYING = partial(
    SIGNED,
    method="POST",
    responses={200: SettledTicketOut},
    key=Key.REQUIRED,
)
OPERATIONS = (
    PAYING(
        path="/api/v1/tickets/{id}/pay",
        handler=pay_ticket,
        body=PaymentIn,
        permission=Permission.TICKETS_PAY,
    ),
    PAYING(
        path="/api/v1/tickets/{id}/reverse-payment",
        handler=reverse_payment,
        body=PaymentReversalIn,
        permission=Permission.PAYMENTS_REVERSE,
    ),
    PAYING(
        path="/api/v1/tickets/{id}/finalize-payment",
        handler=finalize_payment,
        body=PaymentFinalizingIn,
        permission=Permission.TICKETS_PAY,
    ),
)
