"""Looking at processes from outside, through /proc."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path


def wait_until(condition: Callable[[], object], *, timeout_s: float = 10.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, f"not within {timeout_s} s"
        time.sleep(0.02)


def descendants(pid: int) -> set[int]:
    """Every living process below this one."""
    parents = {child: parent for child, (parent, state) in table().items() if state != "Z"}
    found: set[int] = set()
    while more := {child for child, parent in parents.items() if parent in found | {pid}} - found:
        found |= more
    return found


def alive(pids: set[int]) -> set[int]:
    return {pid for pid, (_, state) in table().items() if pid in pids and state != "Z"}


def table() -> dict[int, tuple[int, str]]:
    """Process → its parent and its state."""
    rows = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            stat = (entry / "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        # The name, in parentheses, may hold anything.
        state, parent = stat.rpartition(")")[2].split()[:2]
        rows[int(entry.name)] = (int(parent), state)
    return rows
