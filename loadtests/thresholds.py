"""What a run must hold to: how much may fail, and how long a customer may wait.

Generous, because the load, the stack and other people's work share a machine's cores; for speeds there is a benchmark.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Threshold:
    """row: the "POS" row that is judged. p95_ms, p99_ms: from the customer's coming to a definite answer."""

    row: str
    failure_ratio_max: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Of a run. failed: of all requests. done: customers of the judged row; errors: what scenarios themselves raised."""

    requests: int
    failed: int
    done: int
    p95_ms: float
    p99_ms: float
    errors: int = 0


THRESHOLDS: Mapping[str, Threshold] = MappingProxyType(
    {
        "day": Threshold("sale", failure_ratio_max=0.01, p95_ms=2_000, p99_ms=5_000),
        "rush": Threshold("sale", failure_ratio_max=0.01, p95_ms=3_000, p99_ms=8_000),
        "offline": Threshold("sync", failure_ratio_max=0.01, p95_ms=8_000, p99_ms=15_000),
    }
)


def exceeded(threshold: Threshold, figures: Figures) -> list[str]:
    """What was not held, in words; empty when all was."""
    return list(_exceeded(threshold, figures))


def _exceeded(threshold: Threshold, figures: Figures) -> Iterable[str]:
    if figures.errors:
        yield f"the scenario itself failed {figures.errors} times"
    if not figures.done:
        yield f"nothing was done: no {threshold.row!r} succeeded"
    ratio = figures.failed / figures.requests if figures.requests else 0.0
    if ratio > threshold.failure_ratio_max:
        yield f"{ratio:.2%} of the requests failed, at most {threshold.failure_ratio_max:.0%} may"
    for name, value_ms, max_ms in (
        ("p95", figures.p95_ms, threshold.p95_ms),
        ("p99", figures.p99_ms, threshold.p99_ms),
    ):
        if value_ms > max_ms:
            yield f"{name} of {threshold.row!r} was {value_ms:,.0f} ms, at most {max_ms:,.0f} ms are allowed"
