"""How many random scenarios are played: some in every run, thousands with HYPOTHESIS_PROFILE=thorough."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck

IS_THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
MANY = int(os.environ.get("HYPOTHESIS_EXAMPLES") or "10000")
TIMEOUT_S = 120


def examples(few: int) -> Callable[[Any], Any]:
    """few: in every run."""
    timeout = pytest.mark.timeout(0 if IS_THOROUGH else TIMEOUT_S)
    chosen = hypothesis.settings(
        max_examples=MANY if IS_THOROUGH else few,
        deadline=None,
        # All examples share the fixtures of one test, its database among them: each is swept after.
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    return lambda test: timeout(chosen(test))
