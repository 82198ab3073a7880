"""The words of scenarios of rules, for the model and for those who play them; money is cents, numbers are integers."""

from __future__ import annotations

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

    of_draws_day: whether auto_date means the day of the draw, not of the sale.
    day: how many days after the start's; percentage: basis points.
    """

    scope: str
    who: int = 0
    number: int | None = None
    auto_date: bool = False
    of_draws_day: bool = False
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
        return (
            *(self.scope, self.who, self.number, self.auto_date, self.of_draws_day, self.pair, self.per_seller),
            *(self.day, self.hour),
        )

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


def is_past_cutoff(asked: Asked, at: datetime) -> bool:
    """One second of grace."""
    return at >= DRAWN[asked.draw] - CUTOFF + timedelta(seconds=1)


def net(asked: Asked) -> int:
    """What the seller owes: less her own commission, rounded half up line by line."""
    share = BASIS_POINTS[asked.seller] or 0
    return sum(line.amount - (line.amount * share + 5_000) // 10_000 for line in asked.lines)


def local(at: datetime) -> datetime:
    return at - timedelta(hours=6)


def day_of(at: datetime) -> int:
    return local(at).day
