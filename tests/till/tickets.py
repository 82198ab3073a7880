"""Tickets as a seller's request brings them."""

from __future__ import annotations

from uuid import UUID

from core.domain.money import Cents
from core.domain.rulebook import JugadaType
from core.domain.ticket import CLIENTE_DEFAULT, JugadaRequest, TicketRequest
from core.till.order import Actor
from core.till.sales import SaleRequest
from tests.arena import Person, Seller, Terminal
from tests.pos import new_key

# Number and amount in cents; "R07" is a REVENTADO on 07.
Bet = tuple[str, int]


def actor_of(seller: Seller, *, terminal: Terminal | None = None, key_version: int = 1) -> Actor:
    assert seller.banca_id is not None, "a seller has a banca"
    terminal_id = (terminal or seller.terminal).id
    return Actor(seller.banca_id, seller.id, seller.role.value, seller.session_id, terminal_id, key_version)


def actor_for(person: Person, banca_id: UUID, terminal: Terminal) -> Actor:
    """Somebody who is no seller, at a terminal."""
    return Actor(banca_id, person.id, person.role.value, person.session_id, terminal.id, 1, person.ventana_id)


def ticket(
    sorteo_id: UUID,
    *bets: Bet,
    cliente: str = CLIENTE_DEFAULT,
    multiplier_id: UUID | None = None,
    vendedor_id: UUID | None = None,
) -> TicketRequest:
    """No bets: 1.00 on 07. multiplier_id: of every NUMERO."""
    return TicketRequest(
        sorteo_id, None, vendedor_id, cliente, tuple(_jugada(*bet, multiplier_id) for bet in bets or [("07", 100)])
    )


def _jugada(number: str, amount_cents: int, multiplier_id: UUID | None) -> JugadaRequest:
    if number.startswith("R"):
        return JugadaRequest(JugadaType.REVENTADO, number[1:], number[1:], Cents(amount_cents), None)
    return JugadaRequest(JugadaType.NUMERO, number, None, Cents(amount_cents), multiplier_id)


def sale(seller: Seller, asked: TicketRequest, *, key: str | None = None, actor: Actor | None = None) -> SaleRequest:
    return SaleRequest(actor or actor_of(seller), key or new_key(), "test", asked)
