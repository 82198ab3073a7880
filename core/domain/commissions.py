"""Who earns how much of a line (§2.13).

A chain is the policies that could decide, nearest first. The first one in force decides alone: when none of its
rules matches, its default holds, and the next policy is never asked.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from core.domain.money import Cents, percent_of
from core.domain.rulebook import CommissionPolicy, CommissionRule, JugadaType, Rulebook, Seller, Ventana
from core.domain.spans import earliest, latest

Chain = tuple[tuple[str, CommissionPolicy | None], ...]


@dataclass(frozen=True, slots=True)
class PolicyInForce:
    """policy, origin: None when no policy is in force. The answer holds in [valid_from, valid_until)."""

    policy: CommissionPolicy | None
    origin: str | None
    valid_from: datetime | None
    valid_until: datetime | None


class Commission(NamedTuple):
    """rule_id: None when the policy's default decided."""

    basis_points: int
    cents: Cents
    origin: str | None
    rule_id: str | None


def commission_of(
    in_force: PolicyInForce, *, loteria_id: UUID, bet_type: JugadaType, x_hundredths: int, amount_cents: Cents
) -> Commission:
    """One line's commission, rounded half up. x_hundredths: 0 for REVENTADO, whose multiplier the draw decides."""
    basis_points, rule_id = rate_of(
        in_force.policy, loteria_id=loteria_id, bet_type=bet_type, x_hundredths=x_hundredths
    )
    return Commission(basis_points, percent_of(amount_cents, basis_points), in_force.origin, rule_id)


def rate_of(
    policy: CommissionPolicy | None, *, loteria_id: UUID, bet_type: JugadaType, x_hundredths: int
) -> tuple[int, str | None]:
    """(basis points, id of the first rule that matches or None)."""
    return rates_of(policy, loteria_id=loteria_id, bet_type=bet_type, xs=(x_hundredths,))[x_hundredths]


def rates_of(
    policy: CommissionPolicy | None, *, loteria_id: UUID, bet_type: JugadaType, xs: Iterable[int]
) -> dict[int, tuple[int, str | None]]:
    """rate_of for each X. Each rule is looked at once, and not for every multiplier that a lottery has."""
    open_xs = sorted(set(xs))
    rates: dict[int, tuple[int, str | None]] = {}
    for rule in () if policy is None else policy.rules:
        if not open_xs:
            break
        if not _concerns(rule, loteria_id, bet_type):
            continue
        first, end = 0, len(open_xs)
        # Of REVENTADO a range says nothing: a line has no multiplier yet.
        if rule.bet_type is not JugadaType.REVENTADO:
            first = 0 if rule.multiplier_min is None else bisect_left(open_xs, rule.multiplier_min)
            end = end if rule.multiplier_max is None else bisect_right(open_xs, rule.multiplier_max)
        rates |= dict.fromkeys(open_xs[first:end], (rule.basis_points, rule.id))
        del open_xs[first:end]
    default = (0, None) if policy is None else (policy.default_basis_points, None)
    return rates | dict.fromkeys(open_xs, default)


def seller_chain(rulebook: Rulebook, seller: Seller) -> Chain:
    ventana = _ventana_of(rulebook, seller)
    return (("USER", seller.policy), ("VENTANA", ventana.policy), ("BANCA", rulebook.policy))


def listero_chain(rulebook: Rulebook, seller: Seller) -> Chain:
    """The listero is the VENTANA user of the seller's ventana."""
    ventana = _ventana_of(rulebook, seller)
    return (("USER", ventana.listero_policy), ("VENTANA", ventana.policy), ("BANCA", rulebook.policy))


def policy_in_force(chain: Chain, *, at: datetime) -> PolicyInForce:
    """The first policy of the chain that is in force, and how long that stays so."""
    starts: list[datetime] = []
    ends: list[datetime] = []
    for origin, policy in chain:
        if policy is None:
            continue
        start, end = policy.effective_from, policy.effective_to
        if start is not None and at < start:
            ends.append(start)
        elif end is not None and at >= end:
            starts.append(end)
        else:
            starts += [start] if start else []
            ends += [end] if end else []
            return PolicyInForce(policy, origin, latest(starts), earliest(ends))
    return PolicyInForce(None, None, latest(starts), earliest(ends))


def _ventana_of(rulebook: Rulebook, seller: Seller) -> Ventana:
    # A ventana that is missing is one of the rulebook's defects; commissions never stop a sale.
    return rulebook.ventanas.get(seller.ventana_id) or Ventana(seller.ventana_id)


def _concerns(rule: CommissionRule, loteria_id: UUID, bet_type: JugadaType) -> bool:
    return rule.loteria_id in (None, loteria_id) and rule.bet_type in (None, bet_type)
