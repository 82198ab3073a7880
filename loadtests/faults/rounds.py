"""Rounds one after the other, on one stack as long as nothing is found; a stack with a finding is kept."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from loadtests.faults.breakages import BREAKAGES
from loadtests.faults.round import Round, RoundReport
from loadtests.faults.schedule import schedule_of
from loadtests.faults.stack import FaultStack

FINDINGS_SHOWN_MAX = 20


async def run_rounds(seeds: Sequence[int], data: Path, *, amqp_url: str | None, say: Callable[[str], None]) -> int:
    """How many rounds had a finding. data: takes a folder per stack."""
    left, bad = list(seeds), 0
    while left:
        stack = FaultStack(fresh_folder(data), amqp_url=amqp_url)
        is_clean = False
        try:
            is_clean = await run_while_clean(stack, left, say)
        finally:
            if not is_clean:
                say(f"kept    {stack.folder}: the histories, the logs, the data")
        if is_clean:
            stack.remove()
        else:
            bad += 1
    return bad


async def run_while_clean(stack: FaultStack, left: list[int], say: Callable[[str], None]) -> bool:
    """Take seeds from `left` until none is left, or one had a finding: False."""
    began_s = time.monotonic()
    async with stack:
        say(f"stack   {stack.folder} ({time.monotonic() - began_s:.1f} s)")
        while left:
            seed = left.pop(0)
            async with Round(stack, seed, schedule_of(seed, tuple(BREAKAGES))) as a_round:
                report = await a_round.run()
            show(report, say)
            if report.findings:
                return False
    return True


def show(report: RoundReport, say: Callable[[str], None]) -> None:
    say(f"round   {report}")
    for finding in report.findings[:FINDINGS_SHOWN_MAX]:
        say(f"  {finding}")
    if len(report.findings) > FINDINGS_SHOWN_MAX:
        say(f"  … and {len(report.findings) - FINDINGS_SHOWN_MAX} more")


def fresh_folder(data: Path) -> Path:
    return data / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
