"""When customers come: a Poisson process whose rate changes, drawn without regard to how fast they are served."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Arrivals:
    """rate: customers a second at a time between 0.0 (begins) and 1.0 (ends). rate_max: it is never more.

    due_s: the next customer's time on the clock of begins_s and ends_s; infinite once the last has come.
    """

    rate: Callable[[float], float]
    rate_max: float
    begins_s: float
    ends_s: float
    chance: random.Random
    due_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.due_s = self.begins_s
        self.advance()

    def advance(self) -> float:
        """The next customer's time, by thinning: those of a process at rate_max, each kept with its odds."""
        while math.isfinite(self.due_s):
            self.due_s += self.chance.expovariate(self.rate_max)
            progress = (self.due_s - self.begins_s) / (self.ends_s - self.begins_s)
            if progress >= 1.0:
                self.due_s = math.inf
            elif self.chance.random() * self.rate_max < self.rate(progress):
                break
        return self.due_s
