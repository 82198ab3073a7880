"""How a run of the benchmark goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

ROUNDS = 3
SECONDS = 10.0
YARDSTICK_SECONDS = 5.0
QUICK_SECONDS = 2.0
QUICK_YARDSTICK_SECONDS = 2.0
# Of pgbench; the goals mean this one.
SCALE = 50
# Enough that a batch gathers while one is written; more only wait longer.
CONNECTIONS = 128
EVENTS = 100_000
QUICK_EVENTS = 6_000
JUGADAS = 1_000_000
QUICK_JUGADAS = 60_000
# 500 of each of 200 sellers.
DAY_TICKETS = 100_000
QUICK_DAY_TICKETS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """seconds: of each measurement. yardstick_s: of pgbench at each number of clients. events: waiting in P11. jugadas: of the
    draw that P12 evaluates. day_tickets: of the day that P13 computes.
    """

    is_quick: bool = False
    rounds: int = ROUNDS
    seconds: float = SECONDS
    yardstick_s: float = YARDSTICK_SECONDS
    scale: int = SCALE
    events: int = EVENTS
    jugadas: int = JUGADAS
    day_tickets: int = DAY_TICKETS
    api: int = 1
    connections: int = CONNECTIONS

    @classmethod
    def chosen(cls, *, quick: bool, rounds: int | None, seconds: float | None, scale: int, api: int) -> Self:
        return cls(
            is_quick=quick,
            rounds=rounds or (1 if quick else ROUNDS),
            seconds=seconds or (QUICK_SECONDS if quick else SECONDS),
            yardstick_s=seconds or (QUICK_YARDSTICK_SECONDS if quick else YARDSTICK_SECONDS),
            scale=scale,
            events=QUICK_EVENTS if quick else EVENTS,
            jugadas=QUICK_JUGADAS if quick else JUGADAS,
            day_tickets=QUICK_DAY_TICKETS if quick else DAY_TICKETS,
            api=api,
        )

    @property
    def warm_up_s(self) -> float:
        return min(1.0, self.seconds / 2)
