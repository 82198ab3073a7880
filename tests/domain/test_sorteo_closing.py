"""§2.6: a draw closes when none of its sellers may sell any more."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.calendar import format_instant, parse_instant
from core.domain.cutoffs import cutoff_in_force, sales_end
from core.domain.rulebook import Rulebook
from core.domain.sorteo_closing import CLOSING_AHEAD, closing_instant, over_at
from tests.domain.domain_samples import BANCA, restriction, rulebook

DRAW = parse_instant("2026-01-15T19:30")
NEAR, FAR = UUID(int=21), UUID(int=22)
PLACES = {UUID(int=31): NEAR, UUID(int=32): NEAR, UUID(int=33): FAR}


def cut(minutes: int, *, user: int | None = None, ventana: UUID | None = None, **members: Any) -> dict[str, Any]:
    scope = {"userId": str(UUID(int=user))} if user else {"ventanaId" if ventana else "bancaId": str(ventana or BANCA)}
    return restriction(f"{scope}{minutes}{members}", salesCutoffMinutes=minutes, **scope, **members)


def book(*rules: dict[str, Any], minutes: int = 5, sellers: dict[UUID, UUID] = PLACES) -> Rulebook:
    return rulebook(
        salesCutoffMinutes=minutes,
        ventanas=[{"id": str(place), "policy": None, "listeroPolicy": None} for place in sorted(set(sellers.values()))],
        sellers=[{"id": str(who), "ventanaId": str(place), "policy": None} for who, place in sellers.items()],
        restrictions=list(rules),
    )


@pytest.mark.parametrize(
    ("rules", "closes"),
    [
        ([], "19:25:01"),
        ([cut(10)], "19:20:01"),
        ([cut(10), cut(3, ventana=NEAR)], "19:27:01"),
        ([cut(10), cut(3, ventana=NEAR), cut(7, ventana=FAR)], "19:27:01"),
        # One seller who may sell to the end keeps the draw open.
        ([cut(10), cut(0, user=33)], "19:30:01"),
        ([cut(1), cut(30, user=31), cut(20, user=32), cut(25, ventana=FAR)], "19:10:01"),
        ([cut(10), cut(0, user=99)], "19:20:01"),
        # A rule that ends before the draw: sales begin again, and end by the next one.
        ([cut(30, appliesToHour=18), cut(2, appliesToHour=19)], "19:28:01"),
        ([cut(2, appliesToHour=18), cut(30, appliesToHour=19)], "19:00:01"),
        ([cut(9, appliesToDate="2026-01-15")], "19:21:01"),
        ([cut(9, appliesToDate="2026-01-14")], "19:25:01"),
    ],
)
def test_the_smallest_cutoff_among_the_sellers_closes_the_draw(rules: list[dict[str, Any]], closes: str) -> None:
    assert format_instant(closing_instant(book(*rules), DRAW)) == format_instant(parse_instant(f"2026-01-15T{closes}"))


def test_hours_that_change_within_the_last_half_hour_are_followed_to_the_draw() -> None:
    draw = parse_instant("2026-01-15T19:10")
    early = book(cut(20, appliesToHour=18), cut(1, appliesToHour=19))
    assert closing_instant(early, draw) == parse_instant("2026-01-15T19:09:01")
    late = book(cut(1, appliesToHour=18), cut(20, appliesToHour=19))
    assert closing_instant(late, draw) == parse_instant("2026-01-15T19:00:00")


def test_without_sellers_a_draw_closes_with_its_draw() -> None:
    assert closing_instant(book(sellers={}), DRAW) == over_at(DRAW) == DRAW + timedelta(seconds=1)


rules_of_cutoffs = st.lists(
    st.builds(
        cut,
        st.integers(0, 30),
        user=st.sampled_from([None, 31, 32, 33]),
        ventana=st.sampled_from([None, NEAR, FAR]),
        appliesToHour=st.sampled_from([None, 18, 19, 20]),
        appliesToDate=st.sampled_from([None, "2026-01-15", "2026-01-16"]),
    ),
    max_size=6,
    unique_by=lambda rule: rule["id"],
)
draws = st.integers(0, 179).map(lambda minutes: parse_instant("2026-01-15T18:00") + timedelta(minutes=minutes))


def may_sell(rules: Rulebook, draw: datetime, at: datetime) -> bool:
    """As the till asks it."""
    return any(at < sales_end(draw, cutoff_in_force(rules, seller, at=at).seconds) for seller in rules.sellers.values())


@given(rules_of_cutoffs, draws, st.integers(0, 30))
def test_at_the_closing_nobody_may_sell_any_more_and_just_before_somebody_could(
    restrictions: list[dict[str, Any]], draw: datetime, minutes: int
) -> None:
    rules = book(*restrictions, minutes=minutes)
    closes = closing_instant(rules, draw)
    assert draw - CLOSING_AHEAD < closes <= over_at(draw)
    assert may_sell(rules, draw, closes - timedelta(microseconds=1))
    later = [closes + timedelta(seconds=seconds) for seconds in range(0, 1_900, 7)]
    assert not [at for at in later if may_sell(rules, draw, at)]
