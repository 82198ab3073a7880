"""What a ticket puts on each number, and every limit that this has to meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple
from uuid import UUID

from core.domain.money import Cents
from core.domain.restrictions import MAXAMOUNT, LimitRule, RestrictionsInForce
from core.domain.rulebook import JugadaType, Rulebook, Seller
from core.domain.ticket import ALL_JUGADAS, GLOBAL_MAX_LABEL, REVENTADO_KEY, WHOLE_SALES, Draw, LimitFact, PricedJugada

SORTEO_MAXTOTAL = "SORTEO_MAXTOTAL_EXCEEDED"
MAXTOTAL = "NUMBER_MAXTOTAL_EXCEEDED"
_GLOBAL_LIMIT_LABEL = '{"source":"SORTEO_GLOBAL_LIMIT"}'
_NUMBER_LIMIT_LABEL = '{"source":"SORTEO_NUMBER_LIMIT"}'
_MAX_TOTAL_LABEL = '{"source":"MAX_TOTAL_PER_SORTEO"}'

_new_fact = tuple.__new__


class Stakes(NamedTuple):
    """Cents by number, in the order of the numbers. apart: also by what counts, for rules that count less than all."""

    all: Mapping[int, int]
    apart: Mapping[UUID, Mapping[int, int]]

    def of(self, counts: UUID) -> Mapping[int, int]:
        return self.all if counts is ALL_JUGADAS else self.apart.get(counts, {})


# A rule, a number that it limits in this ticket, and the cents of it that count.
Governed = tuple[LimitRule, int, int]


def stakes_of(jugadas: Sequence[PricedJugada], *, apart: bool) -> Stakes:
    everything: dict[int, int] = {}
    for jugada in jugadas:
        number = jugada.number
        everything[number] = everything.get(number, 0) + jugada.amount_cents
    if len(everything) > 1:
        everything = dict(sorted(everything.items()))
    return Stakes(everything, _parts(jugadas) if apart else {})


def _parts(jugadas: Sequence[PricedJugada]) -> dict[UUID, dict[int, int]]:
    parts: dict[UUID, dict[int, int]] = {}
    for jugada in sorted(jugadas, key=itemgetter(2)):
        counts = REVENTADO_KEY if jugada.type is JugadaType.REVENTADO else jugada.multiplier_id
        if counts is not None:
            part = parts.setdefault(counts, {})
            part[jugada.number] = part.get(jugada.number, 0) + jugada.amount_cents
    return parts


def governed(stakes: Stakes, restrictions: RestrictionsInForce) -> list[Governed]:
    """Every rule with every number that it limits in this ticket: by score, highest first, then by number."""
    found: list[Governed] = []
    for by_number in restrictions.of_number:
        for number, total in stakes.all.items():
            for rule in by_number.get(number, ()):
                amount = total if rule.counts is ALL_JUGADAS else stakes.of(rule.counts).get(number)
                if amount is not None:
                    found.append((rule, number, amount))
    for by_counts in restrictions.of_any_number:
        if len(by_counts) == 1:
            [(counts, rules)] = by_counts
            found += [(rule, number, amount) for number, amount in stakes.of(counts).items() for rule in rules]
        else:
            parts = [(stakes.of(counts), rules) for counts, rules in by_counts]
            found += [
                (rule, number, part[number])
                for number in stakes.all
                for part, rules in parts
                if number in part
                for rule in rules
            ]
    return found


def restriction_facts(pairs: Sequence[Governed], *, seller: Seller) -> list[LimitFact]:
    """What the till judges of the rules, in the same order."""
    return [
        _new_fact(LimitFact, (*(rule.head or ("VENDEDOR", seller.id, rule.counts)), number, amount, *rule.tail))
        for rule, number, amount in pairs
        if rule.tail is not None
    ]


def per_ticket_facts(pairs: Sequence[Governed], *, seller: Seller) -> list[LimitFact]:
    """What needs no counter and is judged by itself, in the same order."""
    facts: list[LimitFact] = []
    for rule, number, amount in pairs:
        cap = rule.per_ticket_cents
        if cap is not None:
            scope, scope_id, counts = rule.head or ("VENDEDOR", seller.id, rule.counts)
            terms = (MAXAMOUNT, False, rule.restriction.id, rule.label)
            facts.append(LimitFact(scope, scope_id, counts, number, Cents(amount), cap, None, None, *terms))
    return facts


def draw_facts(stakes: Stakes, *, rulebook: Rulebook, draw: Draw, each: bool = False) -> list[LimitFact]:
    """The draw's own limits and the banca's settings: number by number, then what the draw may sell as a whole.

    All of a number's count the same, so that only the strictest matters. each: the others too, to be shown.
    """
    facts: list[LimitFact] = []
    banca_id = rulebook.banca_id
    for number, total in stakes.all.items():
        caps = _caps_of(number, rulebook, draw)
        for cap, label in caps if each else sorted(caps)[:1]:
            terms = (MAXTOTAL, True, None, label)
            facts.append(LimitFact("BANCA", banca_id, ALL_JUGADAS, number, Cents(total), cap, None, None, *terms))
    setting = rulebook.loteria_settings.get(draw.loteria_id) if rulebook.loteria_settings else None
    if setting is not None and setting.max_total_cents is not None:
        amount, cap = Cents(sum(stakes.all.values())), setting.max_total_cents
        terms = (SORTEO_MAXTOTAL, True, None, _MAX_TOTAL_LABEL)
        facts.append(LimitFact("BANCA", banca_id, ALL_JUGADAS, WHOLE_SALES, amount, cap, None, None, *terms))
    return facts


def _caps_of(number: int, rulebook: Rulebook, draw: Draw) -> list[tuple[Cents, str]]:
    """(cap, label): the draw's limit for the number, else its limit for all; and the banca's."""
    caps: list[tuple[Cents, str]] = []
    if number in draw.number_limits:
        caps.append((draw.number_limits[number], _NUMBER_LIMIT_LABEL))
    elif draw.global_limit_cents is not None:
        caps.append((draw.global_limit_cents, _GLOBAL_LIMIT_LABEL))
    if rulebook.global_max_per_number_cents is not None:
        caps.append((rulebook.global_max_per_number_cents, GLOBAL_MAX_LABEL))
    return caps
