"""What a sold ticket has to meet to be sold again, at its own terms: today's limits and cutoff, and how long they hold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from core.domain.cutoffs import cutoff_in_force
from core.domain.limit_judge import LimitVerdict, judge_limits
from core.domain.limits import draw_facts, governed, per_ticket_facts, restriction_facts, stakes_of
from core.domain.permissions import Role
from core.domain.pricing import DROPS_USER_RULES
from core.domain.restrictions import restrictions_in_force
from core.domain.rulebook import Loteria, Rulebook, Seller
from core.domain.spans import Span, meet
from core.domain.ticket import Draw, LimitFact, PricedJugada


class TermsNow(NamedTuple):
    """limits: of counters, for the till to judge, in the order of their report. broken: limits of a single ticket that
    it does not meet, whatever else was sold. span: as long as all of this stays the same.
    """

    cutoff_s: int
    span: Span
    limits: tuple[LimitFact, ...]
    broken: tuple[LimitVerdict, ...]


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
        rulebook, seller=seller, loteria=loteria, at=at, with_user_rules=with_user_rules
    )
    cutoff = cutoff_in_force(rulebook, seller, at=at)
    stakes = stakes_of(jugadas, apart=restrictions.counts_apart)
    pairs = governed(stakes, restrictions)
    verdicts = judge_limits(per_ticket_facts(pairs, seller=seller), {})
    return TermsNow(
        cutoff.seconds,
        meet((cutoff.span, restrictions.span)),
        (*restriction_facts(pairs, seller=seller), *draw_facts(stakes, rulebook=rulebook, draw=draw)),
        tuple(verdict for verdict in verdicts if not verdict.fits),
    )
