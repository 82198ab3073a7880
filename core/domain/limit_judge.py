"""Judges limit facts one ticket after another: what sell_tickets does under its locks, in plain words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from core.domain.money import format_cents
from core.domain.numbers import format_number
from core.domain.rulebook import JugadaType
from core.domain.ticket import (
    ALL_JUGADAS,
    REVENTADO_KEY,
    WHOLE_SALES,
    LimitFact,
    LimitScope,
    PricedJugada,
)
from core.domain.violations import Violation

# (scope, scope's id, multiplier key, number or WHOLE_SALES): in one draw.
CounterKey = tuple[LimitScope, UUID, UUID, int]


class LimitVerdict(NamedTuple):
    """limit_cents: what holds, the least of cap and dynamic; None when neither is set. available: never negative."""

    fact: LimitFact
    dynamic_cents: int | None
    limit_cents: int | None
    used_cents: int
    available_cents: int | None

    @property
    def fits(self) -> bool:
        # Before it is cut to 0, "available" may be negative: then not even nothing fits, and every amount is positive.
        return self.available_cents is None or self.fact.amount_cents <= self.available_cents


def judge_limit(fact: LimitFact, counters: Mapping[CounterKey, int]) -> LimitVerdict:
    """counters: cents; one that is missing is 0."""
    used = 0
    if fact.accumulates:
        used = counters.get((fact.scope, fact.scope_id, fact.multiplier_key, fact.number), 0)
    dynamic = None
    if fact.base_cents is not None or fact.sales_basis_points is not None:
        sales = counters.get((fact.scope, fact.scope_id, ALL_JUGADAS, WHOLE_SALES), 0)
        dynamic = max(fact.base_cents or 0, sales * (fact.sales_basis_points or 0) // 10_000)
    limit = min((cents for cents in (fact.cap_cents, dynamic) if cents is not None), default=None)
    available = None if limit is None else max(0, limit - used)
    return LimitVerdict(fact, dynamic, limit, used, available)


def judge_limits(facts: Iterable[LimitFact], counters: Mapping[CounterKey, int]) -> list[LimitVerdict]:
    return [judge_limit(fact, counters) for fact in facts]


def moved_counters(
    jugadas: Iterable[PricedJugada], *, banca_id: UUID, ventana_id: UUID, vendedor_id: UUID
) -> dict[CounterKey, int]:
    """Cents that a sale adds to each counter it matches, governed by a rule or not; a cancel takes the same away."""
    moved: dict[CounterKey, int] = {}
    scopes: tuple[tuple[LimitScope, UUID], ...] = (
        ("BANCA", banca_id),
        ("VENTANA", ventana_id),
        ("VENDEDOR", vendedor_id),
    )
    for jugada in jugadas:
        counts = REVENTADO_KEY if jugada.type is JugadaType.REVENTADO else jugada.multiplier_id
        parts = [(ALL_JUGADAS, jugada.number), (ALL_JUGADAS, WHOLE_SALES)]
        parts += [] if counts is None else [(counts, jugada.number)]
        for scope, scope_id in scopes:
            for key, number in parts:
                counter = (scope, scope_id, key, number)
                moved[counter] = moved.get(counter, 0) + jugada.amount_cents
    return moved


def violations_of_limits(verdicts: Sequence[LimitVerdict], *, digits: int) -> list[Violation]:
    """One per limit that does not hold, in the same order; of several for one number the strictest is marked."""
    broken = [verdict for verdict in verdicts if not verdict.fits]
    marked = strictest_by_number(broken)
    return [
        violation_of_limit(verdict, digits=digits, is_strictest=marked[verdict.fact.number] is verdict)
        for verdict in broken
    ]


def strictest_by_number(verdicts: Iterable[LimitVerdict]) -> dict[int, LimitVerdict]:
    """Of each number the one that leaves least; of equals the first."""
    found: dict[int, LimitVerdict] = {}
    for verdict in verdicts:
        known = found.get(verdict.fact.number)
        if verdict.available_cents is not None and (
            known is None or known.available_cents is None or verdict.available_cents < known.available_cents
        ):
            found[verdict.fact.number] = verdict
    return found


def violation_of_limit(verdict: LimitVerdict, *, digits: int, is_strictest: bool) -> Violation:
    """For HTTP and explain alike. The members: scope, figures as decimals, and those of the fact's label."""
    fact = verdict.fact
    assert verdict.limit_cents is not None, "what has no limit holds"
    assert verdict.available_cents is not None, "what has no limit holds"
    limit, available = format_cents(verdict.limit_cents), format_cents(verdict.available_cents)
    amount = format_cents(fact.amount_cents)
    figures: dict[str, object] = {"amount": amount, "limit": limit, "available": available}
    if fact.number == WHOLE_SALES:
        sentence = f"This draw is sold out: {available} left."
    else:
        number = format_number(fact.number, digits)
        figures = {"number": number, **figures}
        if fact.accumulates:
            sentence = f"Number {number} is sold out for this draw: {available} left."
        else:
            sentence = f"Number {number} takes at most {limit} in one ticket."
            figures |= {"maxAmount": limit, "amountAttempted": amount, "isPerTicket": True}
    label: dict[str, object] = json.loads(fact.label)
    members = {"scope": fact.scope, **figures, **label, "mostRestrictive": is_strictest}
    return Violation(fact.code, sentence, None, members)
