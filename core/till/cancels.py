"""Cancelling a ticket, by its id or by the key of its sale: once, before the cutoff, by its seller."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID

import asyncpg

from core.database import Database, DatabaseUnavailableError, OutcomeUnknownError
from core.domain.cutoffs import Cutoff, cutoff_in_force
from core.domain.permissions import Role
from core.domain.rulebook import Rulebook
from core.domain.spans import ALWAYS
from core.queries import sql
from core.rulebooks import RulebookStore
from core.till.caller import Caller
from core.till.operations import OperationRequest, Reply, TicketNotFound, ask
from core.till.order import earliest_day
from core.till.outcomes import TicketPlace
from core.till.records import TicketRecord, load_tickets
from core.till.refusals import Refused
from core.till.sales import PriceKeepsChangingError
from core.till.till import PublishBalance

# STALE and RETRY each need one more look; more than a few in a row means that something else is wrong.
ROUNDS_MAX = 4


@dataclass(frozen=True, slots=True)
class CancelRequest(OperationRequest):
    """Exactly one of ticket_id and sale_key."""

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
            row = await self._ask(request, rulebook, vendedor_id, at)
            if row["outcome"] == "STALE":
                rulebook = await self._rulebooks.reload(request.actor.banca_id, older_than=rulebook.version)
                at = row["at"]
            elif row["outcome"] != "RETRY":
                return await self._answer(request, Reply.of(row))
        raise PriceKeepsChangingError

    async def _vendedor_id(self, request: CancelRequest) -> UUID | None:
        """The seller of the ticket; None when it is not known (yet).

        A VENDEDOR cancels its own tickets, and by the key of their sale those that its terminal sold for another seller.
        """
        actor = request.actor
        own_id = actor.user_id if actor.role == Role.VENDEDOR else None
        if own_id is not None and request.sale_key is None:
            return own_id
        async with self._database.tenant(actor.banca_id) as connection:
            vendedor_id: UUID | None = await connection.fetchval(
                sql("tickets/vendedor"),
                actor.banca_id,
                request.ticket_id,
                _sold_from(request),
                actor.user_id,
                actor.terminal_id,
                request.sale_key,
            )
        return vendedor_id or own_id

    async def _ask(
        self, request: CancelRequest, rulebook: Rulebook, vendedor_id: UUID | None, at: datetime
    ) -> asyncpg.Record:
        cutoff = _cutoff(rulebook, vendedor_id, at)
        return await ask(
            self._caller,
            "tickets/cancel",
            request.actor.banca_id,
            request.actor.user_id,
            vendedor_id,
            *request.session,
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

    async def _answer(self, request: CancelRequest, reply: Reply) -> CancelAnswer:
        match reply.result:
            case "CANCELLED":
                return await self._cancelled(request, reply)
            case "CANCELLED_UNSOLD":
                assert request.sale_key is not None
                return CancelledUnsold(request.sale_key, reply.row["at"], reply.replayed)
            case _:
                return reply.refusal()

    async def _cancelled(self, request: CancelRequest, reply: Reply) -> Cancelled:
        row, banca_id = reply.row, request.actor.banca_id
        place = TicketPlace(row["business_date"], row["sorteo_id"], row["sequence"])
        try:
            tickets = await load_tickets(self._database, banca_id, [place])
        except DatabaseUnavailableError as error:
            # It is cancelled; to say that nothing was written would be a lie.
            raise OutcomeUnknownError(f"cancelled, but not read: {error}") from error
        record, _ = tickets[place]
        reply.publish(self._publish_balance, banca_id=banca_id, vendedor_id=record.vendedor_id)
        return Cancelled(record, row["at"], reply.replayed)


def _sold_from(request: CancelRequest) -> date | None:
    return None if request.ticket_id is None else earliest_day(request.ticket_id)


def _cutoff(rulebook: Rulebook, vendedor_id: UUID | None, at: datetime) -> Cutoff:
    seller = None if vendedor_id is None else rulebook.sellers.get(vendedor_id)
    if seller is None:
        # Of a ticket that we do not know; the function says STALE when there is one after all.
        return Cutoff(rulebook.cutoff_minutes, "BANCA", None, ALWAYS)
    return cutoff_in_force(rulebook, seller, at=at)
