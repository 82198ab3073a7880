"""What was measured, and how several rounds of it become one figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from loadtests.bench.goals import GOALS, Goal, Verdict


@dataclass(frozen=True, slots=True)
class Sample:
    """One figure of one round. yardstick: in the same unit. costs: per ticket, by part; notes: more, by name."""

    id: str
    value: float
    yardstick: float | None = None
    costs: Mapping[str, float] = field(default_factory=dict)
    notes: Mapping[str, float] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        return self.value / self.yardstick if self.yardstick else None


@dataclass(frozen=True, slots=True)
class Result:
    """A figure of a row after all its rounds, at least one unless trouble says why there is none."""

    id: str
    samples: Sequence[Sample]
    failures: Mapping[str, int]
    trouble: str | None = None
    # An answer of each status among the failures.
    said: Mapping[str, str] = field(default_factory=dict)

    @property
    def goal(self) -> Goal:
        return GOALS[self.id]

    @property
    def value(self) -> float | None:
        return median(sample.value for sample in self.samples) if self.samples else None

    @property
    def yardstick(self) -> float | None:
        return _median([sample.yardstick for sample in self.samples])

    @property
    def ratio(self) -> float | None:
        """The median of the rounds' ratios: value and yardstick of a round stood side by side."""
        return _median([sample.ratio for sample in self.samples])

    @property
    def costs(self) -> dict[str, float]:
        return _medians([sample.costs for sample in self.samples])

    @property
    def notes(self) -> dict[str, float]:
        return _medians([sample.notes for sample in self.samples])

    @property
    def verdict(self) -> Verdict | None:
        """None when nothing was measured."""
        figure = self.ratio if self.goal.is_ratio else self.value
        return None if figure is None else self.goal.verdict(figure)


def results_of(samples: Sequence[Sample], about_row: Result) -> list[Result]:
    """One per id, in the order in which they came; about_row: what all of them share, and the only one without any."""
    ids = list(dict.fromkeys(sample.id for sample in samples))
    of_id = {each: [sample for sample in samples if sample.id == each] for each in ids}
    return [replace(about_row, id=each, samples=of_id[each]) for each in ids] or [about_row]


def _median(figures: Sequence[float | None]) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return median(known) if known else None


def _medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for each in rounds for name in each)
    return {name: median(each[name] for each in rounds if name in each) for name in names}
