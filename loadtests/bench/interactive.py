"""H: the same sale as one interactive locked transaction per request, a round trip per statement.

What a service does that locks, reads, decides in the application and writes. Only for the benchmark, only for sales
that succeed; everything around it (admission, pricing, the answer) is the API's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import asyncpg

from core.database import Database
from core.domain.calendar import format_instant
from core.domain.fingerprint import fingerprint
from core.domain.pricing import Refusal, price
from core.domain.ticket import PricedTicket
from core.rulebooks import RulebookStore
from core.till.order import SaleOrder, new_ticket_id
from core.till.outcomes import Outcome, TicketPlace, Verdict
from core.till.records import record_of_sale
from core.till.refusals import refused_by_rules
from core.till.sales import Counter, SaleAnswer, SaleRequest, Sold
from loadtests.bench.queries import bench_sql

if TYPE_CHECKING:
    from core.database import Connection


class InteractiveCounter(Counter):
    """Sells one ticket after the other. It connects as the database's owner: only functions may write otherwise."""

    def __init__(self, database: Database, rulebooks: RulebookStore) -> None:
        self._pool_of = database
        self._books = rulebooks

    async def sell_all(self, requests: Sequence[SaleRequest]) -> list[SaleAnswer | BaseException]:
        return [await self._sell(request) for request in requests]

    async def _sell(self, request: SaleRequest) -> SaleAnswer:
        actor = request.actor
        rulebook = await self._books.rulebook(actor.banca_id)
        draw = await self._books.draw(rulebook, request.ticket.sorteo_id)
        assert draw is not None, "the benchmark's own draws"
        seller = rulebook.sellers[actor.user_id]
        priced = price(request.ticket, rulebook=rulebook, draw=draw, seller=seller, at=datetime.now(UTC))
        if isinstance(priced, Refusal):
            return refused_by_rules(priced)
        order = SaleOrder(actor, request.key, fingerprint(request.ticket), request.request_id, new_ticket_id(), priced)
        async with self._pool_of.connection() as connection, connection.transaction():
            outcome = await _record(connection, order)
        return Sold(record_of_sale(order, outcome), replayed=False)


async def _record(connection: Connection, order: SaleOrder) -> Outcome:
    actor, priced = order.actor, order.priced
    banca, seller, sorteo = actor.banca_id, priced.vendedor_id, priced.draw.id
    draw = await _row(connection, "lock_draw", banca, sorteo)
    account = await _row(connection, "lock_account", banca, seller)
    known = await connection.fetchrow(
        bench_sql("interactive/known_key"), banca, actor.user_id, actor.terminal_id, order.key
    )
    who = await _row(connection, "actor", banca, actor.user_id, actor.session_id, actor.terminal_id)
    net = priced.total_cents - priced.seller_credit_cents
    limit = account["credit_limit_cents"]
    is_sold = draw["is_open"] and known is None and who["may_sell"]
    is_sold = is_sold and who["rulebook_version"] == priced.rulebook_version
    assert is_sold, "the benchmark sends nothing that is refused"
    assert limit is None or account["balance_cents"] + limit >= net, "its sellers have no limit"
    place = TicketPlace(draw["business_date"], sorteo, draw["last_sequence"] + 1)
    event = await _write_ticket(connection, order, place, draw["now"])
    await _write_transfers(connection, order, place, event, draw["now"], who)
    balance = await _row(connection, "move_balance", banca, seller, net)
    await _write_counters(connection, order, place)
    await connection.execute(
        bench_sql("interactive/insert_event"), event, banca, _payload(order, place, draw["now"]), draw["now"]
    )
    await connection.execute(
        bench_sql("interactive/insert_key"),
        *(banca, actor.user_id, actor.terminal_id, order.key, order.fingerprint),
        *(place.business_date, sorteo, place.sequence, draw["now"]),
    )
    balances = (balance["balance_cents"], balance["balance_version"])
    return Outcome(Verdict.SOLD, draw["now"], None, place, (), balances)


