"""What the rules promise at the till (domain §2.11), in plain words: every limit is a sum over the tickets that live.

No counter is kept here, nothing is looked up and nothing is cached; money is cents, numbers are integers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

# The first instant of every scenario: 12:50 on the 7th in Costa Rica.
START = datetime(2031, 3, 7, 18, 50, tzinfo=UTC)
BASE, HIGH, REVENTADO = 0, 1, 2
VENTANAS = (0, 0, 1)
BASIS_POINTS = (1_250, None, 833)
CUTOFF = timedelta(minutes=5)
# Of each draw, which is of the lottery with the same place: the first is drawn amid the scenario, the second after it.
DRAWN = (START + timedelta(hours=2, minutes=40), START + timedelta(days=3))
UNBOUND = ("VENTANA", "ADMIN")


@dataclass(frozen=True)
class Rule:
    """who: the seller or ventana of the scope USER or VENTANA. pair: lottery and its multiplier.

    day: how many days after the start's; percentage: basis points.
    """

    scope: str
    who: int = 0
    number: int | None = None
    auto_date: bool = False
    pair: tuple[int, int] | None = None
    per_seller: bool = False
    day: int | None = None
    hour: int | None = None
    max_amount: int | None = None
    max_total: int | None = None
    base: int | None = None
    percentage: int | None = None

    @property
    def identity(self) -> tuple[object, ...]:
        """Of two rules with the same one only the later is in force."""
        return (self.scope, self.who, self.number, self.auto_date, self.pair, self.per_seller, self.day, self.hour)

    @property
    def is_block(self) -> bool:
        return (self.max_amount, self.max_total, self.base, self.percentage) == (None, None, None, None)


@dataclass
class Rules:
    """restrictions: by name, which their refusals tell. global_limits, number_limits: of the draws; totals: of the
    lotteries, for the whole of a draw.
    """

    restrictions: dict[int, Rule] = field(default_factory=dict)
    global_max: int | None = None
    global_limits: dict[int, int] = field(default_factory=dict)
    number_limits: dict[tuple[int, int], int] = field(default_factory=dict)
    totals: dict[int, int] = field(default_factory=dict)
    version: int = 0


class Line(NamedTuple):
    number: int
    amount: int
    # Of a REVENTADO it is REVENTADO.
    multiplier: int


class Asked(NamedTuple):
    """actor: SELF, VENTANA, ADMIN or BANCA."""

    seller: int
    actor: str
    draw: int
    lines: tuple[Line, ...]

    @property
    def total(self) -> int:
        return sum(line.amount for line in self.lines)


class Lack(NamedTuple):
    """One violation. number: None for the whole draw and for funds; rule: None for what is no restriction."""

    code: str
    number: int | None
    rule: int | None
    amount: int
    limit: int
    available: int


@dataclass
class Ticket:
    asked: Asked
    is_live: bool = True


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


@dataclass
class Bank:
    credit: Sequence[int | None]
    rules: Rules = field(default_factory=Rules)
    tickets: list[Ticket] = field(default_factory=list)

    def refused_by_rules(self, asked: Asked, rules: Rules, at: datetime) -> list[Lack]:
        """What one ticket may never have, whatever was sold: blocks, then the limits inside a ticket."""
        found = list(_blocked(asked, rules, at))
        for name, rule, number, amount in _governed(asked, rules, at):
            most = _least(rule.max_amount, None if rule.percentage else rule.base)
            if rule.max_amount is not None and most is not None and amount > most:
                found.append(Lack("NUMBER_MAXAMOUNT_EXCEEDED", number, name, amount, most, most))
        return found

    def sell(self, asked: Asked, at: datetime, start: Bank) -> list[Lack]:
        """The next ticket of a batch, in order of arrival: what it lacks; nothing, and it is sold.

        start: the bank when the batch began. A ticket that could not have passed even alone is told what it lacked
        then, all of it; any other, what its neighbours left.
        """
        limits = list(_limits(asked, self.rules, at))
        is_hopeless = any(limit.static is not None and start._left(limit, limit.static) < 0 for limit in limits)
        broke = start._no_funds(asked)
        if is_hopeless or broke:
            lacks = [start._lack(limit, start._used(limit)) for limit in limits if start._is_short(limit)] + broke
        else:
            lacks = [self._lack(limit, self._used(limit)) for limit in limits if self._is_short(limit)]
            lacks += self._no_funds(asked)
        if not lacks:
            self.tickets.append(Ticket(asked))
        return lacks

    def balance(self, seller: int) -> int:
        return -sum(net(ticket.asked) for ticket in self._live() if ticket.asked.seller == seller)

    def _live(self) -> Iterable[Ticket]:
        return (ticket for ticket in self.tickets if ticket.is_live)

    def _no_funds(self, asked: Asked) -> list[Lack]:
        credit = self.credit[asked.seller]
        if credit is None:
            return []
        left = self.balance(asked.seller) + credit
        return [Lack("INSUFFICIENT_FUNDS", None, None, net(asked), 0, left)] if net(asked) > left else []

    def _used(self, limit: Limit) -> int:
        if not limit.accumulates:
            return 0
        lines = (line for ticket in self._live() if limit.whose(ticket.asked) for line in ticket.asked.lines)
        return sum(line.amount for line in lines if limit.counts(line) and limit.number in (None, line.number))

    def _left(self, limit: Limit, most: int) -> int:
        """What is left of it after the ticket that asks."""
        return most - self._used(limit) - limit.amount

    def _is_short(self, limit: Limit) -> bool:
        return self._left(limit, self._most(limit)) < 0

    def _most(self, limit: Limit) -> int:
        dynamic = None
        if limit.percentage is not None:
            sales = sum(ticket.asked.total for ticket in self._live() if limit.whose(ticket.asked))
            dynamic = max(limit.base or 0, sales * limit.percentage // 10_000)
        most = _least(limit.static, dynamic)
        assert most is not None, "a limit limits something"
        return most

    def _lack(self, limit: Limit, used: int) -> Lack:
        most = self._most(limit)
        return Lack(limit.code, limit.number, limit.rule, limit.amount, most, max(0, most - used))


def rank(lack: Lack, rules: Rules, at: datetime) -> tuple[int, int, int]:
    """The order in which violations are answered: rules by score and number, the draw by number, its whole, funds."""
    if lack.rule is not None:
        rule = rules.restrictions[lack.rule]
        is_numbered = rule.auto_date or rule.number is not None
        score = 1_000 * is_numbered + {"USER": 100, "VENTANA": 10, "BANCA": 1, "NONE": 0}[rule.scope]
        return 0, -score, lack.number or 0
    if lack.number is not None:
        return 1, 0, lack.number
    return (3 if lack.code == "INSUFFICIENT_FUNDS" else 2), 0, 0


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
        if was and rule.auto_date and _day(at) != _day(priced):
            return True
    return False


def is_past_cutoff(asked: Asked, at: datetime) -> bool:
    """One second of grace."""
    return at >= DRAWN[asked.draw] - CUTOFF + timedelta(seconds=1)


def net(asked: Asked) -> int:
    """What the seller owes: less her own commission, rounded half up line by line."""
    share = BASIS_POINTS[asked.seller] or 0
    return sum(line.amount - (line.amount * share + 5_000) // 10_000 for line in asked.lines)


def _limits(asked: Asked, rules: Rules, at: datetime) -> Iterator[Limit]:
    """Everything that depends on what was sold before."""
    for name, rule, number, amount in _governed(asked, rules, at):
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
        static = _least(rule.max_total, fixed)
        if static is not None or rule.percentage:
            code = "NUMBER_MAXTOTAL_EXCEEDED"
            yield Limit(code, name, number, amount, static, whose, counts, rule.base, rule.percentage)
    for number in sorted({line.number for line in asked.lines}):
        of_draw = rules.number_limits.get((asked.draw, number), rules.global_limits.get(asked.draw))
        most = _least(of_draw, rules.global_max)
        if most is not None:
            amount = sum(line.amount for line in asked.lines if line.number == number)
            yield Limit("NUMBER_MAXTOTAL_EXCEEDED", None, number, amount, most, _same_draw(asked), _every_line)
    if asked.draw in rules.totals:
        most, amount = rules.totals[asked.draw], asked.total
        yield Limit("SORTEO_MAXTOTAL_EXCEEDED", None, None, amount, most, _same_draw(asked), _every_line)


def _governed(asked: Asked, rules: Rules, at: datetime) -> Iterator[tuple[int, Rule, int, int]]:
    """(name, rule, number, what of the ticket counts on the number) of every limit that binds the ticket."""
    for name, rule in rules.restrictions.items():
        if rule.is_block or not _binds(rule, asked, at):
            continue
        only = _day(at) if rule.auto_date else rule.number
        for number in sorted({line.number for line in asked.lines} if only is None else {only}):
            counted = [line.amount for line in asked.lines if line.number == number and _counts(rule)(line)]
            if counted:
                yield name, rule, number, sum(counted)


def _blocked(asked: Asked, rules: Rules, at: datetime) -> Iterator[Lack]:
    """A pair without amounts; an ADMIN passes, a REVENTADO is never meant."""
    for name, rule in rules.restrictions.items():
        if rule.is_block and asked.actor != "ADMIN" and _binds(rule, asked, at):
            for line in asked.lines:
                if line.multiplier != REVENTADO and _counts(rule)(line) and rule.number in (None, line.number):
                    yield Lack("LOTTERY_MULTIPLIER_RESTRICTED", line.number, name, 0, 0, 0)


def _binds(rule: Rule, asked: Asked, at: datetime) -> bool:
    is_dropped = rule.scope == "USER" and asked.actor in UNBOUND
    return _may_concern(rule, asked) and not is_dropped and _in_window(rule, at)


def _may_concern(rule: Rule, asked: Asked) -> bool:
    of_scope = {"USER": asked.seller, "VENTANA": VENTANAS[asked.seller]}
    return rule.who == of_scope.get(rule.scope, rule.who) and (rule.pair is None or rule.pair[0] == asked.draw)


def _in_window(rule: Rule, at: datetime) -> bool:
    return rule.day in (None, _day(at) - _day(START)) and rule.hour in (None, _local(at).hour)


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


def _least(*amounts: int | None) -> int | None:
    return min((amount for amount in amounts if amount is not None), default=None)


def _local(at: datetime) -> datetime:
    return at - timedelta(hours=6)


def _day(at: datetime) -> int:
    return _local(at).day
