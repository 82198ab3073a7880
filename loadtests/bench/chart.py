"""A run as an SVG: a bar per row, as a share of its target, with its floor."""

from __future__ import annotations

from html import escape

from loadtests.bench.report import figure, limit
from loadtests.bench.run import Run
from loadtests.bench.samples import Result

WIDTH, ROW_HEIGHT, TOP, BAR = 960, 30, 56, 16
BARS_AT, BARS_WIDTH = 330, 470
# Twice the target is the end of the scale.
SCALE_MAX = 2.0
COLOURS = {"target": "#2f9e44", "floor": "#f08c00", "missed": "#e03131"}
STYLE = "font: 13px system-ui, sans-serif; fill: #212529"


def chart(run: Run) -> str:
    """Rows without a goal, or without a figure, are left out."""
    results = [result for result in run.results if result.verdict in COLOURS]
    height = TOP + ROW_HEIGHT * len(results) + 34
    title = f"{run.machine.processor}, {run.machine.cores} cores, PostgreSQL {run.machine.postgresql}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">',
            '<rect width="100%" height="100%" fill="#ffffff"/>',
            text(12, 22, f"Share of the target, {title}", bold=True),
            text(12, 40, "mark: the floor; line: the target; longer is better, of times their inverse"),
            *(line for number, result in enumerate(results) for line in bar(result, TOP + ROW_HEIGHT * number)),
            target_line(height),
            "</svg>\n",
        ]
    )


def bar(result: Result, top: int) -> list[str]:
    goal, middle = result.goal, top + BAR // 2 + 5
    amount = result.ratio if goal.is_ratio else result.value
    assert amount is not None, "it has a verdict"
    assert goal.floor is not None, "it has a verdict that is judged"
    assert goal.target is not None, "whatever has a floor has a target"
    share = share_of(amount, goal.target, more_is_better=goal.more_is_better)
    floor = share_of(goal.floor, goal.target, more_is_better=goal.more_is_better)
    colour = COLOURS[result.verdict or "missed"]
    unit = "" if goal.is_ratio else f" {goal.unit}"
    return [
        text(12, middle, f"{result.id}  {goal.what}"),
        f'<rect x="{BARS_AT}" y="{top}" width="{at(share) - BARS_AT:.1f}" height="{BAR}" fill="{colour}" rx="2"/>',
        f'<rect x="{at(floor) - 1:.1f}" y="{top - 3}" width="3" height="{BAR + 6}" fill="#495057"/>',
        text(BARS_AT + BARS_WIDTH + 8, middle, f"{figure(amount)}{unit} (target {limit(goal.target)})"),
    ]


def share_of(amount: float, target: float, *, more_is_better: bool) -> float:
    """0 to SCALE_MAX."""
    share = amount / target if more_is_better else target / max(amount, 1e-9)
    return max(0.0, min(SCALE_MAX, share))


def at(share: float) -> float:
    return BARS_AT + BARS_WIDTH * share / SCALE_MAX


def target_line(height: int) -> str:
    return f'<line x1="{at(1):.1f}" x2="{at(1):.1f}" y1="{TOP - 8}" y2="{height - 30}" stroke="#212529"/>'


def text(left: float, baseline: float, said: str, *, bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return f'<text x="{left}" y="{baseline}" style="{STYLE}"{weight}>{escape(said)}</text>'
