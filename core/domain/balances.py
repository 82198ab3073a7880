"""What is left of each number of a draw (§2.12): the limits that a ticket would meet, without a ticket."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from core.domain.limits import Stakes, draw_facts, governed, restriction_facts
from core.domain.permissions import Role
from core.domain.pricing import DROPS_USER_RULES
from core.domain.restrictions import restrictions_in_force
from core.domain.rulebook import Loteria, Rulebook, Seller
from core.domain.ticket import Draw, LimitFact

_NOBODY = Seller(UUID(int=0), UUID(int=0))


def balance_facts(
    rulebook: Rulebook,
    *,
    draw: Draw,
    loteria: Loteria,
    seller: Seller,
    at: datetime,
    actor_role: Role = Role.VENDEDOR,
) -> list[LimitFact]:
    """Every limit of every number, of amount 0; limits of single multipliers, or of one ticket, are left out.

    judge_limits says what is left by each, strictest_by_number which of them counts.
    """
    stakes = Stakes(dict.fromkeys(range(10**draw.digits), 0), {})
    with_user_rules = actor_role not in DROPS_USER_RULES
    restrictions = restrictions_in_force(
        rulebook,
        seller=seller,
        loteria=loteria,
        drawn_on=draw.business_date,
        at=at,
        with_user_rules=with_user_rules,
    )
    facts = restriction_facts(governed(stakes, restrictions), seller=seller)
    facts += draw_facts(stakes, rulebook=rulebook, draw=draw)
    return [fact for fact in facts if fact.accumulates]


def banca_facts(rulebook: Rulebook, *, draw: Draw, loteria: Loteria, at: datetime) -> list[LimitFact]:
    """Of balance_facts, those that count what the whole banca sells, whoever sells it."""
    facts = balance_facts(rulebook, draw=draw, loteria=loteria, seller=_NOBODY, at=at)
    return [fact for fact in facts if fact.scope == "BANCA"]
