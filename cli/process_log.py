"""What child processes write, line by line into files that are bounded while they run."""

from __future__ import annotations

import fcntl
import os
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path

import orjson

from core.domain.text import shown

LOG_BYTES_MAX = 10_000_000
# Beside the one that is written: a log takes LOG_BYTES_MAX × (LOGS_KEPT + 1) at the most.
LOGS_KEPT = 3
# What comes without a line's end is cut here, so that it does not fill the memory.
LINE_BYTES_MAX = 1_000_000
READ_BYTES = 65_536
# A process waits only when so much is not read yet; and what several write at once is not mixed as long as it fits.
PIPE_BYTES = 1_048_576
# What is told of a child that ended: of so many lines, and so much of each.
LAST_LINES = 20
LAST_LINE_BYTES_MAX = 20_000
LAST_BYTES_MAX = 100_000
TOLD_LENGTH_MAX = 500


class LogFile:
    """A file that begins anew when it is full: name.log, then name.1.log (the newest full one) and so on.

    Whole lines only, so that none is torn or lost between two files, also when several processes write one log.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = path
        self._lock = threading.Lock()
        self._file = path.open("ab", buffering=0)
        self._lost = 0
        self.users = 0

    def write(self, lines: bytes) -> None:
        """lines: each with its end. What a full disk does not take is counted, and told once it takes lines again."""
        with self._lock:
            try:
                if self._file.tell() + len(lines) > LOG_BYTES_MAX and self._file.tell() > 0:
                    self._begin_anew()
                if self._lost:
                    self._write_all(orjson.dumps({"layer": "log", "action": "LINES_LOST", "lines": self._lost}) + b"\n")
                    self._lost = 0
                self._write_all(lines)
            except OSError:
                self._lost += lines.count(b"\n")

    def close(self) -> None:
        with self._lock:
            self._file.close()

    def _write_all(self, lines: bytes) -> None:
        left = memoryview(lines)
        while left:
            left = left[self._file.write(left) :]

    def _begin_anew(self) -> None:
        self._file.close()
        for number in range(LOGS_KEPT, 0, -1):
            newer = self.path if number == 1 else numbered(self.path, number - 1)
            with suppress(FileNotFoundError):
                newer.replace(numbered(self.path, number))
        self._file = self.path.open("ab", buffering=0)


# Processes that are given the same log share its file, and so its bound.
_files: dict[Path, LogFile] = {}
_files_lock = threading.Lock()


def taken_log(path: Path) -> LogFile:
    """The log of that path; who took it lets it go."""
    with _files_lock:
        key = path.absolute()
        file = _files.get(key)
        if file is None:
            file = _files[key] = LogFile(path)
        file.users += 1
        return file


def let_go(file: LogFile) -> None:
    with _files_lock:
        file.users -= 1
        if file.users == 0:
            del _files[file.path.absolute()]
            file.close()


def numbered(path: Path, number: int) -> Path:
    return path.with_suffix(f".{number}{path.suffix}")


class LogPipe:
    """What a child writes into: `output` is for it alone, and closed here once it has it. Its last lines are kept."""

    def __init__(self, log: Path) -> None:
        self._file = taken_log(log)
        self._input, self.output = os.pipe()
        with suppress(OSError, AttributeError):  # Linux has it, up to a limit of the machine
            fcntl.fcntl(self.output, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._last: deque[bytes] = deque(maxlen=LAST_LINES)
        self._thread = threading.Thread(target=self._read, name=f"log {log.name}", daemon=True)

    def start(self) -> None:
        """After the child has its end."""
        os.close(self.output)
        self._thread.start()

    def abandon(self) -> None:
        """There is no child."""
        os.close(self.output)
        os.close(self._input)
        let_go(self._file)

    def await_end(self, timeout_s: float) -> None:
        """Until everything is written that was written into it; a descendant that lives on keeps it open."""
        self._thread.join(timeout_s)

    def last_lines(self) -> list[str]:
        """What the child said last, as it wrote it; LAST_LINES at most, and none that is blank."""
        return [line.decode("utf-8", "replace") for line in list(self._last)]

    def _write(self, lines: bytes) -> None:
        """lines: each with its end."""
        self._file.write(lines)
        self._last.extend(
            line[:LAST_LINE_BYTES_MAX] for line in lines[-LAST_BYTES_MAX:].splitlines()[-LAST_LINES:] if line.strip()
        )

    def _read(self) -> None:
        rest = b""
        while chunk := os.read(self._input, READ_BYTES):
            lines, end, rest = (rest + chunk).rpartition(b"\n")
            if end:
                self._write(lines + end)
            if len(rest) > LINE_BYTES_MAX:
                self._write(rest + b"\n")
                rest = b""
        if rest:
            self._write(rest + b"\n")
        os.close(self._input)
        let_go(self._file)


def log_size_bytes(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def log_since(path: Path, offset_bytes: int, *, bytes_max: int = 20_000) -> str:
    """What was written to the log after the offset, its last part when it is long; all of a log that began anew."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(offset_bytes if offset_bytes <= size else 0, size - bytes_max))
        return file.read().decode("utf-8", "replace")


def told_line(line: str) -> str:
    """A line of a log as a person reads it: of our own JSON the action, and what it says of an error or a reason."""
    try:
        entry = orjson.loads(line)
    except orjson.JSONDecodeError:
        return cut(shown(line.strip()))
    if not isinstance(entry, dict) or "action" not in entry:
        return cut(shown(line.strip()))
    payload, error = entry.get("payload") or {}, entry.get("error")
    if isinstance(error, dict):
        reason = f"{error.get('type')}: {error.get('message')}"
    else:
        reason = next((str(payload[name]) for name in ("error", "reason") if payload.get(name)), "")
    return cut(shown(": ".join(filter(None, (str(entry["action"]), reason)))))


def cut(text: str) -> str:
    return text if len(text) <= TOLD_LENGTH_MAX else f"{text[:TOLD_LENGTH_MAX]}…"
