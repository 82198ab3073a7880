"""The transitions of a draw: a table of every state and every action."""

from __future__ import annotations

from itertools import product

import pytest

from core.domain.sorteo_states import TRANSITIONS, SorteoAction, SorteoStatus, State, after, sources

# By the states in their order, first active and then switched off; "." is refused.
EXPECTED = {
    #                        SCHEDULED           OPEN                 CLOSED              EVALUATED
    SorteoAction.OPEN:       ("OPEN",   ".",     ".",      ".",       ".",      ".",      ".",      "."),
    SorteoAction.CLOSE:      (".",      ".",     "CLOSED", "CLOSED-", ".",      ".",      ".",      "."),
    SorteoAction.CLOSE_UNSOLD: ("CLOSED", ".",    "CLOSED", ".",      ".",      ".",      ".",      "."),
    SorteoAction.FORCE_OPEN: ("OPEN",   "OPEN",  ".",      "OPEN",    "OPEN",   "OPEN",   ".",      "."),
    SorteoAction.DEACTIVATE: ("SCHEDULED-", ".", "OPEN-",  ".",       "CLOSED-", ".",     ".",      "."),
    SorteoAction.RESTORE:    (".", "SCHEDULED",  ".",      "OPEN",    ".",      "CLOSED", ".",      "."),
    SorteoAction.EVALUATE:   (".",      ".",     ".",      ".",       "EVALUATED", "EVALUATED-", ".", "."),
    SorteoAction.REVERT:     (".",      ".",     ".",      ".",       ".",      ".",      "CLOSED", "CLOSED-"),
}  # fmt: skip
STATES = [State(status, is_active) for status, is_active in product(SorteoStatus, (True, False))]


def shown(state: State | None) -> str:
    return "." if state is None else state.status + ("" if state.is_active else "-")


@pytest.mark.parametrize("action", SorteoAction)
def test_an_action_leads_from_each_state_where_the_table_says(action: SorteoAction) -> None:
    assert tuple(shown(after(action, state)) for state in STATES) == EXPECTED[action]


def test_every_action_has_its_rows_and_none_leads_nowhere() -> None:
    assert set(TRANSITIONS) == set(SorteoAction)
    assert all(old != new for states in TRANSITIONS.values() for old, new in states.items())


def test_from_scheduled_every_state_is_reached_and_a_result_is_left_by_its_correction_only() -> None:
    reached: set[State] = set()
    found = {State(SorteoStatus.SCHEDULED, is_active=True)}
    while found - reached:
        reached |= found
        found = {new for states in TRANSITIONS.values() for old, new in states.items() if old in reached}
    assert reached == set(STATES)
    leaving = {action for action, states in TRANSITIONS.items() for old in states if old.status == "EVALUATED"}
    assert leaving == {SorteoAction.REVERT}


def test_a_refusal_says_what_would_do() -> None:
    assert sources(SorteoAction.OPEN) == "SCHEDULED"
    assert sources(SorteoAction.CLOSE) == "OPEN or OPEN (switched off)"
