"""The restriction rules that govern a seller's tickets of one lottery at one instant (§2.11), ready to be looked up.

All of them hold, so the most restrictive wins; the score only orders what is reported.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby
from uuid import UUID

from core.domain.calendar import costa_rica_date, day_bounds
from core.domain.money import Cents
from core.domain.rulebook import JugadaType, Loteria, Restriction, Rulebook, Seller
from core.domain.spans import ALWAYS, Span, in_window, meet
from core.domain.ticket import ALL_JUGADAS, REVENTADO_KEY, LimitScope

MAXAMOUNT, MAXTOTAL = "NUMBER_MAXAMOUNT_EXCEEDED", "NUMBER_MAXTOTAL_EXCEEDED"
# A list takes some kilobytes; beyond this many, a rulebook starts its collection anew.
RESTRICTION_LISTS_MAX = 5_000

LIMITS_PER_STEP = 200
# Of a rule that is kept it makes no difference.
_ANY_TIME = datetime.min.replace(tzinfo=UTC)

# What a LimitFact has before its number, and after its amount.
FactHead = tuple[LimitScope, UUID, UUID]
FactTail = tuple[Cents | None, Cents | None, int | None, str, bool, str, str]


@dataclass(frozen=True, slots=True)
class LimitRule:
    """One rule that limits amounts.

    counts: what of a number it counts, as LimitFact.multiplier_key. per_ticket_cents: what one ticket may have of a
    number, as far as no counter is needed to know it. head: None when each seller is counted apart. tail: None when
    the till has nothing to judge.
    """

    restriction: Restriction
    number: int | None
    counts: UUID
    score: int
    per_ticket_cents: Cents | None
    head: FactHead | None
    tail: FactTail | None
    label: str


@dataclass(frozen=True, slots=True)
class RestrictionsInForce:
    """blocks: by multiplier. of_number: for each score, highest first, by number. of_any_number: for each score,
    highest first, by what they count. counts_apart: whether any rule counts less than all jugadas of a number.
    The whole holds during span.
    """

    blocks: Mapping[UUID, tuple[Restriction, ...]]
    of_number: tuple[Mapping[int, tuple[LimitRule, ...]], ...]
    of_any_number: tuple[tuple[tuple[UUID, tuple[LimitRule, ...]], ...], ...]
    counts_apart: bool
    span: Span


@dataclass(frozen=True, slots=True)
class ScopeRules:
    """The rules of one scope that are in force in one lottery: what all who are in the scope share.

    The members are those of RestrictionsInForce; a scope has one score for rules of a number and one for all others.
    """

    blocks: Mapping[UUID, tuple[Restriction, ...]]
    of_number: Mapping[int, tuple[LimitRule, ...]]
    of_any_number: tuple[tuple[UUID, tuple[LimitRule, ...]], ...]
    counts_apart: bool
    span: Span


NO_RULES = ScopeRules({}, {}, (), False, ALWAYS)


def restrictions_in_force(
    rulebook: Rulebook,
    *,
    seller: Seller,
    loteria: Loteria,
    drawn_on: date,
    at: datetime,
    with_user_rules: bool = True,
) -> RestrictionsInForce:
    """The rules of a seller's tickets; sellers of a ventana without rules of their own share one list.

    drawn_on: the draw's business date, which is the day that rules of autoDateOf SORTEO mean. at: the instant of the
    sale. with_user_rules: whether the seller's own rules are among them.
    """
    is_own = with_user_rules and seller.id in rulebook.restrictions
    day = drawn_on if rulebook.has_rules_of_sorteo_days else None
    key = (seller.ventana_id, seller.id if is_own else None, loteria.id, day)
    known = rulebook.restriction_lists.get(key)
    if known is not None and known.span.holds(at):
        return known
    if len(rulebook.restriction_lists) >= RESTRICTION_LISTS_MAX:
        rulebook.restriction_lists.clear()
    # In the order of their scores.
    scopes = (*([seller.id] if is_own else []), seller.ventana_id, rulebook.banca_id, None)
    parts = [
        scope_rules(rulebook, scope, ventana_id=seller.ventana_id, loteria=loteria, drawn_on=drawn_on, at=at)
        for scope in scopes
    ]
    blocks: dict[UUID, tuple[Restriction, ...]] = {}
    for part in parts:
        for multiplier_id, rules in part.blocks.items():
            blocks[multiplier_id] = (*blocks[multiplier_id], *rules) if multiplier_id in blocks else rules
    made = rulebook.restriction_lists[key] = RestrictionsInForce(
        {multiplier_id: tuple(sorted(rules, key=_block_order)) for multiplier_id, rules in blocks.items()},
        tuple(part.of_number for part in parts if part.of_number),
        tuple(part.of_any_number for part in parts if part.of_any_number),
        any(part.counts_apart for part in parts),
        meet(part.span for part in parts),
    )
    return made


def scope_rules(
    rulebook: Rulebook, scope_id: UUID | None, *, ventana_id: UUID, loteria: Loteria, drawn_on: date, at: datetime
) -> ScopeRules:
    """Kept in the rulebook: a banca's thousands of rules are sorted once, and not for each of its ventanas.

    scope_id: None: of the rules without a scope, which count in the ventana of the sale.
    """
    rules = rulebook.restrictions.get(scope_id)
    if not rules:
        return NO_RULES
    day = drawn_on if rulebook.has_rules_of_sorteo_days else None
    key = (scope_id, ventana_id if scope_id is None else None, loteria.id, day)
    known = rulebook.scope_rules.get(key)
    if known is not None and known.span.holds(at):
        return known
    if len(rulebook.scope_rules) >= RESTRICTION_LISTS_MAX:
        rulebook.scope_rules.clear()
    made = rulebook.scope_rules[key] = _in_force(rulebook, rules, ventana_id, loteria, drawn_on, at)
    return made


def prepare_limits(rulebook: Rulebook) -> Generator[None, None, None]:
    """Make what a price would make of each rule the first time that it asks, in steps; it then only sorts them."""
    for scope_id, rules in rulebook.restrictions.items():
        for number, rule in enumerate(rules if scope_id is not None else (), start=1):
            if rule.has_amounts and not rule.is_auto_date:
                _limit_of(rulebook, rule, rulebook.banca_id, _ANY_TIME.date(), _ANY_TIME)
            if number % LIMITS_PER_STEP == 0:
                yield


def score_of(restriction: Restriction, number: int | None) -> int:
    score = 0 if number is None else 1_000
    if restriction.user_id is not None:
        return score + 100
    if restriction.ventana_id is not None:
        return score + 10
    return score if restriction.banca_id is None else score + 1


def _in_force(
    rulebook: Rulebook,
    rules: Iterable[Restriction],
    ventana_id: UUID,
    loteria: Loteria,
    drawn_on: date,
    at: datetime,
) -> ScopeRules:
    """rules: of one scope."""
    windows: dict[tuple[date | None, int | None], tuple[bool, Span]] = {}
    limits: list[LimitRule] = []
    blocks: dict[UUID, list[Restriction]] = {}
    is_of_sale_day = False
    for rule in rules:
        if rule.sales_cutoff_minutes is not None or rule.loteria_id not in (None, loteria.id):
            continue
        window = (rule.applies_to_date, rule.applies_to_hour)
        if window not in windows:
            windows[window] = in_window(*window, at=at)
        if not windows[window][0]:
            continue
        if rule.multiplier_id is not None and not rule.has_amounts:
            blocks.setdefault(rule.multiplier_id, []).append(rule)
            continue
        # The draw's day stays what it is once a ticket is sold; the day of the sale ends at midnight.
        is_of_sale_day |= rule.is_auto_date and not rule.is_of_sorteo_day
        limit = _limit_of(rulebook, rule, ventana_id, drawn_on, at)
        if limit.tail is not None or limit.per_ticket_cents is not None:
            limits.append(limit)
    limits.sort(key=lambda limit: (limit.counts, limit.restriction.id))
    spans = [span for _, span in windows.values()]
    if is_of_sale_day:
        spans.append(Span(*day_bounds(costa_rica_date(at))))
    return ScopeRules(
        {multiplier_id: tuple(found) for multiplier_id, found in blocks.items()},
        _by_number(limit for limit in limits if limit.number is not None),
        _by_counts(limit for limit in limits if limit.number is None),
        any(limit.counts is not ALL_JUGADAS for limit in limits),
        meet(spans),
    )


def _by_number(limits: Iterable[LimitRule]) -> dict[int, tuple[LimitRule, ...]]:
    found: dict[int, list[LimitRule]] = {}
    for limit in limits:
        assert limit.number is not None, "only those of single numbers"
        found.setdefault(limit.number, []).append(limit)
    return {number: tuple(rules) for number, rules in found.items()}


def _by_counts(limits: Iterable[LimitRule]) -> tuple[tuple[UUID, tuple[LimitRule, ...]], ...]:
    return tuple((counts, tuple(group)) for counts, group in groupby(limits, key=lambda limit: limit.counts))


def _block_order(rule: Restriction) -> tuple[int, str]:
    return -score_of(rule, rule.number), rule.id


def number_of(rule: Restriction, *, drawn_on: date, at: datetime) -> int | None:
    """The number that the rule is for; None: every number, each by itself."""
    if not rule.is_auto_date:
        return rule.number
    return drawn_on.day if rule.is_of_sorteo_day else costa_rica_date(at).day


def _limit_of(rulebook: Rulebook, rule: Restriction, ventana_id: UUID, drawn_on: date, at: datetime) -> LimitRule:
    """Kept as long as the rule stands, also in later versions of the rulebook, where it is always the same."""
    if rule.is_auto_date or rule.scope_id is None:
        return _limit(rulebook, rule, ventana_id, drawn_on, at)
    known = rulebook.limit_rules.get(rule.id)
    if known is None or known.restriction is not rule:
        known = rulebook.limit_rules[rule.id] = _limit(rulebook, rule, ventana_id, drawn_on, at)
    return known


def _limit(rulebook: Rulebook, rule: Restriction, ventana_id: UUID, drawn_on: date, at: datetime) -> LimitRule:
    number = number_of(rule, drawn_on=drawn_on, at=at)
    base, basis_points = rule.base_amount_cents or None, rule.sales_basis_points or None
    counts = _counts(rulebook, rule)
    scope, scope_id = _scope(rule)
    label = _label(rulebook, rule, is_dynamic=base is not None or basis_points is not None)
    # Without a percentage the dynamic limit is a number like any other.
    fixed = base if basis_points is None else None
    per_ticket = None if rule.max_amount_cents is None else _least(rule.max_amount_cents, fixed)
    cap, code, accumulates = _least(rule.max_total_cents, fixed), MAXTOTAL, True
    if scope is None:
        # It counts in no scope, so only what one ticket has can be limited; its sales are the ventana's.
        scope, scope_id = "VENTANA", ventana_id
        cap, code, accumulates = per_ticket, MAXAMOUNT, False
        basis_points = None if cap is None else basis_points
    if cap is not None and base is not None and base >= cap:
        basis_points = None  # the greater of base and percentage is never less than the cap
    tail: FactTail | None = None
    if basis_points is not None:
        tail = (cap, base, basis_points, code, accumulates, rule.id, label)
    elif accumulates and cap is not None:
        tail = (cap, None, None, code, accumulates, rule.id, label)
    head: FactHead | None = None if scope_id is None else (scope, scope_id, counts)
    return LimitRule(rule, number, counts, score_of(rule, number), per_ticket, head, tail, label)


def _scope(rule: Restriction) -> tuple[LimitScope | None, UUID | None]:
    """Whose sales count together: nobody's, when the rule has no scope; a VENDEDOR without id is the one who sells."""
    if rule.applies_to_vendedor or rule.user_id is not None:
        return "VENDEDOR", None
    if rule.ventana_id is not None:
        return "VENTANA", rule.ventana_id
    return (None, None) if rule.banca_id is None else ("BANCA", rule.banca_id)


