"""From a seller's request to its final answer: price, submit, price again when the price went stale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg

from core.database import Database
from core.domain.fingerprint import fingerprint
from core.domain.pricing import Refusal, price
from core.domain.rulebook import Rulebook
from core.domain.ticket import PricedTicket, TicketRequest
from core.domain.violations import Violation
from core.queries import sql
from core.rulebooks import RulebookStore
from core.till.order import Actor, SaleOrder, new_ticket_id
from core.till.outcomes import Outcome, TicketPlace, Verdict
from core.till.records import TicketRecord, load_tickets, record_of_sale
from core.till.refusals import Refused, refused_by_rules, refused_by_till
from core.till.till import Till

# Each round reads the rulebook anew; who is still stale after three changes mid-flight comes back later.
PRICING_ROUNDS_MAX = 3


class PriceKeepsChangingError(Exception):
    """The rules changed faster than we could price; nothing was written. Try again."""

    retry_after_s = 1


@dataclass(frozen=True, slots=True)
class SaleRequest:
    """A ticket that is well formed; key and fingerprint name it."""

    actor: Actor
    key: str
    request_id: str
    ticket: TicketRequest


@dataclass(frozen=True, slots=True)
class Sold:
    record: TicketRecord
    replayed: bool


SaleAnswer = Sold | Refused


@dataclass(slots=True)
class _Pending:
    request: SaleRequest
    fingerprint: bytes
    order: SaleOrder | None = None
    outcome: Outcome | None = None
    refusal: Refusal | None = None
    error: BaseException | None = None


class Counter:
    """Where tickets are sold. Stateless but for the rulebooks; safe for any number of simultaneous callers."""

    def __init__(self, *, database: Database, rulebooks: RulebookStore, till: Till) -> None:
        self._database = database
        self._rulebooks = rulebooks
        self._till = till

    async def sell(self, request: SaleRequest) -> SaleAnswer:
        """Sell one ticket; raises what Till.submit raises, and PriceKeepsChangingError."""
        [answer] = await self.sell_all([request])
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def sell_all(self, requests: Sequence[SaleRequest]) -> list[SaleAnswer | BaseException]:
        """Sell several tickets of one banca; each has its own answer or its own error, in the order asked."""
        sales = [_Pending(request, fingerprint(request.ticket)) for request in requests]
        todo = sales
        for _ in range(PRICING_ROUNDS_MAX):
            await self._price(todo)
            await self._submit([sale for sale in todo if sale.order is not None])
            todo = [sale for sale in todo if sale.outcome is not None and sale.outcome.verdict is Verdict.STALE]
            if not todo:
                break
        for sale in todo:
            sale.error = PriceKeepsChangingError()
        await self._look_up_refused(sales)
        return await self._answers(sales)

    async def _price(self, sales: Sequence[_Pending]) -> None:
        for sale in sales:
            rulebook = await self._rulebook(sale)
            priced = await self._priced(sale.request, rulebook)
            if isinstance(priced, Refusal):
                sale.order, sale.outcome, sale.refusal = None, None, priced
                continue
            sale.order = SaleOrder(
                sale.request.actor,
                sale.request.key,
                sale.fingerprint,
                sale.request.request_id,
                new_ticket_id(),
                priced,
            )

    async def _rulebook(self, sale: _Pending) -> Rulebook:
        banca_id = sale.request.actor.banca_id
        if sale.order is None:
            return await self._rulebooks.rulebook(banca_id)
        return await self._rulebooks.reload(banca_id, older_than=sale.order.priced.rulebook_version)

    async def _priced(self, request: SaleRequest, rulebook: Rulebook) -> PricedTicket | Refusal:
        draw = await self._rulebooks.draw(rulebook, request.ticket.sorteo_id)
        if draw is None:
            return Refusal((Violation("SORTEO_NOT_FOUND", "This banca has no such draw.", "sorteoId"),))
        seller = rulebook.sellers.get(request.ticket.vendedor_id or request.actor.user_id)
        if seller is None:
            return Refusal((Violation("SELLER_NOT_FOUND", "This banca has no such seller.", "vendedorId"),))
        return price(request.ticket, rulebook=rulebook, draw=draw, seller=seller, at=datetime.now(UTC))

    async def _submit(self, sales: Sequence[_Pending]) -> None:
        if len(sales) == 1:
            [sale] = sales
            assert sale.order is not None
            sale.outcome = await self._till.submit(sale.order)
            return
        outcomes = await self._till.submit_all([sale.order for sale in sales if sale.order is not None])
        for sale, outcome in zip(sales, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                sale.error, sale.outcome = outcome, None
            else:
                sale.outcome = outcome

    async def _look_up_refused(self, sales: Sequence[_Pending]) -> None:
        """A ticket that today's rules refuse may have been sold under yesterday's: then its answer stands."""
        for sale in sales:
            if sale.refusal is None:
                continue
            actor = sale.request.actor
            async with self._database.tenant(actor.banca_id) as connection:
                row = await connection.fetchrow(sql("tickets/outcome"), actor.banca_id, actor.user_id, sale.request.key)
            if row is not None:
                sale.refusal, sale.outcome = None, _outcome_of_key(row, sale.fingerprint)

    async def _answers(self, sales: Sequence[_Pending]) -> list[SaleAnswer | BaseException]:
        known = [
            sale.outcome.place
            for sale in sales
            if sale.outcome is not None
            and sale.outcome.verdict is Verdict.KNOWN
            and sale.outcome.recorded == Verdict.SOLD
            and sale.outcome.place is not None
        ]
        stored = await load_tickets(self._database, sales[0].request.actor.banca_id, known) if known else {}
        records = {place: record for place, (record, _) in stored.items()}
        return [_answer(sale, records) for sale in sales]


def _answer(sale: _Pending, records: dict[TicketPlace, TicketRecord]) -> SaleAnswer | BaseException:
    if sale.error is not None:
        return sale.error
    if sale.refusal is not None:
        return refused_by_rules(sale.refusal)
    outcome = sale.outcome
    assert outcome is not None
    if outcome.verdict is Verdict.SOLD:
        assert sale.order is not None
        return Sold(record_of_sale(sale.order, outcome), replayed=False)
    if outcome.verdict is Verdict.KNOWN and outcome.recorded == Verdict.SOLD:
        assert outcome.place is not None
        return Sold(records[outcome.place], replayed=True)
    return refused_by_till(outcome)


def _outcome_of_key(row: asyncpg.Record, fingerprint_now: bytes) -> Outcome:
    """What sell_tickets would have said of a known key."""
    if row["outcome"] == "TOMBSTONE":
        verdict = Verdict.CANCELLED_BEFORE_SALE
    else:
        verdict = Verdict.KNOWN if row["fingerprint"] == fingerprint_now else Verdict.MISMATCH
    place = TicketPlace(row["business_date"], row["sorteo_id"], row["sequence"]) if row["sequence"] else None
    return Outcome(verdict, row["created_at"], row["outcome"], place, row["violations"] or ())
