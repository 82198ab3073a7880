"""Days of a statement without a database: what carries on, what is settled, what runs up to what."""

from __future__ import annotations

from datetime import UTC, date, datetime
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.statement_events import EventType, StatementEvent, running
from core.domain.statements import Day, Figures, days_to_list, listed_days, summed

ENTITY = uuid4()
FIRST = date(2026, 1, 30)
NOW = datetime(2026, 1, 30, 12, tzinfo=UTC)


def day(number: int, **figures: int) -> Day:
    return Day(ENTITY, date(2026, 2, number), Figures(**figures), created_at=NOW)


def test_quiet_days_carry_on_and_those_to_come_are_left_out() -> None:
    stored = [day(2, opening_cents=500, paid_cents=10), day(9, opening_cents=510, collected_cents=510)]
    days = days_to_list(FIRST, date(2026, 2, 11), today=date(2026, 2, 4), stored={each.day for each in stored})
    assert [each.day for each in days if each.month == 2] == [1, 2, 3, 4, 9]
    listed = listed_days(ENTITY, stored, days)
    assert [each.figures.closing_cents for each in listed] == [0, 0, 0, 510, 510, 510, 0]
    assert [each.says_something for each in listed] == [False, False, False, True, True, True, True]
    # What is earlier than the first day is carried on, and not listed.
    [only] = listed_days(ENTITY, stored, [date(2026, 2, 5)])
    assert (only.figures, only.created_at) == (Figures(opening_cents=510), None)
    assert listed_days(ENTITY, stored, []) == []


def test_a_day_that_was_quiet_is_the_entitys_and_knows_what_is_closed() -> None:
    closed = date(2026, 1, 20)
    stored = [
        Day(ENTITY, date(2026, 2, 2), Figures(opening_cents=7), settled_through=FIRST, created_at=NOW),
        Day(ENTITY, date(2026, 2, 4), Figures(opening_cents=9), settled_through=closed, created_at=NOW),
    ]
    days = [date(2026, 2, number) for number in (1, 2, 3, 4, 5)]
    listed = listed_days(ENTITY, stored, days)
    assert {each.entity_id for each in listed} == {ENTITY}
    assert [each.day for each in listed] == days
    # A day before the first that is stored knows of the newest closing; each later one of the day before it.
    assert [each.settled_through for each in listed] == [closed, FIRST, FIRST, closed, closed]
    assert [each.settled_through for each in listed_days(ENTITY, [], days[:1])] == [None]
    # The day itself is listed as it is stored, not carried.
    assert listed_days(ENTITY, stored, days[1:2])[0].figures.opening_cents == 7


def test_the_last_day_is_listed_and_no_day_after_it() -> None:
    first, last = date(2026, 2, 1), date(2026, 2, 3)
    assert days_to_list(first, last, today=date(2026, 2, 9), stored=()) == [date(2026, 2, day) for day in (1, 2, 3)]
    assert days_to_list(first, first, today=first, stored=()) == [first]
    assert days_to_list(last, first, today=last, stored=()) == []


@pytest.mark.parametrize(
    ("figures", "is_settled"),
    [
        (Figures(balance_cents=500, collected_cents=500, ticket_count=3), True),
        (Figures(balance_cents=-500, paid_cents=500, ticket_count=3), True),
        (Figures(balance_cents=500, collected_cents=499, ticket_count=3), False),
        (Figures(opening_cents=500, collected_cents=500), False),
        (Figures(ticket_count=3), False),
    ],
)
def test_a_day_is_settled_when_it_is_paid_off(figures: Figures, is_settled: bool) -> None:
    """STM-7."""
    each = Day(ENTITY, FIRST, figures)
    assert each.is_settled == is_settled
    assert Day(ENTITY, FIRST, figures, settled_at=NOW).is_settled


def test_a_day_can_be_edited_after_the_last_that_is_closed() -> None:
    closed = Day(ENTITY, FIRST, Figures(), settled_through=FIRST)
    assert [closed.can_edit, closed.carried_to(date(2026, 1, 31)).can_edit] == [False, True]


@given(st.lists(st.builds(Figures, *(st.integers(-(10**9), 10**9) for _ in range(10))), max_size=8))
def test_a_sum_closes_with_the_sum_of_the_closings(figures: list[Figures]) -> None:
    assert summed(figures).closing_cents == sum(each.closing_cents for each in figures)


def test_events_run_from_each_days_opening() -> None:
    def event(name: str, on: date, cents: int, kind: EventType = EventType.SORTEO) -> StatementEvent:
        return StatementEvent(name, kind, on, NOW, cents, {})

    second, third = date(2026, 1, 31), date(2026, 2, 1)
    events = [
        event("c", third, 5), event("b", FIRST, 1), event("mov-a", FIRST, 2, EventType.PAYMENT),
        event("initial", FIRST, 100, EventType.INITIAL_BALANCE), event("d", second, 7),
    ]  # fmt: skip
    told = list(running(events, openings={FIRST: 0, third: -50}))
    assert [(index, each.id, balance) for index, each, balance in told] == [
        (1, "initial", 100), (2, "b", 101), (3, "mov-a", 103), (4, "d", 110), (5, "c", -45),
    ]  # fmt: skip
