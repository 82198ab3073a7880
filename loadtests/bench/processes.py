"""Looking at processes from outside, through /proc."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
# In /proc/<pid>/stat, counted behind the name in parentheses: state, parent, …, user and system time of the process,
# and of its children that ended.
PARENT = 1
TIMES = slice(11, 15)
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def children_of(pid: int) -> list[int]:
    return [child for child, fields in _table().items() if int(fields[PARENT]) == pid and fields[0] != "Z"]


def command_of(pid: int) -> list[str]:
    """Empty when it is gone, or about to go."""
    with suppress(FileNotFoundError, ProcessLookupError):
        line = (PROC / str(pid) / "cmdline").read_text(errors="replace").rstrip("\0")
        return line.split("\0") if line.strip() else []
    return []


def cpu_s(pid: int) -> float:
    """Of the process and all its descendants, also those that ended."""
    table, found = _table(), {pid}
    while more := {child for child, fields in table.items() if int(fields[PARENT]) in found} - found:
        found |= more
    return sum(sum(map(int, table[each][TIMES])) for each in found if each in table) / TICKS_PER_S


def _table() -> dict[int, list[str]]:
    rows = {}
    for entry in PROC.glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            rows[int(entry.name)] = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
    return rows
