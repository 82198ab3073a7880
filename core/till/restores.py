"""Restoring a cancelled ticket: at the terms that it was sold at, under today's cutoff, limits and funds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from core.database import Database
from core.domain.impersonation import selling_role
from core.domain.limit_judge import LimitVerdict
from core.domain.money import Cents
from core.domain.numbers import format_number
from core.domain.permissions import Role
from core.domain.rulebook import Rulebook, Seller
from core.domain.sold_again import terms_now
from core.domain.ticket import PricedTicket, TicketRequest
from core.domain.violations import Violation
from core.queries import sql
from core.rulebooks import RulebookStore
from core.till.caller import Caller
from core.till.cancels import ROUNDS_MAX
from core.till.claims import COUNTER_COLUMNS, GROWING_COLUMNS, KIND_COLUMNS, Claims
from core.till.operations import OperationRequest, Reply, TicketNotFound, ask
from core.till.order import SaleOrder, earliest_day
from core.till.outcomes import TicketPlace
from core.till.records import TicketRecord, load_tickets
from core.till.refusals import Refused
from core.till.sales import PriceKeepsChangingError
from core.till.till import PublishBalance

# No rulebook has it: under it nothing is restored.
NO_VERSION = 0
# Of Claims.columns(): the quick look at counters is of no use for one ticket.
_QUICK_LOOK = slice(KIND_COLUMNS, KIND_COLUMNS + COUNTER_COLUMNS + GROWING_COLUMNS)


@dataclass(frozen=True, slots=True)
class RestoreRequest(OperationRequest):
    ticket_id: UUID


@dataclass(frozen=True, slots=True)
class Restored:
    record: TicketRecord
    at: datetime
    replayed: bool


RestoreAnswer = Restored | TicketNotFound | Refused


class Restorer:
    def __init__(
        self, caller: Caller, *, database: Database, rulebooks: RulebookStore, publish_balance: PublishBalance
    ) -> None:
        self._caller = caller
        self._database = database
        self._rulebooks = rulebooks
        self._publish_balance = publish_balance

    async def restore(self, request: RestoreRequest) -> RestoreAnswer:
        """Raises DatabaseUnavailableError (nothing written), OutcomeUnknownError (resend the same key),
        PriceKeepsChangingError.
        """
        banca_id = request.actor.banca_id
        rulebook = await self._rulebooks.rulebook(banca_id)
        record: TicketRecord | None = None
        at = datetime.now(UTC)
        for _ in range(ROUNDS_MAX):
            record = record or await self._record(request)
            terms = None if record is None else await self._terms(request, record, rulebook, at)
            row = await self._ask(request, rulebook, terms)
            if row["outcome"] != "STALE":
                return self._answer(request, record, Reply.of(row))
            rulebook = await self._rulebooks.reload(banca_id, older_than=rulebook.version)
            at = row["at"]
        raise PriceKeepsChangingError

    async def _record(self, request: RestoreRequest) -> TicketRecord | None:
        """The ticket, whosever it is; who may act on it is judged under the lock."""
        banca_id = request.actor.banca_id
        async with self._database.tenant(banca_id) as connection:
            row = await connection.fetchrow(
                sql("tickets/by_id"), banca_id, request.ticket_id, earliest_day(request.ticket_id)
            )
        if row is None:
            return None
        place = TicketPlace(row["business_date"], row["sorteo_id"], row["sequence"])
        record, _ = (await load_tickets(self._database, banca_id, [place]))[place]
        return record

    async def _terms(
        self, request: RestoreRequest, record: TicketRecord, rulebook: Rulebook, at: datetime
    ) -> tuple[SaleOrder, list[dict[str, Any]]]:
        """The ticket as if it were ordered now, and what it breaks by itself."""
        draw = await self._rulebooks.draw(rulebook, record.sorteo_id)
        assert draw is not None, "a ticket's draw is never deleted"
        seller = Seller(record.vendedor_id, record.ventana_id)
        terms = terms_now(
            record.jugadas,
            rulebook=rulebook,
            draw=draw,
            loteria=rulebook.loterias[draw.loteria_id],
            seller=seller,
            at=at,
            actor_role=selling_role(request.actor.acting, seller),
        )
        priced = PricedTicket(
            request=TicketRequest(draw.id, None, seller.id, record.cliente_nombre, ()),
            draw=draw,
            vendedor_id=seller.id,
            ventana_id=seller.ventana_id,
            rulebook_version=rulebook.version,
            jugadas=tuple(record.jugadas),
            total_cents=Cents(record.total_cents),
            commission_cents=Cents(record.commission_cents),
            # The function has it of the ticket itself.
            seller_credit_cents=Cents(0),
            listero_commission_cents=Cents(record.listero_commission_cents),
            cutoff_s=terms.cutoff_s,
            valid_from=terms.span.start,
            valid_until=terms.span.end,
            limits=terms.limits,
        )
        order = SaleOrder(
            request.actor, request.key, request.fingerprint, request.request_id, request.ticket_id, priced
        )
        refused = [_refusal(violation) for violation in terms.refused]
        return order, refused + [_facts(verdict, order) for verdict in terms.broken]

    async def _ask(
        self, request: RestoreRequest, rulebook: Rulebook, terms: tuple[SaleOrder, list[dict[str, Any]]] | None
    ) -> asyncpg.Record:
        """terms: None of a ticket that we do not know; the function says so, after what speaks against the actor. If
        there is one after all it says STALE.
        """
        actor = request.actor
        order, broken = terms or (None, [])
        claims = Claims.of([] if order is None else [order]).columns()
        del claims[_QUICK_LOOK]
        if order is not None:
            vendedor_id: UUID | None = order.priced.vendedor_id
        else:
            vendedor_id = actor.user_id if actor.role == Role.VENDEDOR else None
        return await ask(
            self._caller,
            "tickets/restore",
            actor.banca_id,
            actor.user_id,
            vendedor_id,
            *request.session,
            request.key,
            request.fingerprint,
            request.ticket_id,
            earliest_day(request.ticket_id),
            request.request_id,
            NO_VERSION if order is None else rulebook.version,
            0 if order is None else order.priced.cutoff_s,
            None if order is None else order.priced.valid_from,
            None if order is None else order.priced.valid_until,
            broken or None,
            *claims,
            None,
        )

    def _answer(self, request: RestoreRequest, record: TicketRecord | None, reply: Reply) -> RestoreAnswer:
        if reply.result != "RESTORED":
            return reply.refusal()
        assert record is not None, "what was restored was there"
        reply.publish(self._publish_balance, banca_id=request.actor.banca_id, vendedor_id=record.vendedor_id)
        return Restored(record, reply.row["at"], reply.replayed)


def _facts(verdict: LimitVerdict, order: SaleOrder) -> dict[str, Any]:
    """As sql/functions/judge_tight_sales.sql tells a limit that does not hold."""
    fact = verdict.fact
    return {
        "code": fact.code,
        "scope": fact.scope,
        "label": orjson.loads(fact.label),
        "accumulates": fact.accumulates,
        "number": format_number(fact.number, order.priced.draw.digits),
        "amountCents": fact.amount_cents,
        "capCents": verdict.limit_cents,
        "availableCents": verdict.available_cents,
    }


def _refusal(violation: Violation) -> dict[str, Any]:
    """Told in full: the rule that it comes from may be gone when it is told again."""
    return {"code": violation.code, "message": violation.message, "field": violation.field, "data": violation.data}
