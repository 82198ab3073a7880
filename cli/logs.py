"""`./banca logs`: what processes and servers said; with -f what they say, through the files' changes."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from cli.trouble import Trouble, UsageTrouble
from core.domain.text import escaped_json, shown

LOOK_EVERY_S = 0.2
TAIL_BYTES_MAX = 5_000_000
# api.1.log is what was in api.log before.
FORMER = re.compile(r"\.\d+\.log$")


class LogTail:
    """The whole lines of one log that were not read yet, also when the file begins anew meanwhile."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.stem
        self._file: BinaryIO | None = None
        self._rest = b""

    def last(self, count: int) -> list[bytes]:
        """The last lines of it; from there on new_lines goes on."""
        self._file = self.path.open("rb")
        size = self._file.seek(0, os.SEEK_END)
        self._file.seek(max(0, size - TAIL_BYTES_MAX))
        lines = self._whole_lines(self._file.read())
        return lines[-count:] if count else []

    def new_lines(self) -> list[bytes]:
        lines = []
        if self._file is not None:
            lines += self._whole_lines(self._file.read())
            if not self._is_current(self._file):
                # Whatever was written between the look and now is the old file's last.
                lines += self._whole_lines(self._file.read())
                self._file.close()
                self._file = None
        if self._file is None and self.path.exists():
            self._file = self.path.open("rb")
            lines += self._whole_lines(self._file.read())
        return lines

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _is_current(self, file: BinaryIO) -> bool:
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return False
        mine = os.fstat(file.fileno())
        return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)

    def _whole_lines(self, chunk: bytes) -> list[bytes]:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        return lines


def run(*, data: Path, name: str | None, follow: bool, lines: int) -> int:
    """Print the last lines of the logs of that name, of all without one; then what comes, until Ctrl-C."""
    folder = data.resolve() / "log"
    tails = {path: LogTail(path) for path in chosen(folder, name)}
    if not tails:
        raise Trouble(f"there are no logs in {folder}")
    try:
        for tail in tails.values():
            show(tail, tail.last(lines), is_one=name is not None and len(tails) == 1)
        while follow:
            sys.stdout.flush()
            time.sleep(LOOK_EVERY_S)
            for path in chosen(folder, name):
                tail = tails.setdefault(path, LogTail(path))
                show(tail, tail.new_lines(), is_one=name is not None and len(tails) == 1)
    finally:
        for tail in tails.values():
            tail.close()
    return 0


def chosen(folder: Path, name: str | None) -> Sequence[Path]:
    """All logs, or those of a process: `api` is api.log, and api-1.log and api-2.log too.

    Raises UsageTrouble for a name that there is not.
    """
    paths = [path for path in sorted(folder.glob("*.log")) if not FORMER.search(path.name)]
    found = [path for path in paths if name in (None, path.stem, path.stem.rpartition("-")[0])]
    if paths and not found:
        raise UsageTrouble(f"no log is named {name}; there are {', '.join(path.stem for path in paths)}")
    return found


def show(tail: LogTail, lines: Sequence[bytes], *, is_one: bool) -> None:
    """is_one: nobody needs to be told whose line it is."""
    for line in printable(lines):
        print(line if is_one else f"{tail.name:<9} {line}")


def printable(lines: Sequence[bytes]) -> Iterator[str]:
    """Others wrote what is in them: nothing in it moves the cursor. JSON stays JSON."""
    for line in lines:
        text = line.decode("utf-8", "replace")
        yield escaped_json(text) if text.startswith("{") else shown(text)
