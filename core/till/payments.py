"""Winners' prizes as they are handed out: paid, taken back, closed; each once per key, recorded with it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import asyncpg

from core.database import DatabaseUnavailableError
from core.metrics import TILL_OUTCOMES
from core.till.caller import Caller
from core.till.cancels import TicketNotFound
from core.till.order import Actor, earliest_day
from core.till.outcomes import Outcome, Verdict
from core.till.refusals import Refused, refused_by_till, refused_for, violations_of


class PaymentOperation(StrEnum):
    PAY = "PAY"
    REVERSE = "REVERSE"
    FINALIZE = "FINALIZE"


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """amount_cents, method, is_final: of PAY. notes: of REVERSE the reason. fingerprint: of method, path and body."""

    actor: Actor
    key: str
    fingerprint: bytes
    request_id: str
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
        # A caller that hangs up cancels nothing of the call.
        row = await asyncio.shield(self._call(request))
        replayed = row["outcome"] == "KNOWN"
        result = row["recorded"] if replayed else row["outcome"]
        TILL_OUTCOMES.labels(row["outcome"]).inc()
        match result:
            case "PAID" | "PAYMENT_REVERSED" | "PAYMENT_FINALIZED":
                return Settled(row["answer"], row["at"], replayed)
            case "TICKET_NOT_FOUND":
                return TicketNotFound()
            case "SORTEO_NOT_EVALUATED":
                return SORTEO_NOT_EVALUATED
            case "REFUSED":
                return refused_for(violations_of(row["violations"]), recorded=True, replayed=replayed)
            case _:
                return refused_by_till(Outcome(Verdict(result), row["at"]))

    async def _call(self, request: PaymentRequest) -> asyncpg.Record:
        actor = request.actor
        try:
            [row] = await self._caller.call(
                "tickets/pay",
                actor.banca_id,
                actor.user_id,
                actor.session_id,
                actor.terminal_id,
                actor.key_version,
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
        except asyncpg.PostgresError as error:
            raise DatabaseUnavailableError(f"{error.sqlstate}: {error}") from error
        return row
