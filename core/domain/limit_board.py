"""What is left of each number of a draw, and whose sales have to be counted to know it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from core.domain.balances import balance_facts
from core.domain.limit_judge import CounterKey, LimitVerdict, judge_limits, strictest_by_number
from core.domain.restrictions import LimitRule, RestrictionsInForce
from core.domain.rulebook import Loteria, Rulebook, Seller
from core.domain.ticket import ALL_JUGADAS, WHOLE_SALES, Draw, LimitFact, LimitScope

# Whose sales count together: a scope and its id.
CountedScope = tuple[LimitScope, UUID]
NOBODY_ID = UUID(int=0)


class LimitBoard(NamedTuple):
    """numbers: of each number that a limit governs the one that leaves least, in the order of the numbers.

    whole_sales: of the draw as a whole, judged apart; None when nothing limits it.
    """

    numbers: Mapping[int, LimitVerdict]
    whole_sales: LimitVerdict | None


def limit_board(facts: Iterable[LimitFact], counters: Mapping[CounterKey, int], *, numbers: range) -> LimitBoard:
    """facts: of balance_facts or ventana_facts. counters: those of counted_scopes; one that is missing is 0."""
    strictest = strictest_by_number(judge_limits(facts, counters))
    return LimitBoard(
        {number: strictest[number] for number in numbers if number in strictest}, strictest.get(WHOLE_SALES)
    )


def numbers_played(loteria: Loteria, draw: Draw) -> range:
    """The draw's numbers that its lottery takes."""
    rules, widest = loteria.rules, 10**draw.digits - 1
    low = 0 if rules.number_min is None else rules.number_min
    high = widest if rules.number_max is None else rules.number_max
    return range(max(low, 0), min(high, widest) + 1)


def ventana_facts(
    rulebook: Rulebook, *, draw: Draw, loteria: Loteria, ventana_id: UUID, at: datetime
) -> list[LimitFact]:
    """Of balance_facts, those that bind every sale of the ventana, whoever makes it."""
    facts = balance_facts(rulebook, draw=draw, loteria=loteria, seller=nobody_of(ventana_id), at=at)
    return [fact for fact in facts if fact.scope != "VENDEDOR"]


def nobody_of(ventana_id: UUID) -> Seller:
    """A seller of the ventana without anything of its own."""
    return Seller(NOBODY_ID, ventana_id)


def counted_scopes(restrictions: RestrictionsInForce, *, banca_id: UUID, seller: Seller) -> frozenset[CountedScope]:
    """The scopes of balance_facts: all of their counters are of ALL_JUGADAS. The banca's own is always among them."""
    heads = (rule.head or ("VENDEDOR", seller.id, rule.counts) for rule in _accumulating(restrictions))
    counted = {(scope, scope_id) for scope, scope_id, counts in heads if counts is ALL_JUGADAS}
    return frozenset({("BANCA", banca_id), *counted} - {("VENDEDOR", NOBODY_ID)})


def _accumulating(restrictions: RestrictionsInForce) -> Iterator[LimitRule]:
    rules = [rule for by_number in restrictions.of_number for group in by_number.values() for rule in group]
    rules += [rule for by_counts in restrictions.of_any_number for _, group in by_counts for rule in group]
    for rule in rules:
        if rule.tail is not None and rule.tail[4]:
            yield rule
