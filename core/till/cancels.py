"""Cancelling a ticket, by its id or by the key of its sale: once, before the cutoff, by its seller."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID

import asyncpg

from core.database import Database, DatabaseUnavailableError, OutcomeUnknownError
from core.domain.cutoffs import Cutoff, cutoff_in_force
from core.domain.permissions import Role
from core.domain.rulebook import Rulebook
from core.domain.spans import ALWAYS
from core.metrics import TILL_OUTCOMES
from core.queries import sql
from core.rulebooks import RulebookStore
from core.till.caller import Caller
from core.till.order import Actor, earliest_day
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
        at = datetime.now(UTC)
        for _ in range(ROUNDS_MAX):
            vendedor_id = await self._vendedor_id(request)
            # A caller that hangs up cancels nothing of the call.
            row = await asyncio.shield(self._call(request, rulebook, vendedor_id, at))
            if row["outcome"] == "STALE":
                rulebook = await self._rulebooks.reload(request.actor.banca_id, older_than=rulebook.version)
                at = row["at"]
            elif row["outcome"] != "RETRY":
                return await self._answer(request, row)
        raise PriceKeepsChangingError

    async def _vendedor_id(self, request: CancelRequest) -> UUID | None:
        """Whose ticket it is: a seller's only if it is the seller's own. None: it is not known (yet)."""
        actor = request.actor
        if actor.role == Role.VENDEDOR:
            return actor.user_id
        async with self._database.tenant(actor.banca_id) as connection:
            vendedor_id: UUID | None = await connection.fetchval(
                sql("tickets/vendedor"),
                actor.banca_id,
                request.ticket_id,
                _sold_from(request),
                actor.user_id,
                request.sale_key,
            )
        return vendedor_id

    async def _call(
        self, request: CancelRequest, rulebook: Rulebook, vendedor_id: UUID | None, at: datetime
    ) -> asyncpg.Record:
        actor, cutoff = request.actor, _cutoff(rulebook, vendedor_id, at)
        try:
            [row] = await self._caller.call(
                "tickets/cancel",
                actor.banca_id,
                actor.user_id,
                vendedor_id,
                actor.session_id,
                actor.terminal_id,
                actor.key_version,
                request.key,
                request.fingerprint,
                request.ticket_id,
                _sold_from(request),
                request.sale_key,
                request.request_id,
                rulebook.version,
                cutoff.seconds,
                cutoff.span.start,
                cutoff.span.end,
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
        try:
            tickets = await load_tickets(self._database, request.actor.banca_id, [place])
        except DatabaseUnavailableError as error:
            # It is cancelled; to say that nothing was written would be a lie.
            raise OutcomeUnknownError(f"cancelled, but not read: {error}") from error
        record, _ = tickets[place]
        if row["balance_cents"] is not None:
            self._publish_balance(
                request.actor.banca_id,
                record.vendedor_id,
                balance_cents=row["balance_cents"],
                version=row["balance_version"],
            )
        return Cancelled(record, row["at"], replayed)


def _sold_from(request: CancelRequest) -> date | None:
    return None if request.ticket_id is None else earliest_day(request.ticket_id)


def _cutoff(rulebook: Rulebook, vendedor_id: UUID | None, at: datetime) -> Cutoff:
    seller = None if vendedor_id is None else rulebook.sellers.get(vendedor_id)
    if seller is None:
        # Of a ticket that we do not know; the function says STALE when there is one after all.
        return Cutoff(rulebook.cutoff_minutes, "BANCA", None, ALWAYS)
    return cutoff_in_force(rulebook, seller, at=at)
