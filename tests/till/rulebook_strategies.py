"""Random rulebooks and what happens under them: few numbers, few amounts, so that limits are met and shared."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from tests.till.rules_terms import BASE, HIGH, REVENTADO, Asked, Line, Rule


@dataclass(frozen=True)
class Batch:
    """lag: from the price to its judgement. is_old: priced by the rules before the last change."""

    tickets: list[Asked]
    lag: timedelta = timedelta()
    is_old: bool = False


@dataclass(frozen=True)
class Wait:
    time: timedelta


@dataclass(frozen=True)
class Cancel:
    """Of the tickets sold so far, counted around."""

    place: int


@dataclass(frozen=True)
class Put:
    rule: Rule


@dataclass(frozen=True)
class Drop:
    """Of the rules in force, counted around."""

    place: int


@dataclass(frozen=True)
class GlobalMax:
    cents: int | None


@dataclass(frozen=True)
class GlobalLimit:
    draw: int
    cents: int | None


@dataclass(frozen=True)
class NumberLimit:
    draw: int
    number: int
    cents: int | None


@dataclass(frozen=True)
class Total:
    """Of what may be sold in a draw as a whole."""

    draw: int
    cents: int | None


Change = Put | Drop | GlobalMax | GlobalLimit | NumberLimit | Total
Step = Batch | Wait | Cancel | Change


@dataclass
class Scenario:
    """credit: of each seller."""

    credit: list[int | None]
    changes: list[Change]
    steps: list[Step] = field(default_factory=list)


PLACES = st.integers(0, 1)
# 7 and 8 are the days of the scenario, 7 and 10 those of its draws.
NUMBERS = [7, 8, 10, 15]
AMOUNTS = st.sampled_from([1, 100, 250, 333, 500, 800])
CAPS = st.sampled_from([1, 300, 500, 800, 1_000, 1_600, 2_500, 2_500])
# Of draws and of the whole banca: seldom what a ticket meets first.
LIMITS = st.sampled_from([None, None, 800, 1_600, 2_500, 4_000, 0])
PERCENTAGES = st.sampled_from([1, 500, 1_000, 3_333, 10_000])
SCOPES = ("USER", "USER", "VENTANA", "BANCA", "BANCA", "NONE")
# Which amounts a rule has.
AMOUNTS_OF_RULES: list[tuple[str, ...]] = [
    ("max_total",), ("max_total",), ("max_amount",), ("base",), ("base", "percentage"), ("percentage",),
    ("max_total", "base", "percentage"), ("max_amount", "max_total"), ("max_amount", "base", "percentage"),
    ("max_amount", "base"), ("max_amount", "percentage"), ("max_total", "percentage"), ("max_amount", "max_total", "base", "percentage"),
]  # fmt: skip
WINDOWS: list[tuple[int | None, int | None]] = [(None, None)] * 8 + [
    (None, 12), (None, 13), (None, 0), (0, None), (1, None), (0, 13), (1, 0),
]  # fmt: skip
PAIRS = [None] * 6 + [(0, BASE), (0, HIGH), (0, REVENTADO), (1, BASE), (1, HIGH), (1, REVENTADO)]
TIMES = st.sampled_from([timedelta(minutes=minutes) for minutes in (0, 0, 0, 0, 0, 0, 3, 15, 70, 700)])


@st.composite
def rules(draw: st.DrawFn, scopes: tuple[str, ...] = SCOPES) -> Rule:
    scope = draw(st.sampled_from(scopes))
    who = {"USER": 2, "VENTANA": 1}.get(scope, 0)
    pair, number = draw(st.sampled_from(PAIRS)), draw(st.sampled_from([None, None, None, *NUMBERS]))
    day, hour = draw(st.sampled_from(WINDOWS))
    if pair is not None and draw(st.integers(0, 3)) == 0:
        return Rule(scope, draw(st.integers(0, who)), number, pair=pair, day=day, hour=hour)
    names = draw(st.sampled_from(AMOUNTS_OF_RULES))
    amounts: dict[str, Any] = {name: draw(PERCENTAGES if name == "percentage" else CAPS) for name in names}
    is_auto_date = pair is None and number is None and draw(st.integers(0, 3)) == 0
    return Rule(
        scope,
        draw(st.sampled_from([0, *range(who + 1)])),
        number,
        auto_date=is_auto_date,
        of_draws_day=is_auto_date and draw(st.booleans()),
        pair=pair,
        per_seller=draw(st.integers(0, 3)) == 0,
        day=day,
        hour=hour,
        **amounts,
    )


@st.composite
def lines(draw: st.DrawFn) -> tuple[Line, ...]:
    """One to three bets, at times several on one number, at times with a REVENTADO of no more than its number."""
    found: list[Line] = []
    for number in draw(st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=3)):
        bet = Line(number, draw(AMOUNTS), draw(st.sampled_from([BASE, BASE, HIGH])))
        found.append(bet)
        if draw(st.integers(0, 3)) == 0:
            found.append(Line(number, bet.amount, REVENTADO))
    # The sum of REVENTADO may not exceed that of NUMERO, which holds as each has its own.
    return tuple(found)


ACTORS = st.sampled_from(["SELF", "SELF", "SELF", "VENTANA", "ADMIN", "BANCA"])
ASKED = st.builds(Asked, st.sampled_from([0, 0, 1, 2]), ACTORS, st.sampled_from([0, 1, 1]), lines())


@st.composite
def rushes(draw: st.DrawFn) -> list[Asked]:
    """One seller's name, one draw, the same few bets again and again: whoever comes later finds less."""
    seller, place = draw(st.sampled_from([0, 0, 1, 2])), draw(st.sampled_from([0, 1, 1]))
    bets = st.sampled_from(draw(st.lists(lines(), min_size=1, max_size=2)))
    return draw(st.lists(st.builds(Asked, st.just(seller), ACTORS, st.just(place), bets), min_size=3, max_size=8))


BATCHES = st.builds(
    Batch,
    st.one_of(st.lists(ASKED, min_size=1, max_size=8), rushes()),
    TIMES,
    st.sampled_from([False, False, False, False, True]),
)
CHANGES: st.SearchStrategy[Change] = st.one_of(
    st.builds(Put, rules()),
    st.builds(Put, rules()),
    st.builds(Drop, st.integers(0, 9)),
    st.builds(GlobalMax, LIMITS),
    st.builds(GlobalLimit, PLACES, LIMITS),
    st.builds(NumberLimit, PLACES, st.sampled_from(NUMBERS), LIMITS),
    st.builds(Total, PLACES, LIMITS),
)
CANCELS = st.builds(Cancel, st.integers(0, 9))
BETWEEN: st.SearchStrategy[Step] = st.one_of(CHANGES, st.builds(Put, rules()), CANCELS, CANCELS, st.builds(Wait, TIMES))


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    credit = draw(st.lists(st.sampled_from([None] * 6 + [2_500, 700, 0]), min_size=3, max_size=3))
    # Rules of one scope are about the same counters.
    scopes = draw(st.sampled_from([SCOPES, SCOPES, ("BANCA",), ("USER",), ("USER", "BANCA")]))
    rules_of_all = draw(st.lists(st.builds(Put, rules(scopes)), min_size=1, max_size=6))
    others = draw(st.lists(CHANGES, max_size=2))
    turns = draw(st.lists(st.tuples(BATCHES, st.lists(BETWEEN, max_size=3)), min_size=1, max_size=4))
    steps: list[Step] = [step for batch, between in turns for step in (batch, *between)]
    return Scenario(credit, [*rules_of_all, *others], steps)
