"""What a line costs and earns, worked out once per seller's terms and lottery, then only looked up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from core.domain.calendar import costa_rica_date
from core.domain.commissions import PolicyInForce, listero_chain, policy_in_force, rates_of, seller_chain
from core.domain.cutoffs import Cutoff, cutoff_in_force
from core.domain.money import Cents
from core.domain.multipliers import BASE_NAME, MultiplierSource, base_multiplier, multipliers_to_choose
from core.domain.rulebook import JugadaType, Loteria, Rulebook, Seller
from core.domain.spans import Span, in_sales_hours, in_window, meet
from core.domain.ticket import JugadaRequest

# A price list takes about a kilobyte; beyond this many, a rulebook starts its collection anew.
PRICE_LISTS_MAX = 20_000


@dataclass(frozen=True, slots=True)
class LineTerms:
    """What a line freezes. x_hundredths: 0 for REVENTADO. source, source_id: who gave X; the id of an override."""

    multiplier_id: UUID | None
    x_hundredths: int
    basis_points: int
    origin: str | None
    rule_id: str | None
    listero_basis_points: int
    listero_origin: str | None
    listero_rule_id: str | None
    source: MultiplierSource
    source_id: str | None


@dataclass(frozen=True, slots=True)
class PriceList:
    """Holds during span. numero: by the chosen multiplier's id as an integer, which is found four times as fast.

    base: when none is chosen; None: one must be.

    on: the day, Costa Rica's, that it was made on. is_open: whether the lottery is sold now; hours: how long that
    stays so.
    """

    numero: Mapping[int, LineTerms]
    base: LineTerms | None
    reventado: LineTerms
    min_bet_cents: Cents
    cutoff: Cutoff
    on: date
    is_open: bool
    hours: Span
    span: Span

    def terms_of(self, jugada: JugadaRequest) -> LineTerms | None:
        """None when the line's multiplier is none that it may choose."""
        if jugada.type is JugadaType.REVENTADO:
            return self.reventado
        return self.base if jugada.multiplier_id is None else self.numero.get(jugada.multiplier_id.int)


def price_list(rulebook: Rulebook, *, seller: Seller, loteria: Loteria, at: datetime) -> PriceList:
    """Sellers of a ventana without terms of their own share one."""
    seller_id, loteria_id = seller.id, loteria.id
    is_own = (
        seller.policy is not None
        or seller_id in rulebook.restrictions
        or (bool(rulebook.overrides) and (seller_id, loteria_id) in rulebook.overrides)
    )
    key = (seller.ventana_id, seller_id if is_own else None, loteria_id)
    known = rulebook.price_lists.get(key)
    if known is not None and known.span.holds(at):
        return known
    if len(rulebook.price_lists) >= PRICE_LISTS_MAX:
        rulebook.price_lists.clear()
    made = rulebook.price_lists[key] = _make(rulebook, seller, loteria, at)
    return made


def _make(rulebook: Rulebook, seller: Seller, loteria: Loteria, at: datetime) -> PriceList:
    of_seller = policy_in_force(seller_chain(rulebook, seller), at=at)
    of_listero = policy_in_force(listero_chain(rulebook, seller), at=at)
    cutoff = cutoff_in_force(rulebook, seller, at=at)
    is_open, hours = in_sales_hours(loteria.rules.sales_hours, at=at)

    on = costa_rica_date(at)
    base = base_multiplier(rulebook, loteria, seller=seller, on=on)
    to_choose = multipliers_to_choose(rulebook, loteria, on=on)
    xs = [*(m.x_hundredths for m in to_choose), *([] if base is None else [base.x_hundredths])]
    rates = {
        (bet_type, earner): _rates(in_force, loteria, bet_type, of_xs)
        for bet_type, of_xs in ((JugadaType.NUMERO, xs), (JugadaType.REVENTADO, [0]))
        for earner, in_force in (("seller", of_seller), ("listero", of_listero))
    }

    def terms(
        bet_type: JugadaType,
        multiplier_id: UUID | None,
        x_hundredths: int,
        source: MultiplierSource,
        source_id: str | None = None,
    ) -> LineTerms:
        earned, of_ventana = (rates[bet_type, earner][x_hundredths] for earner in ("seller", "listero"))
        return LineTerms(multiplier_id, x_hundredths, *earned, *of_ventana, source, source_id)

    of_base = None if base is None else terms(JugadaType.NUMERO, *base)
    numero = {
        # Whoever names the base asks for what the base is to this seller.
        m.id.int: of_base
        if m.name == BASE_NAME and of_base is not None and of_base.multiplier_id == m.id
        else terms(JugadaType.NUMERO, m.id, m.x_hundredths, "chosen")
        for m in to_choose
    }
    dated = (m for m in rulebook.multipliers_of_loteria.get(loteria.id, ()) if m.is_active)
    days = [in_window(m.applies_to_date, None, at=at)[1] for m in dated]
    policies = [Span(policy.valid_from, policy.valid_until) for policy in (of_seller, of_listero)]
    return PriceList(
        numero=numero,
        base=of_base,
        reventado=terms(JugadaType.REVENTADO, None, 0, "draw"),
        # The stricter of the lottery's and the banca's holds.
        min_bet_cents=max(loteria.rules.min_bet_cents or Cents(0), rulebook.default_min_bet_cents),
        cutoff=cutoff,
        on=on,
        is_open=is_open,
        hours=hours,
        span=meet([*policies, cutoff.span, hours, *days]),
    )


def _rates(
    in_force: PolicyInForce, loteria: Loteria, bet_type: JugadaType, xs: Iterable[int]
) -> dict[int, tuple[int, str | None, str | None]]:
    """By X: (basis points, origin, id of the rule)."""
    found = rates_of(in_force.policy, loteria_id=loteria.id, bet_type=bet_type, xs=xs)
    return {x: (basis_points, in_force.origin, rule_id) for x, (basis_points, rule_id) in found.items()}
