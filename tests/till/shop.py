"""A till as an API process runs it, without HTTP. Two shops on one database are two processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from api.ticket_answers import ticket_document
from core.database import Database, create_pool
from core.domain.fingerprint import fingerprint
from core.domain.impersonation import selling_role
from core.domain.pricing import price
from core.domain.ticket import PricedTicket
from core.rulebooks import RulebookStore
from core.till.batch import prepare_till_connection
from core.till.caller import Caller
from core.till.cancels import CancelAnswer, Canceller, CancelRequest
from core.till.order import Actor, SaleOrder, new_ticket_id
from core.till.outcomes import Outcome
from core.till.recorder import Recorder
from core.till.records import TicketRecord
from core.till.sales import Counter, SaleAnswer, SaleRequest, Sold
from core.till.till import Till
from tests.arena import Arena, Seller
from tests.pos import new_key
from tests.till.tickets import actor_of, sale, ticket

if TYPE_CHECKING:
    from core.database import Pool

ACQUIRE_TIMEOUT_S = 3.0


@dataclass
class Shop:
    pool: Pool
    database: Database
    rulebooks: RulebookStore
    caller: Caller
    recorder: Recorder
    till: Till
    counter: Counter
    canceller: Canceller
    # (account, balance, version), as the till told its readers.
    balances: list[tuple[UUID, int, int]] = field(default_factory=list)

    async def sell(self, request: SaleRequest) -> SaleAnswer:
        return await self.counter.sell(request)

    async def order(self, request: SaleRequest) -> SaleOrder:
        """The request priced by the rulebook that this shop knows; it must be allowed."""
        rulebook = await self.rulebooks.rulebook(request.actor.banca_id)
        draw = await self.rulebooks.draw(rulebook, request.ticket.sorteo_id)
        assert draw is not None, "the draw is this banca's"
        acting = request.actor.acting
        seller = rulebook.sellers[request.ticket.vendedor_id or request.actor.user_id]
        role = selling_role(acting, seller)
        at = datetime.now(UTC)
        priced = price(request.ticket, rulebook=rulebook, draw=draw, seller=seller, at=at, actor_role=role)
        assert isinstance(priced, PricedTicket), priced
        return order_of(request, priced)

    async def record(self, requests: Sequence[SaleRequest], *, at: datetime | None = None) -> list[Outcome]:
        """One batch, past the queue: exactly these, in this order."""
        orders = [await self.order(request) for request in requests]
        return await self.recorder.record(orders[0].actor.banca_id, orders, at=at)

    async def cancel(
        self,
        seller: Seller,
        *,
        ticket_id: UUID | None = None,
        sale_key: str | None = None,
        key: str | None = None,
        actor: Actor | None = None,
    ) -> CancelAnswer:
        request = cancel_request(seller, ticket_id=ticket_id, sale_key=sale_key, key=key)
        return await self.canceller.cancel(request if actor is None else replace(request, actor=actor))


def order_of(request: SaleRequest, priced: PricedTicket) -> SaleOrder:
    return SaleOrder(
        request.actor, request.key, fingerprint(request.ticket), request.request_id, new_ticket_id(), priced
    )


async def orders_of(arena: Arena, shop: Shop, count: int) -> list[SaleOrder]:
    """One ticket each, of the arena's first two sellers in turn."""
    return [await shop.order(sale(arena.sellers[n % 2], ticket(arena.sorteo_id))) for n in range(count)]


def cancel_request(
    seller: Seller, *, ticket_id: UUID | None = None, sale_key: str | None = None, key: str | None = None
) -> CancelRequest:
    content = f"cancel {ticket_id} {sale_key}".encode()
    return CancelRequest(
        actor_of(seller), key or new_key(), content[:32].ljust(32, b"."), "test", ticket_id=ticket_id, sale_key=sale_key
    )


def sold(answer: SaleAnswer | BaseException) -> TicketRecord:
    assert isinstance(answer, Sold), answer
    return answer.record


def replayed(answer: SaleAnswer | BaseException) -> bool:
    return isinstance(answer, Sold) and answer.replayed


def answer_bytes(record: TicketRecord) -> bytes:
    """What the client reads, whether the ticket was just written or read back."""
    return orjson.dumps(ticket_document(record), default=str)


@asynccontextmanager
async def open_shop(
    database_url: str,
    *,
    pool_size: int = 4,
    timeout_s: float = 20.0,
    max_retries: int = 3,
    queue_tickets_max: int = 4_000,
    batch_tickets_max: int = 256,
    batch_jugadas_max: int = 2_000,
    rulebooks: type[RulebookStore] = RulebookStore,
) -> AsyncIterator[Shop]:
    """database_url: with the login of banca_api, as the API has it."""
    pool = await create_pool(
        database_url,
        size=pool_size,
        timeout_s=timeout_s,
        application_name="shop",
        prepare=prepare_till_connection,
    )
    database = Database(pool, acquire_timeout_s=ACQUIRE_TIMEOUT_S)
    caller = Caller(
        pool, acquire_timeout_s=ACQUIRE_TIMEOUT_S, max_retries=max_retries, backoff_min_ms=1, backoff_max_ms=10
    )
    balances: list[tuple[UUID, int, int]] = []

    def publish_balance(banca_id: UUID, account_id: UUID, *, balance_cents: int, version: int) -> None:
        balances.append((account_id, balance_cents, version))

    store, recorder = rulebooks(database), Recorder(caller)
    till = Till(
        recorder,
        queue_tickets_max=queue_tickets_max,
        batch_tickets_max=batch_tickets_max,
        batch_jugadas_max=batch_jugadas_max,
        publish_balance=publish_balance,
    )
    counter = Counter(database=database, rulebooks=store, till=till)
    canceller = Canceller(caller, database=database, rulebooks=store, publish_balance=publish_balance)
    try:
        yield Shop(pool, database, store, caller, recorder, till, counter, canceller, balances)
    finally:
        await till.close()
        await pool.close()


def counts_of(values: Sequence[Any]) -> dict[Any, int]:
    """How often each value occurs."""
    found: dict[Any, int] = {}
    for value in values:
        found[value] = found.get(value, 0) + 1
    return found
