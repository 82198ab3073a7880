"""The scenarios as Locust sees them; `./banca load SCENARIO` runs this file and names the user that is the scenario's.

DaySeller: day.py, a selling day. RushSeller: rush.py, the last minutes before a closing. OfflineSeller: offline.py, POS
that lost the net. The traffic model is in each one's docstring, what decides the exit code in thresholds.py.
"""

from __future__ import annotations

import logging
from typing import Any

from locust import events
from locust.env import Environment
from locust.runners import WorkerRunner

from loadtests.day import DaySeller
from loadtests.offline import OfflineSeller
from loadtests.rush import RushSeller
from loadtests.seller import plan
from loadtests.thresholds import THRESHOLDS, Figures, Threshold, exceeded

__all__ = ["DaySeller", "OfflineSeller", "RushSeller"]


@events.quitting.add_listener  # type: ignore[untyped-decorator] # - Locust's own, without types
def judge(environment: Environment, **_: Any) -> None:
    """The exit code is the thresholds'. A worker has only its share of the figures, and says nothing."""
    if isinstance(environment.runner, WorkerRunner):
        environment.process_exit_code = 0
        return
    threshold = THRESHOLDS[plan().scenario]
    broken = exceeded(threshold, figures_of(environment, threshold))
    for sentence in broken:
        logging.getLogger(__name__).error("threshold: %s", sentence)
    environment.process_exit_code = 1 if broken else 0


def figures_of(environment: Environment, threshold: Threshold) -> Figures:
    """A "POS" row counts the same customers once more: requests are the HTTP ones alone; failures are all there are."""
    stats, runner = environment.stats, environment.runner
    http = [entry for (_, method), entry in stats.entries.items() if method != "POS"]
    judged = stats.get(threshold.row, "POS")
    return Figures(
        requests=sum(entry.num_requests for entry in http),
        failed=sum(entry.num_failures for entry in stats.entries.values()),
        done=judged.num_requests - judged.num_failures,
        p95_ms=judged.get_response_time_percentile(0.95) or 0.0,
        p99_ms=judged.get_response_time_percentile(0.99) or 0.0,
        errors=sum(error["count"] for error in runner.exceptions.values()) if runner else 0,
    )
