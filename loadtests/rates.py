"""How many customers a POS has at a time of the run, from 0.0 to 1.0, and when draws close. Pure; the scenarios say why."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

# The day.
OPENS_H, SHUTS_H = 7.0, 21.0
NOON_H, NIGHT_H = 12 + 55 / 60, 19.5
MORNING_PER_MIN, AFTERNOON_PER_MIN, EVENING_PER_MIN, CROWD_PER_MIN = 2.0, 4.0, 1.0, 20.0
# How long before its closing a draw's crowd begins to gather.
NOON_CROWD_H, NIGHT_CROWD_H = 0.5, 1.0

# The rush.
RUSH_CLOSES_AT = 0.8
FIRST_PER_S, LAST_PER_S, LATE_PER_S = 0.1, 2.0, 1.0

# The POS without the net.
RETURNS_EVERY_S = 20.0


def day_progress(hour: float) -> float:
    return (hour - OPENS_H) / (SHUTS_H - OPENS_H)


# Scenario → when its draws close; infinite: long after the run.
CLOSINGS: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "day": (day_progress(NOON_H), day_progress(NIGHT_H)),
        "rush": (RUSH_CLOSES_AT,),
        "offline": (0.5, math.inf),
    }
)


def day_per_s(progress: float) -> float:
    hour = OPENS_H + progress * (SHUTS_H - OPENS_H)
    if hour < NOON_H:
        return crowded(MORNING_PER_MIN, left_h=NOON_H - hour, crowd_h=NOON_CROWD_H) / 60
    if hour < NIGHT_H:
        return crowded(AFTERNOON_PER_MIN, left_h=NIGHT_H - hour, crowd_h=NIGHT_CROWD_H) / 60
    return EVENING_PER_MIN / 60


def crowded(quiet_per_min: float, *, left_h: float, crowd_h: float) -> float:
    """From the quiet rate, evenly up to the crowd's at the closing."""
    nearness = max(0.0, 1 - left_h / crowd_h)
    return quiet_per_min + (CROWD_PER_MIN - quiet_per_min) * nearness


def rush_per_s(progress: float) -> float:
    if progress >= RUSH_CLOSES_AT:
        return LATE_PER_S
    nearness = progress / RUSH_CLOSES_AT
    return FIRST_PER_S + (LAST_PER_S - FIRST_PER_S) * nearness * nearness


def offline_per_s(_: float) -> float:
    return 1 / RETURNS_EVERY_S
