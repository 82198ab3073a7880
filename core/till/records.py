"""A sold ticket as its sale recorded it, whether just written or read back: the one source of every answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg
from msgspec import Struct

from core.database import Database
from core.domain.rulebook import JugadaType
from core.domain.ticket import PricedJugada
from core.domain.ticket_number import ticket_number
from core.queries import sql
from core.slices import Pace
from core.till.order import SaleOrder
from core.till.outcomes import Outcome, TicketPlace

# Of tickets that are read, priced or shown together, before others have their turn; a ticket alone is never more.
JUGADAS_PER_SLICE = 500


class TicketRecord(Struct, frozen=True, gc=False):
    id: UUID
    banca_id: UUID
    ventana_id: UUID
    vendedor_id: UUID
    loteria_id: UUID
    sorteo_id: UUID
    business_date: date
    daily_ordinal: int
    digits: int
    sequence: int
    total_cents: int
    commission_cents: int
    listero_commission_cents: int
    cliente_nombre: str
    created_at: datetime
    created_by: UUID
    created_by_role: str
    terminal_id: UUID
    rulebook_version: int
    jugadas: Sequence[PricedJugada]
    # What was let pass at the sale, as it was answered.
    warnings: Sequence[Mapping[str, object]] = ()

    @property
    def ticket_number(self) -> str:
        return ticket_number(business_date=self.business_date, ordinal=self.daily_ordinal, sequence=self.sequence)


@dataclass(frozen=True, slots=True)
class TicketState:
    """What later steps wrote; no replay of the sale reads it."""

    status: str
    cancelled_at: datetime | None


def record_of_sale(order: SaleOrder, outcome: Outcome) -> TicketRecord:
    """The ticket that was just sold."""
    priced, place = order.priced, outcome.place
    assert place is not None, "a sold ticket has its place"
    draw = priced.draw
    return TicketRecord(
        id=order.ticket_id,
        banca_id=order.actor.banca_id,
        ventana_id=priced.ventana_id,
        vendedor_id=priced.vendedor_id,
        loteria_id=draw.loteria_id,
        sorteo_id=draw.id,
        business_date=place.business_date,
        daily_ordinal=draw.daily_ordinal,
        digits=draw.digits,
        sequence=place.sequence,
        total_cents=priced.total_cents,
        commission_cents=priced.commission_cents,
        listero_commission_cents=priced.listero_commission_cents,
        cliente_nombre=priced.request.cliente_nombre,
        created_at=outcome.at,
        created_by=order.actor.user_id,
        created_by_role=order.actor.role,
        terminal_id=order.actor.terminal_id,
        rulebook_version=priced.rulebook_version,
        jugadas=priced.jugadas,
        warnings=[warning.to_json() for warning in priced.warnings],
    )


async def load_tickets(
    database: Database, banca_id: UUID, places: Iterable[TicketPlace]
) -> dict[TicketPlace, tuple[TicketRecord, TicketState]]:
    """Stored tickets by their places; one statement. Raises DatabaseUnavailableError."""
    wanted = list(dict.fromkeys(places))
    if not wanted:
        return {}
    async with database.connection() as connection:
        rows = await connection.fetch(
            sql("tickets/sold"),
            banca_id,
            [place.business_date for place in wanted],
            [place.sorteo_id for place in wanted],
            [place.sequence for place in wanted],
        )
    found, pace = {}, Pace(JUGADAS_PER_SLICE)
    for row in rows:
        record = _record(row)
        found[TicketPlace(row["business_date"], row["sorteo_id"], row["sequence"])] = record, _state(row)
        await pace.did(len(record.jugadas))
    return found


def _record(row: asyncpg.Record) -> TicketRecord:
    return TicketRecord(
        id=row["id"],
        banca_id=row["banca_id"],
        ventana_id=row["ventana_id"],
        vendedor_id=row["vendedor_id"],
        loteria_id=row["loteria_id"],
        sorteo_id=row["sorteo_id"],
        business_date=row["business_date"],
        daily_ordinal=row["daily_ordinal"],
        digits=row["digits"],
        sequence=row["sequence"],
        total_cents=row["total_cents"],
        commission_cents=row["commission_cents"],
        listero_commission_cents=row["listero_commission_cents"],
        cliente_nombre=row["cliente_nombre"],
        created_at=row["created_at"],
        created_by=row["created_by"],
        created_by_role=row["created_by_role"],
        terminal_id=row["terminal_id"],
        rulebook_version=row["rulebook_version"],
        jugadas=[_jugada(values) for values in row["jugadas"]],
        warnings=row["warnings"] or (),
    )


def _state(row: asyncpg.Record) -> TicketState:
    return TicketState(row["status"], row["cancelled_at"])


def _jugada(values: list[Any]) -> PricedJugada:
    # The columns of sql/queries/tickets/sold.sql, in its order.
    line, kind, number, amount, multiplier_id, x, points, commission, origin, rule_id, listero = values
    return PricedJugada(
        line=line,
        type=JugadaType(kind),
        number=number,
        amount_cents=amount,
        multiplier_id=None if multiplier_id is None else UUID(multiplier_id),
        multiplier_x_hundredths=x,
        commission_basis_points=points,
        commission_cents=commission,
        commission_origin=origin,
        commission_rule_id=rule_id,
        listero_commission_cents=listero,
    )
