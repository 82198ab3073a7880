"""Cancelling a ticket, by its id or by the key of its sale: once, before the cutoff, by its seller."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from core.database import Database, DatabaseUnavailableError
from core.domain.cutoffs import cutoff_in_force
from core.domain.rulebook import Rulebook
from core.metrics import TILL_OUTCOMES
from core.rulebooks import RulebookStore
from core.till.caller import Caller
from core.till.order import Actor
from core.till.outcomes import Outcome, TicketPlace, Verdict
from core.till.records import TicketRecord, load_tickets
from core.till.refusals import Refused, refused_by_till, refused_for, violations_of
from core.till.sales import PriceKeepsChangingError
from core.till.till import PublishBalance

# STALE and RETRY each need one more look; more than a few in a row means that something else is wrong.
ROUNDS_MAX = 4


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """Exactly one of ticket_id and sale_key. fingerprint: of method, path and canonical body."""

    actor: Actor
    key: str
    fingerprint: bytes
    request_id: str
    ticket_id: UUID | None = None
    sale_key: str | None = None


@dataclass(frozen=True, slots=True)
class Cancelled:
    record: TicketRecord
    at: datetime
    replayed: bool


@dataclass(frozen=True, slots=True)
class CancelledUnsold:
    """No sale had come with that key; should it come now, it is refused."""

    sale_key: str
    at: datetime
    replayed: bool


@dataclass(frozen=True, slots=True)
class TicketNotFound:
    """Not there, or not this seller's: the caller is not told which."""


CancelAnswer = Cancelled | CancelledUnsold | TicketNotFound | Refused


class Canceller:
    def __init__(
        self,
        caller: Caller,
        *,
        database: Database,
        rulebooks: RulebookStore,
        publish_balance: PublishBalance,
    ) -> None:
        self._caller = caller
        self._database = database
        self._rulebooks = rulebooks
        self._publish_balance = publish_balance

    async def cancel(self, request: CancelRequest) -> CancelAnswer:
        """Raises DatabaseUnavailableError (nothing written), OutcomeUnknownError (resend the same key),
        PriceKeepsChangingError.
        """
        rulebook = await self._rulebooks.rulebook(request.actor.banca_id)
        for _ in range(ROUNDS_MAX):
            # A caller that hangs up cancels nothing of the call.
            row = await asyncio.shield(self._call(request, rulebook))
            if row["outcome"] == "STALE":
                rulebook = await self._rulebooks.reload(request.actor.banca_id, older_than=rulebook.version)
            elif row["outcome"] != "RETRY":
                return await self._answer(request, row)
        raise PriceKeepsChangingError

    async def _call(self, request: CancelRequest, rulebook: Rulebook) -> asyncpg.Record:
        actor = request.actor
        try:
            [row] = await self._caller.call(
                "tickets/cancel",
                actor.banca_id,
                actor.user_id,
                actor.session_id,
                actor.terminal_id,
                actor.key_version,
                request.key,
                request.fingerprint,
                request.ticket_id,
                request.sale_key,
                request.request_id,
                rulebook.version,
                _cutoff_s(rulebook, actor),
                None,
            )
        except asyncpg.PostgresError as error:
            raise DatabaseUnavailableError(f"{error.sqlstate}: {error}") from error
        return row

    async def _answer(self, request: CancelRequest, row: asyncpg.Record) -> CancelAnswer:
        replayed = row["outcome"] == "KNOWN"
        result = row["recorded"] if replayed else row["outcome"]
        TILL_OUTCOMES.labels(row["outcome"]).inc()
        match result:
            case "CANCELLED":
                return await self._cancelled(request, row, replayed=replayed)
            case "CANCELLED_UNSOLD":
                assert request.sale_key is not None
                return CancelledUnsold(request.sale_key, row["at"], replayed)
            case "TICKET_NOT_FOUND":
                return TicketNotFound()
            case "CANCEL_REFUSED":
                violations = violations_of(row["violations"])
                return refused_for(violations, recorded=True, replayed=replayed)
            case _:
                return refused_by_till(Outcome(Verdict(result), row["at"]))

    async def _cancelled(self, request: CancelRequest, row: asyncpg.Record, *, replayed: bool) -> Cancelled:
        place = TicketPlace(row["business_date"], row["sorteo_id"], row["sequence"])
        tickets = await load_tickets(self._database, request.actor.banca_id, [place])
        record, _ = tickets[place]
        if row["balance_cents"] is not None:
            self._publish_balance(
                request.actor.banca_id,
                record.vendedor_id,
                balance_cents=row["balance_cents"],
                version=row["balance_version"],
            )
        return Cancelled(record, row["at"], replayed)


def _cutoff_s(rulebook: Rulebook, actor: Actor) -> int:
    seller = rulebook.sellers.get(actor.user_id)
    # Who is no seller has no ticket to cancel; the function says so.
    return (
        rulebook.cutoff_minutes * 60
        if seller is None
        else cutoff_in_force(rulebook, seller, at=datetime.now(UTC)).seconds
    )
