"""Which rows there are, and in which stage of the stack each is measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from cli.trouble import UsageTrouble
from loadtests.bench.bench import Bench
from loadtests.bench.evaluation_rows import p12
from loadtests.bench.rows import p1, p2, p3, p4, p5, p7, p8b, r30, rh
from loadtests.bench.samples import Sample
from loadtests.bench.statement_rows import p13
from loadtests.bench.timed_rows import p8, p9, p10, p11

Stage = Literal["pipeline", "api"]
# Relay and workers run, and leave nothing behind; then the api runs alone, and its events stay in the outbox.
STAGES: Mapping[Stage, str | None] = MappingProxyType({"pipeline": None, "api": "api"})


@dataclass(frozen=True, slots=True)
class Row:
    """is_large: its goals mean a size that takes minutes to fill; --quick measures it only when it is named."""

    stage: Stage
    measure: Callable[[Bench], list[Sample]]
    is_large: bool = False


ROWS: Mapping[str, Row] = MappingProxyType(
    {
        "P1": Row("api", p1),
        "P2": Row("pipeline", p2),
        "P3": Row("api", p3),
        "P4": Row("api", p4),
        "P5": Row("api", p5),
        "P7": Row("api", p7),
        "P8": Row("api", p8),
        "P8b": Row("api", p8b),
        "P9": Row("api", p9),
        "P10": Row("pipeline", p10),
        "P11": Row("pipeline", p11),
        "P12": Row("pipeline", p12, is_large=True),
        "P13": Row("pipeline", p13, is_large=True),
        "R30": Row("api", r30),
        "RH": Row("api", rh),
    }
)
# The same figure under its other name, or measured with another.
ALIASES: Mapping[str, str] = MappingProxyType({"R20": "P8b", "W": "P5", "H": "P5"})


def chosen_rows(text: str | None, *, quick: bool = False) -> list[str]:
    """Names separated by commas, in any order and case; for None all rows that such a run has. Raises UsageTrouble."""
    if text is None:
        return [name for name, row in ROWS.items() if not (quick and row.is_large)]
    by_name = {name.upper(): name for name in ROWS} | dict(ALIASES)
    asked = [name.strip().upper() for name in text.split(",") if name.strip()]
    if unknown := [name for name in asked if name not in by_name]:
        raise UsageTrouble(f"--rows knows {', '.join(ROWS)} and {', '.join(ALIASES)}; not {', '.join(unknown)}")
    chosen = {by_name[name] for name in asked}
    return [name for name in ROWS if name in chosen]