def rule_scope(rule: Restriction) -> str:
    if rule.user_id is not None:
        return "USER"
    if rule.ventana_id is not None:
        return "VENTANA"
    return "GENERAL" if rule.banca_id is None else "BANCA"


def _counts(rulebook: Rulebook, rule: Restriction) -> UUID:
    if rule.multiplier_id is None:
        return ALL_JUGADAS
    is_reventado = rulebook.multipliers[rule.multiplier_id].kind is JugadaType.REVENTADO
    return REVENTADO_KEY if is_reventado else rule.multiplier_id


def _least(*amounts: Cents | None) -> Cents | None:
    return min((amount for amount in amounts if amount is not None), default=None)


def _label(rulebook: Rulebook, rule: Restriction, *, is_dynamic: bool) -> str:
    members: dict[str, object] = {
        "source": "RESTRICTION",
        "ruleId": rule.id,
        "ruleScope": rule_scope(rule),
        "isAutoDate": rule.is_auto_date,
        "isDynamic": is_dynamic,
    }
    if rule.is_of_sorteo_day:
        members["autoDateOf"] = rule.auto_date_of
    if rule.multiplier_id is not None:
        members["multiplierId"] = str(rule.multiplier_id)
        members["multiplierName"] = rulebook.multipliers[rule.multiplier_id].name
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"))
