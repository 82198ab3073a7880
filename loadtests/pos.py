"""A POS terminal: logs in, signs, keeps a key per operation, and asks with the same key until it knows the outcome.

What it could not learn stays in `unresolved`; resolve() asks again later. All that it does is written to its history.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson

from core.security.signature import canonical_request, sign
from loadtests.history import History, Kind, Operation
from loadtests.session import Credentials, Session
from loadtests.wire import Answer, ConnectionLost, Request, Wire

SALE_PATH = "/api/v1/tickets"
CANCEL_PATH = "/api/v1/tickets/cancel"
BATCH_PATH = "/api/v1/tickets/batch"
TICKETS_PER_BATCH_MAX = 500

# Answers that ask for another try and promise that nothing was written.
NOTHING_WRITTEN = frozenset(
    {"RATE_LIMITED", "TILL_FULL", "SHUTTING_DOWN", "RULES_CHANGING", "DATABASE_UNAVAILABLE", "LOGIN_BUSY"}
)
# Of an attempt that reached nobody; as a code in the history.
UNREACHABLE = "UNREACHABLE"
CONNECTION_LOST = "CONNECTION_LOST"


class OutcomeUnknown(Exception):  # noqa: N818 - it names what it is: no fault, but something to be learnt
    """It may have been done, and nobody knows: send the same key again later."""

    def __init__(self, operations: Sequence[Operation], code: str) -> None:
        super().__init__(f"{len(operations)} operations may have been done ({code})")
        self.operations, self.code = tuple(operations), code


class NotTaken(Exception):  # noqa: N818 - it names what happened
    """Every try ended before anything was written: the key is still free."""

    def __init__(self, operations: Sequence[Operation], code: str) -> None:
        super().__init__(f"{len(operations)} operations were not taken ({code})")
        self.operations, self.code = tuple(operations), code


@dataclass(frozen=True, slots=True)
class Done:
    """document: the ticket; of a cancel that found no sale, what holds instead."""

    operation: Operation
    document: Mapping[str, Any]
    is_replayed: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """A definite no."""

    operation: Operation
    status: int
    code: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Ask again. may_be_done: this attempt may have done it all the same."""

    code: str
    may_be_done: bool
    retry_after_s: float | None = None


Outcome = Done | Refused
Attempt = Callable[[Sequence[Operation]], Sequence[Outcome | Trouble]]


@dataclass(frozen=True, slots=True)
class Patience:
    """How often one asks, and how long one waits in between: doubling from wait_min_s to wait_max_s, with jitter.

    retry_after_max_s: whoever is asked to wait longer gives up instead of coming too early.
    """

    tries_max: int = 6
    wait_min_s: float = 0.2
    wait_max_s: float = 3.0
    retry_after_max_s: float = 30.0

    def wait_s(self, tries: int, asked_s: float | None, chance: random.Random) -> float:
        """After so many tries. Never less than was asked."""
        backoff_s = min(self.wait_max_s, self.wait_min_s * 2 ** (tries - 1))
        return (asked_s or 0.0) + chance.uniform(backoff_s / 2, backoff_s)