async def _write_ticket(connection: Connection, order: SaleOrder, place: TicketPlace, at: datetime) -> int:
    actor, priced = order.actor, order.priced
    event: int = await connection.fetchval(
        bench_sql("interactive/insert_ticket"),
        *(actor.banca_id, place.business_date, place.sorteo_id, place.sequence, order.ticket_id),
        *(priced.rulebook_version, priced.ventana_id, priced.vendedor_id, actor.user_id, actor.role),
        *(actor.terminal_id, priced.total_cents, priced.commission_cents, priced.seller_credit_cents),
        *(priced.listero_commission_cents, priced.request.cliente_nombre, at),
    )
    await connection.execute(
        bench_sql("interactive/insert_jugadas"),
        *(actor.banca_id, place.business_date, place.sorteo_id, place.sequence),
        *_jugada_columns(priced),
    )
    return event


def _jugada_columns(priced: PricedTicket) -> list[list[Any]]:
    rows = [
        (
            *(jugada.line, jugada.number, jugada.type.value, jugada.amount_cents, jugada.multiplier_id),
            *(jugada.multiplier_x_hundredths, jugada.commission_basis_points, jugada.commission_cents),
            *(jugada.commission_origin, jugada.commission_rule_id, jugada.listero_commission_cents),
        )
        for jugada in priced.jugadas
    ]
    return [list(column) for column in zip(*rows, strict=True)]


async def _write_transfers(
    connection: Connection, order: SaleOrder, place: TicketPlace, event: int, at: datetime, who: asyncpg.Record
) -> None:
    priced, sales, commissions = order.priced, who["sales_id"], who["commissions_id"]
    moves = (
        ("SALE", priced.vendedor_id, sales, priced.total_cents),
        ("COMMISSION", commissions, priced.vendedor_id, priced.seller_credit_cents),
        ("LISTERO_COMMISSION", commissions, priced.ventana_id, priced.listero_commission_cents),
    )
    await connection.execute(
        bench_sql("interactive/insert_transfers"),
        *(order.actor.banca_id, place.business_date, order.ticket_id, event, at),
        *(list(column) for column in zip(*moves, strict=True)),
    )


async def _write_counters(connection: Connection, order: SaleOrder, place: TicketPlace) -> None:
    priced, banca, jugadas = order.priced, order.actor.banca_id, order.priced.jugadas
    await connection.execute(
        bench_sql("interactive/move_exposure"),
        *(banca, place.sorteo_id, priced.ventana_id, priced.vendedor_id),
        [jugada.number for jugada in jugadas],
        [jugada.type.value == "REVENTADO" for jugada in jugadas],
        [jugada.multiplier_id for jugada in jugadas],
        [jugada.amount_cents for jugada in jugadas],
        [jugada.multiplier_x_hundredths for jugada in jugadas],
    )
    await connection.execute(bench_sql("interactive/move_sequence"), banca, place.sorteo_id, place.sequence)


def _payload(order: SaleOrder, place: TicketPlace, at: datetime) -> dict[str, Any]:
    actor, sorteo = order.actor, str(place.sorteo_id)
    return {
        "at": format_instant(at),
        "rulebookVersion": order.priced.rulebook_version,
        "sorteos": [{"sorteoId": sorteo, "from": place.sequence, "to": place.sequence}],
        "ticketIds": [str(order.ticket_id)],
        "sorteoIds": [sorteo],
        "sequences": [place.sequence],
        "vendedorIds": [str(order.priced.vendedor_id)],
        "actorIds": [str(actor.user_id)],
        "actorRoles": [actor.role],
        "terminalIds": [str(actor.terminal_id)],
        "totalsCents": [order.priced.total_cents],
        "keys": [order.key],
        "requestIds": [order.request_id],
    }


async def _row(connection: Connection, name: str, *arguments: Any) -> asyncpg.Record:
    row = await connection.fetchrow(bench_sql(f"interactive/{name}"), *arguments)
    assert row is not None, f"{name}: the benchmark made it"
    return row
