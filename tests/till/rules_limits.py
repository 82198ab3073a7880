"""Which limits and blocks a ticket meets (domain §2.11), read rule by rule: nothing is looked up and nothing is cached."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.till.rules_terms import (
    DRAWN,
    REVENTADO,
    START,
    UNBOUND,
    VENTANAS,
    Asked,
    Lack,
    Line,
    Rule,
    Rules,
    day_of,
    local,
)


@dataclass(frozen=True)
class Limit:
    """static: what may be sold at most; base, percentage: the dynamic limit beside it, of the sales of whose tickets
    count. counts: which lines of them. accumulates: False when only the ticket itself is looked at.
    """

    code: str
    rule: int | None
    number: int | None
    amount: int
    static: int | None
    whose: Callable[[Asked], bool]
    counts: Callable[[Line], bool]
    base: int | None = None
    percentage: int | None = None
    accumulates: bool = True


def limits_of(asked: Asked, rules: Rules, at: datetime) -> Iterator[Limit]:
    """Everything that depends on what was sold before."""
    for name, rule, number, amount in governing(asked, rules, at):
        whose, counts = _whose(rule, asked), _counts(rule)
        fixed = None if rule.percentage else rule.base
        if rule.scope == "NONE" and not rule.per_seller:
            # It counts nobody's sales together, so only what it says of one ticket holds.
            if rule.max_amount is not None and rule.percentage:
                yield Limit(
                    "NUMBER_MAXAMOUNT_EXCEEDED", name, number, amount, rule.max_amount, whose, counts, rule.base,
                    rule.percentage, accumulates=False,
                )  # fmt: skip
            continue
        static = least(rule.max_total, fixed)
        if static is not None or rule.percentage:
            code = "NUMBER_MAXTOTAL_EXCEEDED"
            yield Limit(code, name, number, amount, static, whose, counts, rule.base, rule.percentage)
    for number in sorted({line.number for line in asked.lines}):
        of_draw = rules.number_limits.get((asked.draw, number), rules.global_limits.get(asked.draw))
        most = least(of_draw, rules.global_max)
        if most is not None:
            amount = sum(line.amount for line in asked.lines if line.number == number)
            yield Limit("NUMBER_MAXTOTAL_EXCEEDED", None, number, amount, most, _same_draw(asked), _every_line)
    if asked.draw in rules.totals:
        most, amount = rules.totals[asked.draw], asked.total
        yield Limit("SORTEO_MAXTOTAL_EXCEEDED", None, None, amount, most, _same_draw(asked), _every_line)


def governing(asked: Asked, rules: Rules, at: datetime) -> Iterator[tuple[int, Rule, int, int]]:
    """(name, rule, number, what of the ticket counts on the number) of every limit that binds the ticket."""
    for name, rule in rules.restrictions.items():
        if rule.is_block or not _binds(rule, asked, at):
            continue
        only = day_of(DRAWN[asked.draw] if rule.of_draws_day else at) if rule.auto_date else rule.number
        for number in sorted({line.number for line in asked.lines} if only is None else {only}):
            counted = [line.amount for line in asked.lines if line.number == number and _counts(rule)(line)]
            if counted:
                yield name, rule, number, sum(counted)


def blocks_of(asked: Asked, rules: Rules, at: datetime) -> Iterator[Lack]:
    """A pair without amounts; an ADMIN passes, a REVENTADO is never meant."""
    for name, rule in rules.restrictions.items():
        if rule.is_block and asked.actor != "ADMIN" and _binds(rule, asked, at):
            for line in asked.lines:
                if line.multiplier != REVENTADO and _counts(rule)(line) and rule.number in (None, line.number):
                    yield Lack("LOTTERY_MULTIPLIER_RESTRICTED", line.number, name, 0, 0, 0)


def is_stale(asked: Asked, rules: Rules, priced: datetime, at: datetime) -> bool:
    """Whether some rule of the seller's began or ended between the price and its judgement."""
    hours = [priced + timedelta(hours=1) * n for n in range(1, int((at - priced) / timedelta(hours=1)) + 1)]
    moments = [moment.replace(minute=0) for moment in hours] + [at]
    for rule in rules.restrictions.values():
        if not _may_concern(rule, asked):
            continue
        was = _in_window(rule, priced)
        if any(_in_window(rule, moment) != was for moment in moments):
            return True
        if was and rule.auto_date and not rule.of_draws_day and day_of(at) != day_of(priced):
            return True
    return False


def _binds(rule: Rule, asked: Asked, at: datetime) -> bool:
    is_dropped = rule.scope == "USER" and asked.actor in UNBOUND
    return _may_concern(rule, asked) and not is_dropped and _in_window(rule, at)


def _may_concern(rule: Rule, asked: Asked) -> bool:
    of_scope = {"USER": asked.seller, "VENTANA": VENTANAS[asked.seller]}
    return rule.who == of_scope.get(rule.scope, rule.who) and (rule.pair is None or rule.pair[0] == asked.draw)


def _in_window(rule: Rule, at: datetime) -> bool:
    return rule.day in (None, day_of(at) - day_of(START)) and rule.hour in (None, local(at).hour)


def _whose(rule: Rule, asked: Asked) -> Callable[[Asked], bool]:
    """Whose tickets count together, in the same draw: the seller's, the ventana's, the banca's; without scope the
    ventana's.
    """
    if rule.scope == "USER" or rule.per_seller:
        return lambda other: other.draw == asked.draw and other.seller == asked.seller
    if rule.scope == "BANCA":
        return _same_draw(asked)
    return lambda other: other.draw == asked.draw and VENTANAS[other.seller] == VENTANAS[asked.seller]


def _counts(rule: Rule) -> Callable[[Line], bool]:
    return _every_line if rule.pair is None else lambda line: rule.pair is not None and line.multiplier == rule.pair[1]


def _same_draw(asked: Asked) -> Callable[[Asked], bool]:
    return lambda other: other.draw == asked.draw


def _every_line(_: Line) -> bool:
    return True


def least(*amounts: int | None) -> int | None:
    return min((amount for amount in amounts if amount is not None), default=None)
