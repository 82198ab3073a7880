"""What our programs logged in a round: a defect names itself there, also where no client hears of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

# Errors that mean a defect of ours, whatever was broken.
DEFECTS = frozenset({"INTERNAL_ERROR", "SERVER_ERROR", "TICKET_REJECTED"})
# A batch may fail, by one of these.
FAILING = frozenset({"OutcomeUnknownError", "DatabaseUnavailableError"})
RAW = b"Traceback (most recent call last):"
SHOWN_MAX = 300


class Logs:
    """Of what is written to them from now on; and from then on, whenever they are asked."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read_bytes: dict[Path, int] = {path: path.stat().st_size for path in folder.glob("*.log")}

    def defects(self) -> list[str]:
        return [
            f"{path.name}: {defect}"
            for path in sorted(self._folder.glob("*.log"))
            for line in self._news(path).splitlines()
            if (defect := defect_of(line))
        ]

    def _news(self, path: Path) -> bytes:
        with path.open("rb") as file:
            file.seek(self._read_bytes.get(path, 0))
            news = file.read()
            self._read_bytes[path] = file.tell()
        return news


def defect_of(line: bytes) -> str:
    """Empty when the line tells of none."""
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError:
        return "an exception that nobody caught" if line.startswith(RAW) else ""
    if not isinstance(document, dict):
        return ""
    action, error = document.get("action"), error_of(document)
    if action in DEFECTS or (action == "BATCH_FAILED" and error["type"] not in FAILING):
        return f"{action} {error['type']}: {error['message']}"[:SHOWN_MAX]
    return ""


def error_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    error = document.get("error")
    return error if isinstance(error, dict) else {"type": "", "message": str(error)}
