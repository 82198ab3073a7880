"""Prices a ticket: what each line freezes, what everybody earns, and the facts that the till has to judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from core.domain.limit_judge import judge_limits, violations_of_limits
from core.domain.limits import Governed, draw_facts, governed, per_ticket_facts, restriction_facts, stakes_of
from core.domain.money import Cents, percent_of
from core.domain.numbers import NumberError, parse_number
from core.domain.permissions import Role
from core.domain.price_list import LineTerms, price_list
from core.domain.restrictions import RestrictionsInForce, restrictions_in_force
from core.domain.rulebook import Rulebook, Seller
from core.domain.sale_rules import Sale, judge, warnings_of
from core.domain.spans import ALWAYS, Span, meet
from core.domain.ticket import Draw, JugadaRequest, LimitFact, PricedJugada, PricedTicket, TicketRequest
from core.domain.violations import Violation

# Who sells in a seller's name is not bound by that seller's own rules.
DROPS_USER_RULES = frozenset({Role.ADMIN, Role.VENTANA})


@dataclass(frozen=True, slots=True)
class Refusal:
    """violations: all of them, at least one; the ticket's own first, then by jugada, then by number.

    valid_from, valid_until: the refusal is the rulebook's answer in [valid_from, valid_until).
    """

    violations: tuple[Violation, ...]
    valid_from: datetime | None = None
    valid_until: datetime | None = None


def price(
    request: TicketRequest,
    *,
    rulebook: Rulebook,
    draw: Draw,
    seller: Seller,
    at: datetime,
    actor_role: Role = Role.VENDEDOR,
) -> PricedTicket | Refusal:
    """at: the instant whose rules hold; the database judges by its own clock whether the price still does.

    draw: the one that the request names. seller: of this rulebook, and entitled to sell in this ticket's name.
    actor_role: of whoever sells; VENDEDOR when the seller does.
    """
    sale = prepared(request, rulebook=rulebook, draw=draw, seller=seller, at=at, actor_role=actor_role)
    if sale is None:
        return Refusal((Violation("LOTERIA_NOT_FOUND", "the sorteo's loteria is not sold here", "sorteoId"),))
    prices, restrictions = sale.prices, sale.restrictions
    unbound = _unbound_rules(sale, seller, at)
    valid_from, valid_until = _span(sale, unbound)
    violations = judge(sale)
    jugadas = tuple(priced_jugadas(sale))
    stakes = stakes_of(jugadas, apart=restrictions.counts_apart)
    pairs = governed(stakes, restrictions)
    violations += _too_much(pairs, seller, draw)
    if violations:
        return Refusal(tuple(violations), valid_from, valid_until)
    total, commission, credit, listero = _sums(jugadas)
    return PricedTicket(
        request=request,
        draw=draw,
        vendedor_id=seller.id,
        ventana_id=seller.ventana_id,
        rulebook_version=rulebook.version,
        jugadas=jugadas,
        total_cents=total,
        commission_cents=commission,
        seller_credit_cents=credit,
        listero_commission_cents=listero,
        cutoff_s=prices.cutoff.seconds,
        valid_from=valid_from,
        valid_until=valid_until,
        limits=(*restriction_facts(pairs, seller=seller), *draw_facts(stakes, rulebook=rulebook, draw=draw)),
        moves=_moves(jugadas, unbound, seller) if unbound is not None else (),
        warnings=warnings_of(sale),
        cutoff_source=prices.cutoff.source,
    )


def prepared(
    request: TicketRequest, *, rulebook: Rulebook, draw: Draw, seller: Seller, at: datetime, actor_role: Role
) -> Sale | None:
    """All that the rules look at; None when the draw's lottery is not in the rulebook."""
    loteria = rulebook.loterias.get(draw.loteria_id)
    if loteria is None:
        return None
    prices = price_list(rulebook, seller=seller, loteria=loteria, at=at)
    restrictions = restrictions_in_force(
        rulebook,
        seller=seller,
        loteria=loteria,
        drawn_on=draw.business_date,
        at=at,
        with_user_rules=actor_role not in DROPS_USER_RULES,
    )
    terms = [prices.terms_of(jugada) for jugada in request.jugadas]
    return Sale(request, draw, rulebook, loteria, prices, restrictions, actor_role, terms, seller.ventana_id)


def priced_jugadas(sale: Sale) -> list[PricedJugada]:
    """The lines that have a price: all of them, when nothing is wrong with the ticket."""
    digits = sale.draw.digits
    priced: list[PricedJugada] = []
    for line, (jugada, terms) in enumerate(zip(sale.request.jugadas, sale.terms, strict=True), start=1):
        if terms is None:
            continue
        try:
            number = parse_number(jugada.number_text, digits=digits)
        except NumberError:
            continue
        priced.append(_priced(line, jugada, number, terms))
    return priced


def _priced(line: int, jugada: JugadaRequest, number: int, terms: LineTerms) -> PricedJugada:
    amount = jugada.amount_cents
    return PricedJugada(
        line,
        jugada.type,
        number,
        amount,
        terms.multiplier_id,
        terms.x_hundredths,
        terms.basis_points,
        percent_of(amount, terms.basis_points),
        terms.origin,
        terms.rule_id,
        percent_of(amount, terms.listero_basis_points),
    )


def _sums(jugadas: Sequence[PricedJugada]) -> tuple[Cents, Cents, Cents, Cents]:
    """Total, seller's commission, what of it is credited to the seller, listero's commission."""
    total = commission = credit = listero = 0
    for jugada in jugadas:
        total += jugada.amount_cents
        commission += jugada.commission_cents
        listero += jugada.listero_commission_cents
        if jugada.commission_origin == "USER":
            credit += jugada.commission_cents
    return Cents(total), Cents(commission), Cents(credit), Cents(listero)


def _too_much(pairs: Sequence[Governed], seller: Seller, draw: Draw) -> list[Violation]:
    """What one ticket may not have of a number."""
    for rule, _, amount in pairs:
        if rule.per_ticket_cents is not None and amount > rule.per_ticket_cents:
            verdicts = judge_limits(per_ticket_facts(pairs, seller=seller), {})
            return violations_of_limits(verdicts, digits=draw.digits)
    return []


def _unbound_rules(sale: Sale, seller: Seller, at: datetime) -> RestrictionsInForce | None:
    """Where the seller's own rules do not bind who acts: all rules, those too. None where there are none."""
    if sale.actor_role not in DROPS_USER_RULES or seller.id not in sale.rulebook.restrictions:
        return None
    return restrictions_in_force(
        sale.rulebook, seller=seller, loteria=sale.loteria, drawn_on=sale.draw.business_date, at=at
    )


def _moves(jugadas: Sequence[PricedJugada], restrictions: RestrictionsInForce, seller: Seller) -> tuple[LimitFact, ...]:
    stakes = stakes_of(jugadas, apart=restrictions.counts_apart)
    own = [pair for pair in governed(stakes, restrictions) if pair[0].restriction.user_id is not None]
    return tuple(fact for fact in restriction_facts(own, seller=seller) if fact.accumulates)


def _span(sale: Sale, unbound: RestrictionsInForce | None) -> Span:
    prices, restrictions = sale.prices.span, sale.restrictions.span
    if unbound is not None:
        return meet((prices, restrictions, unbound.span))
    return prices if restrictions == ALWAYS else meet((prices, restrictions))
