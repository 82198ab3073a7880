"""A run of the benchmark: stage by stage, row by row, round by round; then the books."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.books import PIPELINE_CHECKS, Finding, check_books
from core.processes import allow_many_connections
from loadtests.bench.bench import Bench
from loadtests.bench.machine import Machine, describe_machine
from loadtests.bench.plan import Plan
from loadtests.bench.samples import Result, Sample, results_of
from loadtests.bench.stack import BenchStack
from loadtests.bench.table import ROWS, STAGES, Stage
from loadtests.bench.yardstick import Yardstick

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Run:
    """findings: of the books, after everything. generator_us: of processor time a request, median of closed loops."""

    machine: Machine
    plan: Plan
    results: Sequence[Result]
    findings: Sequence[Finding]
    generator_us: float
    seconds: float

    @property
    def is_clean(self) -> bool:
        """Whether the books are right, every row was measured and no request failed."""
        return not self.findings and not any(result.trouble or result.failures for result in self.results)


def run_bench(rows: Sequence[str], plan: Plan, *, data: Path, say: Say) -> Run:
    """Raises Trouble when the stack does not start; what goes wrong in a row is that row's trouble."""
    allow_many_connections()
    began_s = time.monotonic()
    results: dict[str, list[Result]] = {}
    findings: list[Finding] = []
    generator_us: list[float] = []
    machine, yardstick = None, Yardstick(scale=plan.scale)
    servers = BenchStack(data, api=plan.api)
    with servers:
        for stage, only in STAGES.items():
            names = [name for name in rows if ROWS[name].stage == stage]
            if not names:
                continue
            started_s = time.monotonic()
            with servers.running(only=only) as stack:
                say(f"started the stack, {only or 'everything'} ({time.monotonic() - started_s:.0f} s)")
                machine = machine or describe_machine(stack)
                bench = Bench(servers, stack, plan, yardstick)
                for name in names:
                    results[name] = measure(bench, name, say)
                    generator_us += bench.generator_us
                findings += books_findings(stack.owner_url, stage, say)
    assert machine is not None, "there is at least one row"
    ordered = [result for name in rows for result in results[name]]
    typical_us = sorted(generator_us)[len(generator_us) // 2] if generator_us else 0.0
    return Run(machine, plan, ordered, findings, typical_us, time.monotonic() - began_s)


def measure(bench: Bench, name: str, say: Say) -> list[Result]:
    """All rounds of a row; after trouble there are no more of them."""
    samples: list[Sample] = []
    trouble = None
    bench.forget()
    began_s = time.monotonic()
    for number in range(1, bench.plan.rounds + 1):
        try:
            samples += ROWS[name].measure(bench)
        except Exception as error:
            # Whatever it is, it must not hide the other rows; the report shows it, and the exit code.
            trouble = f"round {number}: {type(error).__name__}: {error}"
            break
    say(f"measured {name} ({time.monotonic() - began_s:.0f} s){f'; {trouble}' if trouble else ''}")
    return results_of(samples, Result(name, [], dict(bench.failures), trouble, dict(bench.said)))


def books_findings(owner_url: str, stage: Stage, say: Say) -> list[Finding]:
    """Where no relay ran, that events wait is no finding."""
    began_s = time.monotonic()
    report = asyncio.run(check_books(owner_url))
    say(f"checked the books ({time.monotonic() - began_s:.0f} s)")
    passed_over = PIPELINE_CHECKS if stage == "api" else frozenset()
    return [finding for finding in report.findings if finding.check not in passed_over]