@dataclass(slots=True)
class Pos:
    """unresolved: operations whose outcome is unknown, by key."""

    credentials: Credentials
    wire: Wire
    history: History
    patience: Patience = field(default_factory=Patience)
    chance: random.Random = field(default_factory=random.SystemRandom)
    unresolved: dict[str, Operation] = field(default_factory=dict)
    session: Session = field(init=False)

    def __post_init__(self) -> None:
        self.session = Session(self.credentials, self.wire)

    def sell(self, ticket: Mapping[str, Any]) -> Outcome:
        """Raises OutcomeUnknown, NotTaken."""
        return self.perform(self.sale_of(ticket))

    def cancel(self, sale_key: str) -> Outcome:
        """By the sale's key, under a key of its own. Raises OutcomeUnknown, NotTaken."""
        return self.perform(Operation(Kind.CANCEL, self.credentials.vendedor_id, new_key(), {"saleKey": sale_key}))

    def sale_of(self, ticket: Mapping[str, Any]) -> Operation:
        """A sale that is not sent yet, with the key that it keeps."""
        return Operation(Kind.SALE, self.credentials.vendedor_id, new_key(), ticket)

    def perform(self, operation: Operation, *, again: bool = False) -> Outcome:
        """again: it was sent before, so that it may have been done already. Raises OutcomeUnknown, NotTaken."""
        [outcome] = self._persist([operation], self._ask, again=again)
        return outcome

    def sync(self, sales: Sequence[Operation], *, again: bool = False) -> list[Outcome]:
        """A batch of sales, 1..TICKETS_PER_BATCH_MAX; outcomes in the same order. Raises OutcomeUnknown, NotTaken."""
        assert 1 <= len(sales) <= TICKETS_PER_BATCH_MAX
        return self._persist(sales, self._ask_for_batch, again=again)

    def resolve(self) -> list[Outcome]:
        """Ask again for all that is unresolved. Raises OutcomeUnknown for the first that still is, as NotTaken cannot be."""
        return [self.perform(operation, again=True) for operation in list(self.unresolved.values())]

    def get(self, target: str, *, name: str) -> Answer:
        """Raises ConnectionLost."""
        return self.session.authorised(lambda authorization: Request(name, "GET", target, authorization))

    def _persist(self, operations: Sequence[Operation], ask: Attempt, *, again: bool) -> list[Outcome]:
        for operation in operations:
            self.history.invoked(operation)
        outcomes: dict[str, Outcome] = {}
        doubtful = {operation.key for operation in operations if again}
        pending, tries = list(operations), 0
        while True:
            results = ask(pending)
            tries += 1
            troubles = [result for result in results if isinstance(result, Trouble)]
            for operation, result in zip(pending, results, strict=True):
                if not isinstance(result, Trouble):
                    outcomes[operation.key] = self._learnt(result)
                elif result.may_be_done:
                    doubtful.add(operation.key)
            pending = [operation for operation in pending if operation.key not in outcomes]
            if not pending:
                return [outcomes[operation.key] for operation in operations]
            asked_s = max((trouble.retry_after_s or 0.0 for trouble in troubles), default=None)
            if tries >= self.patience.tries_max or (asked_s or 0.0) > self.patience.retry_after_max_s:
                raise self._given_up(pending, doubtful, troubles[0].code)
            time.sleep(self.patience.wait_s(tries, asked_s, self.chance))

    def _learnt(self, outcome: Outcome) -> Outcome:
        self.unresolved.pop(outcome.operation.key, None)
        if isinstance(outcome, Done):
            self.history.ok(outcome.operation, outcome.document)
        else:
            self.history.refused(outcome.operation, outcome.code)
        return outcome

    def _given_up(self, pending: Sequence[Operation], doubtful: set[str], code: str) -> OutcomeUnknown | NotTaken:
        unknown = [operation for operation in pending if operation.key in doubtful]
        for operation in pending:
            if operation.key in doubtful:
                self.unresolved[operation.key] = operation
                self.history.unknown(operation, code)
            else:
                self.history.refused(operation, code)
        return OutcomeUnknown(unknown, code) if unknown else NotTaken(pending, code)

    def _ask(self, operations: Sequence[Operation]) -> list[Outcome | Trouble]:
        [operation] = operations
        name, path = ("cancel", CANCEL_PATH) if operation.kind is Kind.CANCEL else ("sale", SALE_PATH)
        answer = self._post(name, path, operation.content, operation.key)
        return [answer if isinstance(answer, Trouble) else result_of(operation, answer)]

    def _ask_for_batch(self, operations: Sequence[Operation]) -> list[Outcome | Trouble]:
        tickets = [{"idempotencyKey": operation.key, **operation.content} for operation in operations]
        answer = self._post("batch", BATCH_PATH, {"tickets": tickets}, None)
        if isinstance(answer, Trouble):
            return [answer] * len(operations)
        if not answer.is_ok:
            return [result_of(operation, answer) for operation in operations]
        return [
            result_of(operation, item_answer(item))
            for operation, item in zip(operations, answer.document["results"], strict=True)
        ]

    def _post(self, name: str, path: str, document: Mapping[str, Any], key: str | None) -> Answer | Trouble:
        body = orjson.dumps(document)
        try:
            return self.session.authorised(
                lambda authorization: Request(name, "POST", path, authorization | self._signed(path, body, key), body)
            )
        except ConnectionLost as lost:
            return Trouble(CONNECTION_LOST if lost.was_sent else UNREACHABLE, may_be_done=lost.was_sent)

    def _signed(self, path: str, body: bytes, key: str | None) -> dict[str, str]:
        """Anew at each attempt: the time is part of what is signed."""
        terminal, timestamp = self.credentials.terminal_id, str(int(time.time()))
        canonical = canonical_request(
            terminal=terminal, timestamp=timestamp, method="POST", target=path, idempotency_key=key, body=body
        )
        headers = {
            "Content-Type": "application/json",
            "X-Terminal": terminal,
            "X-Timestamp": timestamp,
            "X-Signature": sign(self.credentials.secret, canonical),
        }
        return headers if key is None else headers | {"Idempotency-Key": key}


def new_key() -> str:
    return secrets.token_hex(12)


def result_of(operation: Operation, answer: Answer) -> Outcome | Trouble:
    if answer.is_ok:
        return Done(operation, answer.document, answer.is_replayed)
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        # A code that is not ours comes from something in between, which knows nothing of what the API did.
        may_be_done = answer.code not in NOTHING_WRITTEN
        return Trouble(answer.code or f"HTTP_{answer.status}", may_be_done, answer.retry_after_s)
    return Refused(operation, answer.status, answer.code or f"HTTP_{answer.status}")


def item_answer(item: Mapping[str, Any]) -> Answer:
    """A ticket's part of a batch's answer, as if it had been asked for alone."""
    document = item.get("ticket") or item.get("problem") or {}
    return Answer(item["status"], document, None, item["replayed"])
