"""What a load was answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

NO_ANSWER = 0
NOTHING_EXPECTED: frozenset[int] = frozenset()


@dataclass(slots=True)
class LoadReport:
    """tickets, answers: those that came inside the window of window_s; everything else counts all that was sent.

    seconds: each answer's time, from when its request was due (open loop) or sent (closed loop).
    cpu_s: what the generator took of the processor for all its flows together.
    """

    window_s: float = 0.0
    cpu_s: float = 0.0
    tickets: int = 0
    answers: int = 0
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    acknowledged: list[str] = field(default_factory=list)
    # Sent, and the connection was lost or the answer never came.
    lost: list[str] = field(default_factory=list)
    # Due inside the window and never sent, because every connection was still waiting.
    unsent: int = 0
    replayed: int = 0
    # Tickets that a batch's 2xx did not sell.
    unsold_in_batches: int = 0
    # 429 and 503 that did not say when to come again.
    without_retry_after: int = 0
    samples: dict[int, bytes] = field(default_factory=dict)

    @property
    def tickets_per_s(self) -> float:
        return self.tickets / self.window_s if self.window_s else 0.0

    @property
    def answers_per_s(self) -> float:
        return self.answers / self.window_s if self.window_s else 0.0

    @property
    def cpu_us_per_request(self) -> float:
        """Of a generator with one flow."""
        return 1e6 * self.cpu_s / len(self.seconds) if self.seconds else 0.0

    def percentile_ms(self, share: float) -> float:
        """Zero without answers."""
        ranked = sorted(self.seconds)
        return 1000 * ranked[min(len(ranked) - 1, int(share * len(ranked)))] if ranked else 0.0

    def failures(self, expected: frozenset[int] = NOTHING_EXPECTED) -> Mapping[str, int]:
        """What was neither 2xx nor expected, and how often."""
        wrong = {
            str(status): count
            for status, count in sorted(self.statuses.items())
            if not 200 <= status < 300 and status not in expected
        }
        others = {
            "no answer": len(self.lost),
            "unsold in batches": self.unsold_in_batches,
            "no Retry-After": self.without_retry_after,
        }
        return wrong | {what: count for what, count in others.items() if count}
