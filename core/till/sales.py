"""From a seller's request to its final answer: price, submit, price again when the price went stale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg
from msgspec import Struct

from core.database import Database, DatabaseUnavailableError, OutcomeUnknownError, unavailable
from core.domain.fingerprint import fingerprint
from core.domain.impersonation import effective_seller, selling_role
from core.domain.pricing import Refusal, price
from core.domain.rulebook import Rulebook
from core.domain.ticket import PricedTicket, TicketRequest
from core.domain.violations import Violation
from core.queries import sql
from core.rulebooks import BancaNotFoundError, RulebookStore
from core.slices import Pace
from core.till.lane import BatchFailedError
from core.till.order import Actor, SaleOrder, new_ticket_id
from core.till.outcomes import Outcome, TicketPlace, Verdict
from core.till.records import JUGADAS_PER_SLICE, TicketRecord, record_of_sale
from core.till.refusals import Refused, refused_by_rules, refused_by_till
from core.till.ticket_reader import TicketReader
from core.till.till import Till, TillClosedError, TillFullError

# Each round reads the rulebook anew; who is still stale after three changes mid-flight comes back later.
PRICING_ROUNDS_MAX = 3


class SaleRequest(Struct, frozen=True, gc=False):
    """A ticket that is well formed; key and fingerprint name it."""

    actor: Actor
    key: str
    request_id: str
    ticket: TicketRequest


class Sold(Struct, frozen=True, gc=False):
    record: TicketRecord
    replayed: bool


SaleAnswer = Sold | Refused


class PriceKeepsChangingError(Exception):
    """The rules changed faster than we could price; nothing was written. Try again."""

    retry_after_s = 1


# What can stand between a request and its answer; everything else is a defect and passes through.
TROUBLE = (
    DatabaseUnavailableError,
    OutcomeUnknownError,
    TillFullError,
    TillClosedError,
    BancaNotFoundError,
    BatchFailedError,
    PriceKeepsChangingError,
)


@dataclass(slots=True)
class _Sale:
    """One request on its way; at most one of outcome, refusal and error is set at its end."""

    request: SaleRequest
    fingerprint: bytes
    rulebook: Rulebook | None = None
    order: SaleOrder | None = None
    outcome: Outcome | None = None
    is_echo: bool = False
    refusal: Refusal | None = None
    error: BaseException | None = None
    is_stale: bool = True
    # When the price was found stale, by the database's clock.
    stale_at: datetime | None = None

    def is_sold_before(self) -> bool:
        known = self.outcome is not None and self.outcome.verdict is Verdict.KNOWN
        return known and self.outcome is not None and self.outcome.recorded == Verdict.SOLD


class Counter:
    """Where tickets are sold. Stateless but for the rulebooks; safe for any number of simultaneous callers."""

    def __init__(self, *, database: Database, rulebooks: RulebookStore, till: Till) -> None:
        self._database = database
        self._rulebooks = rulebooks
        self._till = till
        self._reader = TicketReader(database)

    async def sell(self, request: SaleRequest) -> SaleAnswer:
        """Sell one ticket. Raises one of TROUBLE."""
        [answer] = await self.sell_all([request])
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def sell_all(self, requests: Sequence[SaleRequest]) -> list[SaleAnswer | BaseException]:
        """Sell several tickets of one banca; each has its own answer or its own error, in the order asked."""
        pace = Pace(JUGADAS_PER_SLICE)
        sales: list[_Sale] = []
        for request in requests:
            sales.append(_Sale(request, fingerprint(request.ticket)))
            await pace.did(len(request.ticket.jugadas))
        todo = sales
        for _ in range(PRICING_ROUNDS_MAX):
            for sale in todo:
                await self._price(sale)
                await pace.did(len(sale.request.ticket.jugadas))
            await self._submit([sale for sale in todo if sale.order is not None])
            todo = [sale for sale in todo if sale.is_stale]
            if not todo:
                break
        for sale in todo:
            sale.error = PriceKeepsChangingError()
        records = await self._sold_before([sale for sale in sales if sale.is_sold_before()])
        return [_answer(sale, records) for sale in sales]

    async def _price(self, sale: _Sale) -> None:
        """Leaves the sale with an order to submit, or with its end."""
        sale.is_stale, sale.order, sale.refusal = False, None, None
        actor = sale.request.actor
        try:
            if sale.rulebook is None:
                sale.rulebook = await self._rulebooks.rulebook(actor.banca_id)
            else:
                sale.rulebook = await self._rulebooks.reload(actor.banca_id, older_than=sale.rulebook.version)
            priced = await self._priced(sale, sale.rulebook)
            if isinstance(priced, Refusal):
                await self._doubt(sale, priced, sale.rulebook)
                return
        except TROUBLE as error:
            sale.error = error
            return
        except asyncpg.PostgresError as error:
            # Only reads so far: of this ticket nothing was written.
            sale.error = unavailable(error)
            return
        request = sale.request
        sale.order = SaleOrder(actor, request.key, sale.fingerprint, request.request_id, new_ticket_id(), priced)

    async def _priced(self, sale: _Sale, rulebook: Rulebook) -> PricedTicket | Refusal:
        ticket = sale.request.ticket
        acting = sale.request.actor.acting
        seller = effective_seller(acting, vendedor_id=ticket.vendedor_id, rulebook=rulebook)
        if isinstance(seller, Violation):
            return Refusal((seller,))
        draw = await self._rulebooks.draw(rulebook, ticket.sorteo_id)
        if draw is None:
            return Refusal((Violation("SORTEO_NOT_FOUND", "This banca has no such draw.", "sorteoId"),))
        return price(
            ticket,
            rulebook=rulebook,
            draw=draw,
            seller=seller,
            at=sale.stale_at or datetime.now(UTC),
            actor_role=selling_role(acting, seller),
        )

    async def _doubt(self, sale: _Sale, refusal: Refusal, rulebook: Rulebook) -> None:
        """Before a refusal by the rules: are they today's, and was this ticket sold under yesterday's?"""
        actor = sale.request.actor
        seller = effective_seller(actor.acting, vendedor_id=sale.request.ticket.vendedor_id, rulebook=rulebook)
        async with self._database.tenant(actor.banca_id) as connection:
            row = await connection.fetchrow(
                sql("tickets/outcome"),
                actor.banca_id,
                actor.user_id,
                sale.request.key,
                None if isinstance(seller, Violation) else seller.id,
                actor.session_id,
                actor.terminal_id,
                actor.key_version,
            )
        if row is not None and row["verdict"] is not None:
            sale.outcome = Outcome(Verdict(row["verdict"]), datetime.now(UTC))
        elif row is not None and row["outcome"] is not None:
            sale.outcome = _outcome_of_key(row, sale.fingerprint)
        elif row is not None and (row["rulebook_version"] != rulebook.version or not _holds(refusal, row["now"])):
            sale.is_stale, sale.stale_at = True, row["now"]
        else:
            sale.refusal = refusal

    async def _submit(self, sales: Sequence[_Sale]) -> None:
        answers = await self._till.submit_all([sale.order for sale in sales if sale.order is not None])
        for sale, answer in zip(sales, answers, strict=True):
            if isinstance(answer, BaseException):
                sale.error = answer
            else:
                sale.order, sale.outcome, sale.is_echo = answer.order, answer.outcome, answer.is_echo
                sale.is_stale, sale.stale_at = answer.outcome.verdict is Verdict.STALE, answer.outcome.at

    async def _sold_before(self, sales: Sequence[_Sale]) -> dict[TicketPlace, TicketRecord]:
        places = [sale.outcome.place for sale in sales if sale.outcome is not None and sale.outcome.place is not None]
        if not places:
            return {}
        try:
            return await self._reader.records(sales[0].request.actor.banca_id, places)
        except DatabaseUnavailableError as error:
            # They are sold; to say that nothing was written would be a lie.
            for sale in sales:
                sale.error = OutcomeUnknownError(f"sold before, but not read: {error}")
            return {}
        except TROUBLE as error:
            for sale in sales:
                sale.error = error
            return {}


def _answer(sale: _Sale, records: dict[TicketPlace, TicketRecord]) -> SaleAnswer | BaseException:
    if sale.error is not None:
        return sale.error
    if sale.refusal is not None:
        return refused_by_rules(sale.refusal)
    outcome = sale.outcome
    assert outcome is not None, "a sale ends with an outcome, a refusal or an error"
    if outcome.verdict is Verdict.SOLD:
        assert sale.order is not None, "what was sold was ordered"
        return Sold(record_of_sale(sale.order, outcome), replayed=sale.is_echo)
    if sale.is_sold_before() and outcome.place is not None:
        return Sold(records[outcome.place], replayed=True)
    return refused_by_till(outcome, is_echo=sale.is_echo)


def _holds(refusal: Refusal, at: datetime) -> bool:
    """Whether the rules that refused are in force by the database's clock."""
    begins, ends = refusal.valid_from, refusal.valid_until
    return (begins is None or begins <= at) and (ends is None or at < ends)


def _outcome_of_key(row: asyncpg.Record, fingerprint_now: bytes) -> Outcome:
    """What sell_tickets would have said of a known key."""
    if row["is_ambiguous"]:
        # One ticket of this actor, another one of this terminal: the key names neither.
        verdict = Verdict.MISMATCH
    elif row["outcome"] == "TOMBSTONE":
        verdict = Verdict.CANCELLED_BEFORE_SALE
    else:
        verdict = Verdict.KNOWN if row["fingerprint"] == fingerprint_now else Verdict.MISMATCH
    place = TicketPlace(row["business_date"], row["sorteo_id"], row["sequence"]) if row["sequence"] else None
    # What was answered to another ticket of this key is none of this one's business.
    violations = row["violations"] or () if verdict is Verdict.KNOWN else ()
    return Outcome(verdict, row["created_at"], row["outcome"], place, violations)
