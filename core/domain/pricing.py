"""Prices a ticket: what each line freezes, what everybody earns, and the facts that the till has to judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from core.domain.money import Cents, percent_of
from core.domain.numbers import parse_number
from core.domain.price_list import PriceList, price_list
from core.domain.rulebook import Rulebook, Seller
from core.domain.sale_rules import Sale, judge
from core.domain.ticket import ALL_JUGADAS, Draw, JugadaRequest, LimitFact, PricedJugada, PricedTicket, TicketRequest
from core.domain.violations import Violation


@dataclass(frozen=True, slots=True)
class Refusal:
    """violations: all of them, at least one; the ticket's own first, then by jugada."""

    violations: tuple[Violation, ...]


def price(
    request: TicketRequest, *, rulebook: Rulebook, draw: Draw, seller: Seller, at: datetime
) -> PricedTicket | Refusal:
    """at: the instant whose policies hold; the database judges by its own clock whether the price still does.

    draw: the one that the request names. seller: of this rulebook, and entitled to sell in this ticket's name.
    """
    loteria = rulebook.loterias.get(draw.loteria_id)
    if loteria is None:
        return Refusal((Violation("LOTERIA_NOT_FOUND", "the sorteo's loteria is not sold here", "sorteoId"),))
    prices = price_list(rulebook, seller=seller, loteria=loteria, at=at)
    violations = judge(Sale(request, draw, rulebook, loteria, prices))
    if violations:
        return Refusal(tuple(violations))
    jugadas = tuple(
        [_priced(line, jugada, prices, draw.digits) for line, jugada in enumerate(request.jugadas, start=1)]
    )
    return PricedTicket(
        request=request,
        draw=draw,
        vendedor_id=seller.id,
        ventana_id=seller.ventana_id,
        rulebook_version=rulebook.version,
        jugadas=jugadas,
        total_cents=Cents(sum([j.amount_cents for j in jugadas])),
        commission_cents=Cents(sum([j.commission_cents for j in jugadas])),
        seller_credit_cents=Cents(sum([j.commission_cents for j in jugadas if j.commission_origin == "USER"])),
        listero_commission_cents=Cents(sum([j.listero_commission_cents for j in jugadas])),
        cutoff_s=rulebook.cutoff_minutes * 60,
        valid_from=prices.valid_from,
        valid_until=prices.valid_until,
        limits=_limits(jugadas, rulebook),
    )


def _priced(line: int, jugada: JugadaRequest, prices: PriceList, digits: int) -> PricedJugada:
    terms = prices.terms_of(jugada)
    assert terms is not None, "judged before"
    amount = jugada.amount_cents
    return PricedJugada(
        line=line,
        type=jugada.type,
        number=parse_number(jugada.number_text, digits=digits),
        amount_cents=amount,
        multiplier_id=terms.multiplier_id,
        multiplier_x_hundredths=terms.x_hundredths,
        commission_basis_points=terms.basis_points,
        commission_cents=percent_of(amount, terms.basis_points),
        commission_origin=terms.origin,
        commission_rule_id=terms.rule_id,
        listero_commission_cents=percent_of(amount, terms.listero_basis_points),
    )


def _limits(jugadas: Sequence[PricedJugada], rulebook: Rulebook) -> tuple[LimitFact, ...]:
    """One fact per number that is capped, ordered by number: NUMERO and REVENTADO on it count together."""
    cap = rulebook.global_max_per_number_cents
    if cap is None:
        return ()
    amounts: dict[int, int] = {}
    for jugada in jugadas:
        amounts[jugada.number] = amounts.get(jugada.number, 0) + jugada.amount_cents
    return tuple(
        [
            LimitFact("BANCA", rulebook.banca_id, ALL_JUGADAS, number, Cents(amounts[number]), cap)
            for number in sorted(amounts)
        ]
    )
