"""What breaks, and when: a pure function of a seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

OPERATIONS = 450
STRIKES = 6
# The first sales find everything well, and so do the last.
FIRST_AT, LAST_AT = 40, 360
LASTS_MIN, LASTS_MAX = 20, 70


@dataclass(frozen=True, slots=True)
class Strike:
    """A breakage that begins after so many operations of the round, and ends after so many more."""

    breakage: str
    at: int
    lasts: int
    seed: int

    def __str__(self) -> str:
        return f"{self.breakage}@{self.at}"


def schedule_of(seed: int, breakages: Sequence[str]) -> tuple[Strike, ...]:
    """STRIKES of them, in order of their beginning; no breakage twice; they may overlap."""
    chance = random.Random(f"schedule {seed}")
    chosen = chance.sample(sorted(breakages), STRIKES)
    beginnings = sorted(chance.sample(range(FIRST_AT, LAST_AT), STRIKES))
    return tuple(
        Strike(breakage, at, chance.randint(LASTS_MIN, LASTS_MAX), chance.getrandbits(32))
        for breakage, at in zip(chosen, beginnings, strict=True)
    )
