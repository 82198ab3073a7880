"""The states of a draw, and what leads from one to another: the only table of transitions."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple


class SorteoStatus(StrEnum):
    SCHEDULED = "SCHEDULED"
    OPEN = "OPEN"
    CLOSED = "CLOSED"
    EVALUATED = "EVALUATED"


class SorteoAction(StrEnum):
    OPEN = "OPEN"
    CLOSE = "CLOSE"
    CLOSE_UNSOLD = "CLOSE_UNSOLD"
    FORCE_OPEN = "FORCE_OPEN"
    DEACTIVATE = "DEACTIVATE"
    RESTORE = "RESTORE"
    EVALUATE = "EVALUATE"
    REVERT = "REVERT"


class State(NamedTuple):
    """is_active: nothing is sold of a draw that is switched off, and it does not open."""

    status: SorteoStatus
    is_active: bool


def _states(status: SorteoStatus) -> tuple[State, State]:
    return State(status, is_active=True), State(status, is_active=False)


_SCHEDULED, _SCHEDULED_OFF = _states(SorteoStatus.SCHEDULED)
_OPEN, _OPEN_OFF = _states(SorteoStatus.OPEN)
_CLOSED, _CLOSED_OFF = _states(SorteoStatus.CLOSED)
_EVALUATED, _EVALUATED_OFF = _states(SorteoStatus.EVALUATED)
_OFF = {_SCHEDULED: _SCHEDULED_OFF, _OPEN: _OPEN_OFF, _CLOSED: _CLOSED_OFF}

# What is not in it is refused. A result is final for everybody but its correction: EVALUATED leads back only by REVERT.
TRANSITIONS: Mapping[SorteoAction, Mapping[State, State]] = MappingProxyType(
    {
        SorteoAction.OPEN: {_SCHEDULED: _OPEN},
        SorteoAction.CLOSE: {_OPEN: _CLOSED, _OPEN_OFF: _CLOSED_OFF},
        # By a job, once its time is over: of a draw that nobody sold, opened or not.
        SorteoAction.CLOSE_UNSOLD: {_SCHEDULED: _CLOSED, _OPEN: _CLOSED},
        # Also what was closed too early, or switched off.
        SorteoAction.FORCE_OPEN: dict.fromkeys((_SCHEDULED, _SCHEDULED_OFF, _OPEN_OFF, _CLOSED, _CLOSED_OFF), _OPEN),
        SorteoAction.DEACTIVATE: _OFF,
        SorteoAction.RESTORE: {off: on for on, off in _OFF.items()},
        SorteoAction.EVALUATE: {_CLOSED: _EVALUATED, _CLOSED_OFF: _EVALUATED_OFF},
        SorteoAction.REVERT: {_EVALUATED: _CLOSED, _EVALUATED_OFF: _CLOSED_OFF},
    }
)


def after(action: SorteoAction, state: State) -> State | None:
    """The state that the action leads to; None: it leads nowhere from there."""
    return TRANSITIONS[action].get(state)


def sources(action: SorteoAction) -> str:
    """The states that the action leads from, for people: "SCHEDULED or OPEN (switched off)"."""
    *others, last = [
        state.status if state.is_active else f"{state.status} (switched off)" for state in TRANSITIONS[action]
    ]
    return f"{', '.join(others)} or {last}" if others else last
