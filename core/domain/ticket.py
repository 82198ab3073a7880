"""A ticket on its way to the till: as asked for, the draw it is for, and as priced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, NamedTuple
from uuid import UUID

from msgspec import Struct

from core.domain.money import Cents
from core.domain.rulebook import JugadaType
from core.domain.violations import Violation

CLIENTE_DEFAULT = "CLIENTE CONTADO"
# The multiplier keys of counters: of all jugadas of a number, and of its REVENTADO jugadas only. Any other key is the
# multiplier whose jugadas count.
ALL_JUGADAS = UUID(int=0)
REVENTADO_KEY = UUID(int=1)
# The number of a counter of the scope's whole sales in a draw.
WHOLE_SALES = -1
GLOBAL_MAX_LABEL = '{"source":"GLOBAL_MAX_PER_NUMBER"}'

LimitScope = Literal["BANCA", "VENTANA", "VENDEDOR"]


class JugadaRequest(Struct, frozen=True, gc=False):
    """number_text, reventado_number_text: as sent, not yet judged."""

    type: JugadaType
    number_text: str
    reventado_number_text: str | None
    amount_cents: Cents
    multiplier_id: UUID | None


class TicketRequest(Struct, frozen=True, gc=False):
    """jugadas: at least one. cliente_nombre: trimmed; CLIENTE_DEFAULT when none was given.

    ventana_id: the seller's, when it was named; no part of the ticket's fingerprint.
    """

    sorteo_id: UUID
    loteria_id: UUID | None
    vendedor_id: UUID | None
    cliente_nombre: str
    jugadas: tuple[JugadaRequest, ...]
    ventana_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Draw:
    """What a sorteo is and stays; its state is the database's to judge.

    global_limit_cents: what each number may reach. number_limits: cents, by number, in its place; 0 blocks.
    """

    id: UUID
    loteria_id: UUID
    digits: int
    business_date: date
    daily_ordinal: int
    name: str
    scheduled_at: datetime
    global_limit_cents: Cents | None = None
    number_limits: Mapping[int, Cents] = field(default_factory=dict, hash=False)


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

    sales: the counter of the same scope with ALL_JUGADAS and WHOLE_SALES, before this ticket; the product is cut to
    the cent, because what may be reached is never rounded up. multiplier_key: what of the number counts.
    cap_cents: 0 blocks, None sets no cap. accumulates: False when the ticket's own amount is all that counts.
    rule_id: of the restriction. label: a JSON object, members of the violation as it is answered.
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
    accumulates: bool = True
    rule_id: str | None = None
    label: str = GLOBAL_MAX_LABEL


class PricedTicket(Struct, frozen=True, gc=False):
    """The price holds in [valid_from, valid_until); None leaves that end open.

    limits: in the order in which they are to be reported: by score, then number. moves: limits that do not bind this
    ticket, but whose counters it moves under the eyes of those whom they bind. warnings: what was let pass.

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
    moves: tuple[LimitFact, ...] = ()
    warnings: tuple[Violation, ...] = ()
    cutoff_source: str = "BANCA"
