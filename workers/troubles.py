"""Troubles with single draws or bancas: what failed rests, and then is tried with less at once, until it gets on."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from workers.backoff import backoff_s


@dataclass(slots=True)
class Trouble:
    """How often in a row, how much is tried next, and not before when."""

    failures: int
    at_once: int
    rests_until_s: float


class Troubles:
    """By the id of what failed. full: how much is tried at once where there is no trouble."""

    def __init__(self, *, at_once_min: int) -> None:
        self.at_once_min = at_once_min
        self.known: dict[UUID, Trouble] = {}

    def at_once(self, what: UUID, *, full: int) -> int:
        trouble = self.known.get(what)
        return full if trouble is None else trouble.at_once

    def resting(self) -> set[UUID]:
        now_s = time.monotonic()
        return {what for what, trouble in self.known.items() if now_s < trouble.rests_until_s}

    def note(self, what: UUID, *, full: int) -> Trouble:
        """It failed: perhaps it was too much for the time that a call has."""
        known = self.known.get(what) or Trouble(0, full, 0.0)
        fewer = min(known.at_once, max(known.at_once // 2, self.at_once_min))
        failures = known.failures + 1
        self.known[what] = Trouble(failures, fewer, time.monotonic() + backoff_s(failures))
        return self.known[what]

    def overcome(self, what: UUID, *, full: int) -> None:
        """It got on, if only slowly."""
        trouble = self.known.get(what)
        if trouble is not None:
            trouble.at_once *= 2
            if trouble.at_once >= full:
                del self.known[what]

    def forget(self, what: UUID) -> None:
        """It was given up: whoever has it tried again begins anew."""
        self.known.pop(what, None)

    def forget_others(self, those: Iterable[UUID]) -> None:
        """Nothing is to be done any more but for those."""
        for what in self.known.keys() - set(those):
            del self.known[what]

    def rest_s(self, longest_s: float) -> float:
        """Until the first one that rests is tried again. What rests no more and was not tried is somebody else's now."""
        now_s = time.monotonic()
        rests = (trouble.rests_until_s - now_s for trouble in self.known.values())
        return min([longest_s, *(rest_s for rest_s in rests if rest_s > 0)])
