"""What each figure has to reach. Source: the project's goals; a floor must hold, a target is where it should get to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Verdict = Literal["target", "floor", "missed", "informative"]


@dataclass(frozen=True, slots=True)
class Goal:
    """unit: of the value. yardstick: what the value is divided by; None: the value itself is judged, less is better.

    is_time: a ratio of times, of which less is better too.
    """

    what: str
    unit: str
    yardstick: str | None
    floor: float | None = None
    target: float | None = None
    is_time: bool = False

    @property
    def is_ratio(self) -> bool:
        return self.yardstick is not None

    @property
    def more_is_better(self) -> bool:
        return self.is_ratio and not self.is_time

    def verdict(self, figure: float) -> Verdict:
        """figure: the ratio, or the value where there is no yardstick."""
        if self.floor is None:
            return "informative"
        sign = 1 if self.more_is_better else -1
        if self.target is not None and sign * figure >= sign * self.target:
            return "target"
        return "floor" if sign * figure >= sign * self.floor else "missed"


B = "B"
GOALS: Mapping[str, Goal] = MappingProxyType(
    {
        "P1": Goal("single tickets over HTTP, api alone", "tickets/s", B, 0.6, 1.0),
        "P2": Goal("single tickets, whole pipeline running", "tickets/s", B, 0.35, 0.6),
        "P3": Goal("batches of 50 tickets", "tickets/s", B, 1.3, 2.0),
        "P4": Goal("one hot number, one seller", "tickets/s", "100 draws, 1,000 sellers", 0.8, 1.0),
        "P5": Goal("single tickets on the hot draw", "tickets/s", "H", 5, 12),
        "P7": Goal("replays of known keys", "answers/s", "fresh sales", 1.0, 1.3),
        "P8": Goal("p99 at 100 requests/s", "ms", None, 10, 5),
        "P8-alone": Goal("p50 of a ticket alone", "ms", None, 3, 1.5),
        "P8b": Goal("20 % refused on sold-out numbers", "answers/s", "P1", 0.85, 0.95),
        "P9": Goal("goodput at twice the peak", "tickets/s", "peak", 0.8, 0.95),
        "P10": Goal("commit → audit, p99 at half load", "s", None, 2, 0.5),
        "P10-full": Goal("commit → audit, p99 at full load", "s", None, 10, 3),
        "P11": Goal("drain of 100,000 events at half load", "s", None, 120, 45),
        "P12": Goal("evaluation of 1,000,000 jugadas", "s", "bare update of its winners", 6, 3, is_time=True),
        "P12-sales": Goal("p99 of other draws' sales meanwhile", "ms", "before", 3, 1.5, is_time=True),
        "P13": Goal("statements of a day, 200 sellers × 500 tickets", "s", None, 5, 1),
        "P13-read": Goal("p99 of reading a seller's month", "ms", None, 20, 5),
        "P13-sales": Goal("single tickets beside them, whole pipeline", "tickets/s", B, 0.35, 0.6),
        "R30": Goal("30 rules, five on each jugada", "tickets/s", "one rule", 0.85, 0.95),
        "RH": Goal("the others, beside one who hammers", "tickets/s", "without him", 0.85, 0.95),
        "W": Goal("the HTTP handler without a database", "tickets/s", "P1"),
    }
)
