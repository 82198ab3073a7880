"""What a run is about: its scenario, sellers, draws and hours; written by `./banca load`, read by every process of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import orjson

PLAN_VARIABLE = "BANCA_LOAD_PLAN"
PLAN_FILE = "plan.json"
HISTORY_PATTERN = "history-*.jsonl"


@dataclass(frozen=True, slots=True)
class Draw:
    """closes_at_s: Unix seconds, as all times here."""

    id: str
    closes_at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """sellers: as `./banca demo --json` describes them. draws: in the order of their closing."""

    scenario: str
    seed: int
    processes: int
    api_url: str
    multiplier_id: str
    begins_at_s: float
    ends_at_s: float
    draws: Sequence[Draw]
    sellers: Sequence[Mapping[str, str]]

    @classmethod
    def load(cls, path: Path) -> Self:
        document: dict[str, Any] = orjson.loads(path.read_bytes())
        return cls(**{**document, "draws": [Draw(**draw) for draw in document["draws"]]})

    def document(self) -> dict[str, Any]:
        return asdict(self)

    def coming(self, now_s: float) -> list[Draw]:
        """Draws that still sell, the next to close first."""
        return [draw for draw in self.draws if draw.closes_at_s > now_s]


def plan_path() -> Path:
    """Of the run that this process belongs to; its folder takes the histories."""
    path = os.environ.get(PLAN_VARIABLE, "").strip()
    if not path:
        raise KeyError(PLAN_VARIABLE)
    return Path(path)


def histories(folder: Path) -> list[Path]:
    return sorted(folder.glob(HISTORY_PATTERN))
