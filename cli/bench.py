"""`./banca bench`: how fast it is, as ratios against yardsticks of the same machine and minute."""

from __future__ import annotations

from pathlib import Path

import orjson
from rich.console import Console

from cli.progress import say
from loadtests.bench.chart import chart
from loadtests.bench.plan import Plan
from loadtests.bench.report import document, show
from loadtests.bench.run import run_bench
from loadtests.bench.table import chosen_rows

__all__ = ["Plan", "run"]

WIDTH = 160


def run(*, rows: str | None, plan: Plan, json: Path | None, svg: Path | None, data: Path) -> int:
    """1 when the books are wrong, a request failed or a row could not be measured; a missed goal is shown, no error."""
    done = run_bench(chosen_rows(rows, quick=plan.is_quick), plan, data=data, say=say)
    console = Console()
    # Where nobody looks, 80 columns would break every line of the table.
    show(done, console if console.is_terminal else Console(width=WIDTH))
    if json is not None:
        json.write_bytes(orjson.dumps(document(done), option=orjson.OPT_INDENT_2) + b"\n")
        svg = svg or json.with_suffix(".svg")
    if svg is not None:
        svg.write_text(chart(done), encoding="utf-8")
    return 0 if done.is_clean else 1
