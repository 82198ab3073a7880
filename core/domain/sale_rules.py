"""The rules that a ticket must pass before it is priced, one function each; a new rule is a new row of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from core.domain.calendar import format_instant
from core.domain.money import format_cents, format_hundredths
from core.domain.multiplier_blocks import blocks_on, violation_of_block
from core.domain.multipliers import refusal_of_multiplier
from core.domain.numbers import NumberError, format_number, parse_number
from core.domain.permissions import Role
from core.domain.price_list import LineTerms, PriceList
from core.domain.restrictions import RestrictionsInForce
from core.domain.reventado import judge_reventados
from core.domain.rulebook import JugadaType, Loteria, Restriction, Rulebook
from core.domain.ticket import Draw, JugadaRequest, TicketRequest
from core.domain.violations import Violation


class Sale(NamedTuple):
    """All that a rule may look at. terms: one per jugada; None for one whose multiplier is none that it may choose.

    actor_role: of whoever sells; VENDEDOR when the seller does. ventana_id: the seller's.
    """

    request: TicketRequest
    draw: Draw
    rulebook: Rulebook
    loteria: Loteria
    prices: PriceList
    restrictions: RestrictionsInForce
    actor_role: Role
    terms: Sequence[LineTerms | None]
    ventana_id: UUID


class Fault(NamedTuple):
    """A violation that does not know its line yet. member: of the jugada or, for a ticket's rule, of the ticket."""

    code: str
    message: str
    member: str
    data: Mapping[str, object] | None = None


TicketRule = Callable[[Sale], Fault | None]
LineRule = Callable[[Sale, JugadaRequest, LineTerms | None], Fault | None]


def judge(sale: Sale) -> list[Violation]:
    """Everything that is wrong: the ticket as a whole first, then jugada by jugada. Empty: it may be priced."""
    found: list[tuple[int, Violation]] = []
    for ticket_rule in TICKET_RULES:
        fault = ticket_rule(sale)
        if fault is not None:
            found.append((-1, Violation(fault.code, fault.message, fault.member, fault.data)))
    for index, (jugada, terms) in enumerate(zip(sale.request.jugadas, sale.terms, strict=True)):
        for line_rule in LINE_RULES:
            fault = line_rule(sale, jugada, terms)
            if fault is not None:
                field = f"jugadas[{index}].{fault.member}"
                found.append((index, Violation(fault.code, fault.message, field, fault.data)))
    found += judge_reventados(sale.request.jugadas)
    if sale.restrictions.blocks and sale.actor_role is not Role.ADMIN:
        found += [(index, _blocked(sale, index, rule)) for index, rule in _blocks(sale)]
    if found:
        found.sort(key=lambda placed: placed[0])
    return [violation for _, violation in found]


def warnings_of(sale: Sale) -> tuple[Violation, ...]:
    """What an ADMIN is let pass, once per rule."""
    if not sale.restrictions.blocks or sale.actor_role is not Role.ADMIN:
        return ()
    first: dict[str, tuple[int, Restriction]] = {}
    for index, rule in _blocks(sale):
        first.setdefault(rule.id, (index, rule))
    blocked = [_blocked(sale, index, rule) for index, rule in first.values()]
    return tuple(Violation(b.code, b.message, None, {**(b.data or {}), "restrictedButAllowed": True}) for b in blocked)


def _blocks(sale: Sale) -> Iterator[tuple[int, Restriction]]:
    """(index of the jugada, rule that blocks its multiplier)."""
    for index, (jugada, terms) in enumerate(zip(sale.request.jugadas, sale.terms, strict=True)):
        if terms is None:
            continue
        number, digits = jugada.number_text, sale.draw.digits
        for rule in blocks_on(sale.restrictions, terms.multiplier_id, number_text=number, digits=digits):
            yield index, rule


def _blocked(sale: Sale, index: int, rule: Restriction) -> Violation:
    return violation_of_block(rule, rulebook=sale.rulebook, loteria=sale.loteria, index=index)


def _loteria_is_the_draws(sale: Sale) -> Fault | None:
    named = sale.request.loteria_id
    if named is None or named == sale.draw.loteria_id:
        return None
    return Fault("SORTEO_LOTERIA_MISMATCH", "the sorteo belongs to another loteria", "loteriaId")


def _ventana_is_the_sellers(sale: Sale) -> Fault | None:
    if sale.request.ventana_id in (None, sale.ventana_id):
        return None
    return Fault("SELLER_VENTANA_MISMATCH", "the seller belongs to another ventana", "ventanaId")


def _loteria_is_active(sale: Sale) -> Fault | None:
    if sale.loteria.is_active:
        return None
    return Fault("LOTERIA_INACTIVE", "the loteria is not active", "loteriaId")


def _loteria_is_sold_now(sale: Sale) -> Fault | None:
    if sale.prices.is_open:
        return None
    opens_at = sale.prices.hours.end
    assert opens_at is not None, "hours that never open are no hours"
    data = {"opensAt": format_instant(opens_at)}
    return Fault("OUT_OF_SALES_HOURS", "the loteria is not sold at this hour", "sorteoId", data)


def _ticket_has_jugadas(sale: Sale) -> Fault | None:
    return None if sale.request.jugadas else Fault("JUGADAS_REQUIRED", "a ticket has at least one jugada", "jugadas")


