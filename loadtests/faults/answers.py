"""The bytes that were answered under each key: one key, one outcome, the same to the byte (proof.md, invariant 2)."""

from __future__ import annotations

import threading
from collections import Counter
from http import HTTPStatus

import msgspec
import orjson

from loadtests.pos import NOTHING_WRITTEN
from loadtests.wire import Request

# Refusals that are recorded: they stand for their key for ever.
RECORDED = frozenset(
    {"NUMBER_MAXTOTAL_EXCEEDED", "TICKET_ALREADY_CANCELLED", "CANCELLED_BEFORE_SALE", "SALE_WAS_REFUSED"}
)
# What the API may say while something is broken, and what the round provokes.
EXPECTED = NOTHING_WRITTEN | {"OUTCOME_UNKNOWN"}
MISMATCH = "IDEMPOTENCY_PAYLOAD_MISMATCH"
SHOWN_BYTES_MAX = 300

Answered = tuple[int, bytes]


class Item(msgspec.Struct, rename="camel"):
    """One ticket's part of a batch's answer, its document as the bytes that came."""

    idempotency_key: str
    status: int
    ticket: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)
    problem: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)


class BatchAnswer(msgspec.Struct):
    results: list[Item]


class Answers:
    """Of all POS of a round. findings: what there should not be."""

    def __init__(self) -> None:
        self.findings: list[str] = []
        self.lost = 0
        self.codes: Counter[str] = Counter()
        self._kept: dict[tuple[str, str], Answered] = {}
        self._lock = threading.Lock()

    def note_lost(self) -> None:
        """No answer came."""
        with self._lock:
            self.lost += 1

    def told(self, *, operations: int) -> str:
        """What the POS saw, in a line."""
        troubles = [f"{code} {count}" for code, count in sorted(self.codes.items()) if code in EXPECTED]
        return ", ".join([f"{operations} operations", *troubles, f"no answer {self.lost}"])

    def knows(self, seller: str, key: str) -> bool:
        """Whether a definite answer came that stands for its key."""
        return (seller, key) in self._kept

    def note(self, seller: str, request: Request, answered: Answered, retry_after: str | None) -> None:
        """An answer as it came off the wire."""
        status, body = answered
        if status == HTTPStatus.OK and request.name == "batch":
            for item in msgspec.json.decode(body, type=BatchAnswer).results:
                self._note_one(seller, item.idempotency_key, (item.status, bytes(item.ticket) or bytes(item.problem)))
            return
        if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE) and retry_after is None:
            self._find(f"{status} without Retry-After: {shown(body)}")
        self._note_one(seller, request.headers.get("Idempotency-Key", ""), answered)

    def _note_one(self, seller: str, key: str, answered: Answered) -> None:
        status, body = answered
        code = "" if status < HTTPStatus.BAD_REQUEST else code_of(body)
        with self._lock:
            self.codes[code or str(status)] += 1
        if not code or code in RECORDED:
            with self._lock:
                known = self._kept.setdefault((seller, key), answered)
            if known != answered:
                self._find(f"key {key} was answered {known[0]} {shown(known[1])}, then {status} {shown(body)}")
        elif code not in EXPECTED and code != MISMATCH:
            self._find(f"key {key} was answered {status} {shown(body)}")

    def _find(self, text: str) -> None:
        with self._lock:
            self.findings.append(text)


def code_of(body: bytes) -> str:
    """Of a problem; what is none has a code of its own, which nobody expects."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "NO_JSON"
    return str(document.get("code", "NO_CODE")) if isinstance(document, dict) else "NO_OBJECT"


def shown(body: bytes) -> str:
    return body[:SHOWN_BYTES_MAX].decode("utf-8", "backslashreplace")
