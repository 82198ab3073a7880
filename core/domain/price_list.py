"""What a line costs and earns, worked out once per seller's terms and lottery, then only looked up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core.domain.commissions import (
    PolicyInForce,
    earliest,
    latest,
    listero_chain,
    policy_in_force,
    rate_of,
    seller_chain,
)
from core.domain.money import Cents
from core.domain.multipliers import base_multiplier, multipliers_to_choose
from core.domain.rulebook import JugadaType, Loteria, Rulebook, Seller
from core.domain.ticket import JugadaRequest

# A price list takes about a kilobyte; beyond this many, a rulebook starts its collection anew.
PRICE_LISTS_MAX = 20_000


@dataclass(frozen=True, slots=True)
class LineTerms:
    """What a line freezes. x_hundredths: 0 for REVENTADO."""

    multiplier_id: UUID | None
    x_hundredths: int
    basis_points: int
    origin: str | None
    rule_id: str | None
    listero_basis_points: int


@dataclass(frozen=True, slots=True)
class PriceList:
    """Holds in [valid_from, valid_until). numero: by the multiplier chosen. base: when none is; None: one must be."""

    numero: Mapping[UUID, LineTerms]
    base: LineTerms | None
    reventado: LineTerms
    min_bet_cents: Cents
    valid_from: datetime | None
    valid_until: datetime | None

    def holds_at(self, at: datetime) -> bool:
        return (self.valid_from is None or self.valid_from <= at) and (
            self.valid_until is None or at < self.valid_until
        )

    def terms_of(self, jugada: JugadaRequest) -> LineTerms | None:
        """None when the line's multiplier is none that it may choose."""
        if jugada.type is JugadaType.REVENTADO:
            return self.reventado
        return self.base if jugada.multiplier_id is None else self.numero.get(jugada.multiplier_id)


def price_list(rulebook: Rulebook, *, seller: Seller, loteria: Loteria, at: datetime) -> PriceList:
    """Sellers of a ventana without a policy of their own share one."""
    key = (seller.ventana_id, seller.id if seller.policy else None, loteria.id)
    known = rulebook.price_lists.get(key)
    if known is not None and known.holds_at(at):
        return known
    if len(rulebook.price_lists) >= PRICE_LISTS_MAX:
        rulebook.price_lists.clear()
    made = rulebook.price_lists[key] = _make(rulebook, seller, loteria, at)
    return made


def _make(rulebook: Rulebook, seller: Seller, loteria: Loteria, at: datetime) -> PriceList:
    of_seller = policy_in_force(seller_chain(rulebook, seller), at=at)
    of_listero = policy_in_force(listero_chain(rulebook, seller), at=at)

    def terms(bet_type: JugadaType, multiplier_id: UUID | None, x_hundredths: int) -> LineTerms:
        basis_points, rule_id = _rate(of_seller, loteria, bet_type, x_hundredths)
        listero_basis_points, _ = _rate(of_listero, loteria, bet_type, x_hundredths)
        return LineTerms(multiplier_id, x_hundredths, basis_points, of_seller.origin, rule_id, listero_basis_points)

    base = base_multiplier(rulebook, loteria)
    return PriceList(
        numero={m.id: terms(JugadaType.NUMERO, m.id, m.x_hundredths) for m in multipliers_to_choose(rulebook, loteria)},
        base=None if base is None else terms(JugadaType.NUMERO, *base),
        reventado=terms(JugadaType.REVENTADO, None, 0),
        # The stricter of the lottery's and the banca's holds.
        min_bet_cents=max(loteria.rules.min_bet_cents or Cents(0), rulebook.default_min_bet_cents),
        valid_from=latest((of_seller.valid_from, of_listero.valid_from)),
        valid_until=earliest((of_seller.valid_until, of_listero.valid_until)),
    )


def _rate(in_force: PolicyInForce, loteria: Loteria, bet_type: JugadaType, x_hundredths: int) -> tuple[int, str | None]:
    return rate_of(in_force.policy, loteria_id=loteria.id, bet_type=bet_type, x_hundredths=x_hundredths)
