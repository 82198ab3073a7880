"""A ticket on its way to the till: as asked for, the draw it is for, and as priced."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, NamedTuple
from uuid import UUID

from core.domain.money import Cents
from core.domain.rulebook import JugadaType

CLIENTE_DEFAULT = "CLIENTE CONTADO"
# The multiplier key of a counter that counts all jugadas of a number.
ALL_JUGADAS = UUID(int=0)

LimitScope = Literal["BANCA", "VENTANA", "VENDEDOR"]


@dataclass(frozen=True, slots=True)
class JugadaRequest:
    """number_text, reventado_number_text: as sent, not yet judged."""

    type: JugadaType
    number_text: str
    reventado_number_text: str | None
    amount_cents: Cents
    multiplier_id: UUID | None


@dataclass(frozen=True, slots=True)
class TicketRequest:
    """jugadas: at least one. cliente_nombre: trimmed; CLIENTE_DEFAULT when none was given."""

    sorteo_id: UUID
    loteria_id: UUID | None
    vendedor_id: UUID | None
    cliente_nombre: str
    jugadas: tuple[JugadaRequest, ...]


@dataclass(frozen=True, slots=True)
class Draw:
    """What a sorteo is and stays; its state is the database's to judge."""

    id: UUID
    loteria_id: UUID
    digits: int
    business_date: date
    daily_ordinal: int
    name: str
    scheduled_at: datetime


# PricedJugada and LimitFact are tuples because several are made per ticket, three times as fast as a frozen
# dataclass, and because the till turns them into columns: zip(*jugadas).
class PricedJugada(NamedTuple):
    """line: from 1, in the order asked. multiplier_x_hundredths: 0 for REVENTADO until the draw decides it.

    multiplier_id: None for REVENTADO, and for NUMERO when the lottery's baseMultiplierX was taken.
    """

    line: int
    type: JugadaType
    number: int
    amount_cents: Cents
    multiplier_id: UUID | None
    multiplier_x_hundredths: int
    commission_basis_points: int
    commission_cents: Cents
    commission_origin: str | None
    commission_rule_id: str | None
    listero_commission_cents: Cents


class LimitFact(NamedTuple):
    """A counter that the sale moves, and what it may reach: min(cap, max(base, sales × basis points)).

    multiplier_key: ALL_JUGADAS, or the only multiplier that counts. cap_cents: 0 blocks, None sets no cap.
    """

    scope: LimitScope
    scope_id: UUID
    multiplier_key: UUID
    number: int
    amount_cents: Cents
    cap_cents: Cents | None
    base_cents: Cents | None = None
    sales_basis_points: int | None = None
    code: str = "NUMBER_MAXTOTAL_EXCEEDED"


@dataclass(frozen=True, slots=True)
class PricedTicket:
    """The price holds in [valid_from, valid_until); None leaves that end open.

    commission_cents: all seller lines. seller_credit_cents: of these, what is credited to the seller (origin USER).
    """

    request: TicketRequest
    draw: Draw
    vendedor_id: UUID
    ventana_id: UUID
    rulebook_version: int
    jugadas: tuple[PricedJugada, ...]
    total_cents: Cents
    commission_cents: Cents
    seller_credit_cents: Cents
    listero_commission_cents: Cents
    cutoff_s: int
    valid_from: datetime | None
    valid_until: datetime | None
    limits: tuple[LimitFact, ...]
