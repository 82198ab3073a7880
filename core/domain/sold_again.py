"""What a sold ticket has to meet to be sold again, at its own terms: today's multipliers, limits and cutoff, and how long
they hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import NamedTuple

from core.domain.calendar import costa_rica_date
from core.domain.cutoffs import cutoff_in_force
from core.domain.limit_judge import LimitVerdict, judge_limits
from core.domain.limits import draw_facts, governed, per_ticket_facts, restriction_facts, stakes_of
from core.domain.multiplier_blocks import blocks_on, violation_of_block
from core.domain.multipliers import refusal_of_multiplier
from core.domain.numbers import format_number
from core.domain.permissions import Role
from core.domain.pricing import DROPS_USER_RULES
from core.domain.restrictions import RestrictionsInForce, restrictions_in_force
from core.domain.rulebook import Loteria, Rulebook, Seller
from core.domain.spans import Span, in_window, meet
from core.domain.ticket import Draw, LimitFact, PricedJugada
from core.domain.violations import Violation


class TermsNow(NamedTuple):
    """limits: of counters, for the till to judge, in the order of their report. broken: limits of a single ticket that
    it does not meet, whatever else was sold. refused: its multipliers that nobody may choose any more. span: as long
    as all of this stays the same.
    """

    cutoff_s: int
    span: Span
    limits: tuple[LimitFact, ...]
    broken: tuple[LimitVerdict, ...]
    refused: tuple[Violation, ...]


def terms_now(
    jugadas: Sequence[PricedJugada],
    *,
    rulebook: Rulebook,
    draw: Draw,
    loteria: Loteria,
    seller: Seller,
    at: datetime,
    actor_role: Role,
) -> TermsNow:
    """seller: with the ventana that the ticket was sold in. actor_role: as in price()."""
    with_user_rules = actor_role not in DROPS_USER_RULES
    restrictions = restrictions_in_force(
        rulebook,
        seller=seller,
        loteria=loteria,
        drawn_on=draw.business_date,
        at=at,
        with_user_rules=with_user_rules,
    )
    cutoff = cutoff_in_force(rulebook, seller, at=at)
    stakes = stakes_of(jugadas, apart=restrictions.counts_apart)
    pairs = governed(stakes, restrictions)
    verdicts = judge_limits(per_ticket_facts(pairs, seller=seller), {})
    refused = chain(
        _not_to_choose(jugadas, rulebook, loteria, at),
        _blocked(jugadas, rulebook, loteria, restrictions, draw) if actor_role is not Role.ADMIN else (),
    )
    return TermsNow(
        cutoff.seconds,
        meet((cutoff.span, restrictions.span, *_days_of_multipliers(jugadas, rulebook, at))),
        (*restriction_facts(pairs, seller=seller), *draw_facts(stakes, rulebook=rulebook, draw=draw)),
        tuple(verdict for verdict in verdicts if not verdict.fits),
        tuple(refused),
    )


def _not_to_choose(
    jugadas: Sequence[PricedJugada], rulebook: Rulebook, loteria: Loteria, at: datetime
) -> Iterator[Violation]:
    """A REVENTADO has no multiplier."""
    today = costa_rica_date(at)
    for index, jugada in enumerate(jugadas):
        if jugada.multiplier_id is None:
            continue
        multiplier = rulebook.multipliers.get(jugada.multiplier_id)
        if refusal := refusal_of_multiplier(multiplier, loteria=loteria, on=today):
            yield Violation(*refusal, f"jugadas[{index}].multiplierId")


def _blocked(
    jugadas: Sequence[PricedJugada],
    rulebook: Rulebook,
    loteria: Loteria,
    restrictions: RestrictionsInForce,
    draw: Draw,
) -> Iterator[Violation]:
    for index, jugada in enumerate(jugadas):
        number = format_number(jugada.number, draw.digits)
        for rule in blocks_on(restrictions, jugada.multiplier_id, number_text=number, digits=draw.digits):
            yield violation_of_block(rule, rulebook=rulebook, loteria=loteria, index=index)


def _days_of_multipliers(jugadas: Sequence[PricedJugada], rulebook: Rulebook, at: datetime) -> Iterator[Span]:
    """How long it stays so that each of them is sold today, or is not."""
    for jugada in jugadas:
        multiplier = None if jugada.multiplier_id is None else rulebook.multipliers.get(jugada.multiplier_id)
        if multiplier is not None and multiplier.applies_to_date is not None:
            yield in_window(multiplier.applies_to_date, None, at=at)[1]