def _not_too_many_numbers(sale: Sale) -> Fault | None:
    """Both counts of §2.7 at once: a ticket never has more distinct NUMERO numbers than jugadas."""
    maximum = sale.loteria.rules.max_numbers_per_ticket
    if maximum is None or len(sale.request.jugadas) <= maximum:
        return None
    data = {"maxNumbersPerTicket": maximum}
    return Fault("MAX_NUMBERS_PER_TICKET", f"a ticket may have at most {maximum} jugadas", "jugadas", data)


def _ticket_is_not_too_large(sale: Sale) -> Fault | None:
    maximum = sale.rulebook.caps.ticket_cents
    if maximum is None or sum(jugada.amount_cents for jugada in sale.request.jugadas) <= maximum:
        return None
    data = {"maxTicketAmount": format_cents(maximum)}
    return Fault("TICKET_AMOUNT_EXCEEDED", f"a ticket must be at most {format_cents(maximum)}", "jugadas", data)


def _number_fits_the_draw(sale: Sale, jugada: JugadaRequest, _: LineTerms | None) -> Fault | None:
    digits, rules = sale.draw.digits, sale.loteria.rules
    try:
        number = parse_number(jugada.number_text, digits=digits)
    except NumberError as error:
        return Fault(error.code, error.message, "number")
    widest = 10**digits - 1
    low = 0 if rules.number_min is None else rules.number_min
    high = widest if rules.number_max is None else rules.number_max
    if low <= number <= high:
        return None
    data = {"min": format_number(min(low, widest), digits), "max": format_number(min(high, widest), digits)}
    return Fault("NUMBER_OUT_OF_RANGE", "the number is not played in this loteria", "number", data)


def _type_is_allowed(sale: Sale, jugada: JugadaRequest, _: LineTerms | None) -> Fault | None:
    if jugada.type in sale.loteria.rules.allowed_types:
        return None
    return Fault("BETTYPE_NOT_ALLOWED", f"this loteria does not take {jugada.type.value}", "type")


def _reventado_is_enabled(sale: Sale, jugada: JugadaRequest, _: LineTerms | None) -> Fault | None:
    if jugada.type is JugadaType.NUMERO:
        return None
    if not sale.loteria.rules.reventado_enabled:
        return Fault("REVENTADO_DISABLED", "this loteria does not take REVENTADO now", "type")
    if sale.loteria.rules.reventado_requires_matching and jugada.reventado_number_text is None:
        message = "this loteria requires reventadoNumber with a REVENTADO"
        return Fault("REVENTADO_MATCH_REQUIRED", message, "reventadoNumber")
    return None


def _bet_is_not_too_small(sale: Sale, jugada: JugadaRequest, _: LineTerms | None) -> Fault | None:
    minimum = sale.prices.min_bet_cents
    if jugada.amount_cents >= minimum:
        return None
    data = {"minBetAmount": format_cents(minimum)}
    return Fault("BET_MIN_VIOLATION", f"a jugada must be at least {format_cents(minimum)}", "amount", data)


def _bet_is_not_too_large(sale: Sale, jugada: JugadaRequest, _: LineTerms | None) -> Fault | None:
    cap = sale.rulebook.caps.jugada_cents
    if cap is not None and jugada.amount_cents > cap:
        data = {"maxJugadaAmount": format_cents(cap)}
        return Fault("JUGADA_AMOUNT_EXCEEDED", f"a jugada must be at most {format_cents(cap)}", "amount", data)
    maximum = sale.loteria.rules.max_bet_cents
    if maximum is None or jugada.amount_cents <= maximum:
        return None
    data = {"maxBetAmount": format_cents(maximum)}
    return Fault("BET_MAX_VIOLATION", f"a jugada must be at most {format_cents(maximum)}", "amount", data)


def _multiplier_may_be_chosen(sale: Sale, jugada: JugadaRequest, terms: LineTerms | None) -> Fault | None:
    chosen = jugada.multiplier_id
    if jugada.type is JugadaType.REVENTADO:
        if chosen is None:
            return None
        message = "a REVENTADO chooses no multiplier: the draw decides it"
        return Fault("INVALID_MULTIPLIER_KIND", message, "multiplierId")
    if terms is not None:
        cap = sale.rulebook.caps.multiplier_x
        if cap is None or terms.x_hundredths <= cap:
            return None
        data = {"maxMultiplier": format_hundredths(cap)}
        return Fault(
            "MULTIPLIER_EXCEEDED", f"no multiplier may be above {format_hundredths(cap)}", "multiplierId", data
        )
    if chosen is None:
        message = "this loteria has no base multiplier, so one must be chosen"
        return Fault("MISSING_MULTIPLIER_ID", message, "multiplierId")
    refusal = refusal_of_multiplier(sale.rulebook.multipliers.get(chosen), loteria=sale.loteria, on=sale.prices.on)
    assert refusal is not None, "the price list holds every multiplier that may be chosen"
    return Fault(*refusal, "multiplierId")


# Ordered as a ticket's refusals are reported.
TICKET_RULES: tuple[TicketRule, ...] = (
    _ventana_is_the_sellers,
    _loteria_is_the_draws,
    _loteria_is_active,
    _loteria_is_sold_now,
    _ticket_has_jugadas,
    _not_too_many_numbers,
    _ticket_is_not_too_large,
)
LINE_RULES: tuple[LineRule, ...] = (
    _number_fits_the_draw,
    _type_is_allowed,
    _reventado_is_enabled,
    _bet_is_not_too_small,
    _bet_is_not_too_large,
    _multiplier_may_be_chosen,
)
