"""Winners' prizes as they are handed out: paid, taken back, closed; each once per key, recorded with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from core.till.caller import Caller
from core.till.operations import OperationRequest, Reply, TicketNotFound, ask
from core.till.order import earliest_day
from core.till.refusals import Refused


class PaymentOperation(StrEnum):
    PAY = "PAY"
    REVERSE = "REVERSE"
    FINALIZE = "FINALIZE"


@dataclass(frozen=True, slots=True)
class PaymentRequest(OperationRequest):
    """amount_cents, method, is_final: of PAY. notes: of REVERSE the reason."""

    ticket_id: UUID
    operation: PaymentOperation
    amount_cents: int | None = None
    method: str | None = None
    notes: str | None = None
    is_final: bool | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """facts: the ticket's prize and the payment, as sql/functions/pay_ticket.sql recorded them."""

    facts: Mapping[str, Any]
    at: datetime
    replayed: bool


PaymentAnswer = Settled | TicketNotFound | Refused
SORTEO_NOT_EVALUATED = Refused(
    "SORTEO_NOT_EVALUATED", "This draw has no result that stands.", [], recorded=False, replayed=False
)


class Cashier:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def settle(self, request: PaymentRequest) -> PaymentAnswer:
        """Raises DatabaseUnavailableError (nothing written), OutcomeUnknownError (resend the same key)."""
        row = await ask(
            self._caller,
            "tickets/pay",
            request.actor.banca_id,
            request.actor.user_id,
            *request.session,
            request.key,
            request.fingerprint,
            request.ticket_id,
            earliest_day(request.ticket_id),
            request.request_id,
            request.operation.value,
            request.amount_cents,
            request.method,
            request.notes,
            request.is_final,
        )
        reply = Reply.of(row)
        match reply.result:
            case "PAID" | "PAYMENT_REVERSED" | "PAYMENT_FINALIZED":
                return Settled(row["answer"], row["at"], reply.replayed)
            case "SORTEO_NOT_EVALUATED":
                return SORTEO_NOT_EVALUATED
            case _:
                return reply.refusal()
