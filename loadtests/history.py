"""What the clients know: each operation that they began, and what they were told of it. One file per process.

A line is an event: `invoked` (with what was asked, before it is sent), then `ok`, `refused` or `unknown`. An operation
that is sent again has more than one. The file is all that is kept: its reader holds only what is still open.
loadtests/history_check.py compares it with the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

import orjson


class Kind(StrEnum):
    SALE = "SALE"
    CANCEL = "CANCEL"


class Event(StrEnum):
    INVOKED = "invoked"
    OK = "ok"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Operation:
    """seller: the vendedor's id. content: of a sale the ticket without its key, of a cancel {"saleKey": …}."""

    kind: Kind
    seller: str
    key: str
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a history. ticket: what an `ok` was answered. code: why it was refused, or is unknown."""

    event: Event
    operation: Operation
    ticket: Mapping[str, Any]
    code: str


class History:
    """Appends to one file; each line is written at once, so that a killed process leaves what it knew."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("ab", buffering=0)

    def invoked(self, operation: Operation) -> None:
        self._write(Event.INVOKED, operation, content=operation.content)

    def ok(self, operation: Operation, ticket: Mapping[str, Any]) -> None:
        """ticket: the answer's document; of it, what a row can be compared with is kept."""
        members = {name: ticket[name] for name in ("id", "ticketNumber", "totalAmount", "status") if name in ticket}
        self._write(Event.OK, operation, ticket=members)

    def refused(self, operation: Operation, code: str) -> None:
        """A definite no: nothing came of it."""
        self._write(Event.REFUSED, operation, code=code)

    def unknown(self, operation: Operation, code: str) -> None:
        """Sent, and nobody knows."""
        self._write(Event.UNKNOWN, operation, code=code)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, event: Event, operation: Operation, **members: Any) -> None:
        known: dict[str, Any] = {
            "event": event,
            "kind": operation.kind,
            "seller": operation.seller,
            "key": operation.key,
        }
        if operation.kind is Kind.CANCEL:
            known["content"] = operation.content
        self._file.write(orjson.dumps({**known, **members}) + b"\n")


def read_entries(paths: Iterable[Path]) -> Iterator[Entry]:
    """Every line of these files. A line that a killed process left unfinished is not there."""
    for path in paths:
        with path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield entry_of(orjson.loads(line))


def entry_of(line: Mapping[str, Any]) -> Entry:
    operation = Operation(Kind(line["kind"]), line["seller"], line["key"], line.get("content", {}))
    return Entry(Event(line["event"]), operation, line.get("ticket", {}), line.get("code", ""))


def unsettled(paths: Iterable[Path]) -> list[Operation]:
    """Operations that were begun and never got a definite answer since; to be sent again with their keys."""
    still_open: dict[tuple[str, str], Operation] = {}
    for entry in read_entries(paths):
        key = (entry.operation.seller, entry.operation.key)
        match entry.event:
            case Event.INVOKED:
                still_open[key] = entry.operation
            case Event.OK | Event.REFUSED:
                still_open.pop(key, None)
            case Event.UNKNOWN:
                pass
    return list(still_open.values())
