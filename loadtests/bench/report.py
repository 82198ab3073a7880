"""A run as a table for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from loadtests.bench.run import Run
from loadtests.bench.samples import Result

VERDICTS: Mapping[str, str] = {
    "target": "[green]target[/green]",
    "floor": "floor",
    "missed": "[red]missed[/red]",
    "informative": "",
}
GENERATOR_US_MAX = 30.0
SAID_MAX = 300


def document(run: Run) -> dict[str, Any]:
    return {
        "machine": asdict(run.machine),
        "plan": asdict(run.plan),
        "generatorUsPerRequest": round(run.generator_us, 1),
        "seconds": round(run.seconds, 1),
        "rows": [row(result) for result in run.results],
        "findings": [
            {"check": finding.check, "bancaId": str(finding.banca_id), "finding": finding.text}
            for finding in run.findings
        ],
    }


def row(result: Result) -> dict[str, Any]:
    """value, yardstick and ratio are medians of the rounds; ratio and yardstick are null where time is judged."""
    goal = result.goal
    return {
        "id": result.id,
        "what": goal.what,
        "unit": goal.unit,
        "ratio": rounded(result.ratio),
        "value": rounded(result.value),
        "yardstick": rounded(result.yardstick),
        "yardstickIs": goal.yardstick,
        "rounds": [
            {"value": rounded(each.value), "yardstick": rounded(each.yardstick), "ratio": rounded(each.ratio)}
            for each in result.samples
        ],
        "floor": goal.floor,
        "target": goal.target,
        "verdict": result.verdict,
        "failures": dict(result.failures),
        "said": dict(result.said),
        "trouble": result.trouble,
        "costs": {name: rounded(figure) for name, figure in result.costs.items()},
        "notes": {name: rounded(figure) for name, figure in result.notes.items()},
    }


def show(run: Run, console: Console) -> None:
    machine = run.machine
    console.print(results_table(run))
    console.print(
        f"{machine.processor}, {machine.cores} cores, {machine.memory_gb} GB; PostgreSQL {machine.postgresql},"
        f" Python {machine.python}, {machine.broker}; load before: {machine.load}",
        highlight=False,
    )
    lean = "" if run.generator_us < GENERATOR_US_MAX else f" (it should be under {GENERATOR_US_MAX:.0f})"
    console.print(
        f"The load generator ran on the same cores and took {run.generator_us:.0f} µs of them a request{lean}.",
        highlight=False,
    )
    for result in run.results:
        for what, figures in (("costs a ticket", result.costs), ("notes", result.notes)):
            if figures:
                said = ", ".join(f"{name} {figure(amount)}" for name, amount in figures.items())
                console.print(f"{result.id} {what}: {said}", highlight=False)
    show_trouble(run, console)


def results_table(run: Run) -> Table:
    rounds = "round" if run.plan.rounds == 1 else "rounds, medians"
    table = Table(title=f"{run.plan.rounds} {rounds}, {run.seconds:.0f} s", title_justify="left")
    for name in ("row", "what"):
        table.add_column(name, no_wrap=True)
    for name in ("value", "÷", "ratio", "floor", "target"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("met", no_wrap=True)
    for result in run.results:
        goal = result.goal
        against = f"{goal.yardstick}: {figure(result.yardstick)}" if goal.is_ratio else ""
        met = VERDICTS[result.verdict] if result.verdict else "[red]not measured[/red]"
        value = f"{figure(result.value)} {goal.unit}"
        cells = (result.id, goal.what, value, against, figure(result.ratio) if goal.is_ratio else "")
        table.add_row(*cells, limit(goal.floor), limit(goal.target), met)
    return table


def show_trouble(run: Run, console: Console) -> None:
    for result in run.results:
        if result.trouble:
            console.print(f"[red]{result.id}[/red] {result.trouble}", highlight=False)
        if result.failures:
            said = ", ".join(f"{what}: {count}" for what, count in result.failures.items())
            console.print(f"[red]{result.id}[/red] failed requests: {said}", highlight=False)
        for status, body in result.said.items():
            console.print(f"  {status}: {body[:SAID_MAX]}", highlight=False, markup=False)
    for finding in run.findings[:20]:
        console.print(f"[red]{finding.check}[/red] {finding.text} (banca {finding.banca_id})", highlight=False)
    console.print("The books are right." if not run.findings else f"{len(run.findings)} findings in the books.")


def figure(amount: float | None) -> str:
    if amount is None:
        return "—"
    return f"{amount:,.0f}" if abs(amount) >= 100 else f"{amount:.3g}"


def limit(amount: float | None) -> str:
    return "" if amount is None else f"{amount:g}"


def rounded(amount: float | None) -> float | None:
    return None if amount is None else float(f"{amount:.4g}")
