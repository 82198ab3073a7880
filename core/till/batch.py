"""A batch as the parallel arrays of sell_tickets, and its rows as outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from core.database import prepare_connection
from core.queries import sql
from core.till.claims import Claims, columns_of
from core.till.order import SaleOrder
from core.till.outcomes import Outcome, TicketPlace, Verdict

TICKET_COLUMNS = 22
JUGADA_COLUMNS = 11
NOBODY = UUID(int=0)
ORIGIN_CODES = {None: 0, "USER": 1, "VENTANA": 2, "BANCA": 3}


async def prepare_till_connection(connection: Any) -> None:
    """A new connection asks four things of the server before its first batch: let it ask now, with an empty one."""
    await prepare_connection(connection)
    # Without the functions the database is not migrated yet; the sale will say so.
    with suppress(asyncpg.UndefinedFunctionError):
        await connection.fetch(sql("tickets/sell"), NOBODY, *batch_arguments([]), None)


def batch_arguments(orders: Sequence[SaleOrder]) -> list[Sequence[Any]]:
    """What sql/queries/tickets/sell.sql takes after the banca and before the time; empty for no orders."""
    jugada_owners = [position for position, order in enumerate(orders, 1) for _ in order.priced.jugadas]
    return [
        *columns_of((_ticket_row(order) for order in orders), TICKET_COLUMNS),
        jugada_owners,
        *columns_of((row for order in orders for row in _jugada_rows(order)), JUGADA_COLUMNS),
        *Claims.of(orders).columns(),
    ]


def _ticket_row(order: SaleOrder) -> tuple[Any, ...]:
    actor, priced = order.actor, order.priced
    return (
        order.ticket_id,
        priced.draw.id,
        priced.vendedor_id,
        priced.ventana_id,
        actor.user_id,
        actor.role,
        actor.session_id,
        actor.terminal_id,
        actor.key_version,
        order.key,
        order.fingerprint,
        order.request_id,
        priced.request.cliente_nombre,
        priced.rulebook_version,
        priced.total_cents,
        priced.commission_cents,
        priced.seller_credit_cents,
        priced.listero_commission_cents,
        priced.cutoff_s,
        priced.valid_from,
        priced.valid_until,
        orjson.dumps([warning.to_json() for warning in priced.warnings]).decode() if priced.warnings else None,
    )


def _jugada_rows(order: SaleOrder) -> list[tuple[Any, ...]]:
    return [
        (
            jugada.line,
            jugada.number,
            jugada.type == "REVENTADO",
            jugada.amount_cents,
            jugada.multiplier_id,
            jugada.multiplier_x_hundredths,
            jugada.commission_basis_points,
            jugada.commission_cents,
            ORIGIN_CODES[jugada.commission_origin],
            jugada.commission_rule_id,
            jugada.listero_commission_cents,
        )
        for jugada in order.priced.jugadas
    ]


def outcome_of(row: asyncpg.Record) -> Outcome:
    """One row of sell_tickets."""
    verdict = Verdict(row["outcome"])
    sequence, balance = row["sequence"], row["balance_cents"]
    return Outcome(
        verdict,
        row["at"],
        row["recorded"],
        None if sequence is None else TicketPlace(row["business_date"], row["sorteo_id"], sequence),
        row["violations"] or (),
        None if balance is None else (balance, row["balance_version"]),
    )
