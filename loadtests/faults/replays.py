"""After the healing: every key that has an answer is asked once more, and once with something else under it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

from loadtests.faults.answers import MISMATCH, RECORDED, Answers
from loadtests.faults.driver import POS_PER_SELLER, SETTLING, Driver, Terminal
from loadtests.history import History, Kind, Operation
from loadtests.pos import Done, NotTaken, Outcome, OutcomeUnknown, Pos, new_key

SALES_PER_BATCH = 50


async def replay(driver: Driver, answers: Answers, aside: History) -> list[str]:
    """What is wrong. aside: takes what is asked with other content, which is no part of the round's history."""
    found = await driver.each(
        lambda terminal: [*asked_again(terminal, answers), *asked_otherwise(terminal, answers, aside)]
    )
    return [finding for findings in found for finding in findings]


def asked_again(terminal: Terminal, answers: Answers) -> list[str]:
    """The same bytes: the wire compares the answers', here it is seen that each came from its key."""
    findings = []
    for operation in share(terminal, answers):
        outcome = ask(terminal.pos, operation)
        is_same = (
            outcome.is_replayed if isinstance(outcome, Done) else outcome is not None and outcome.code in RECORDED
        )  # fmt: skip
        if not is_same:
            findings.append(f"{operation.kind} {operation.key} was not answered from its key: {told(outcome)}")
    return findings


def asked_otherwise(terminal: Terminal, answers: Answers, aside: History) -> list[str]:
    pos = Pos(terminal.seller.credentials, terminal.wire, aside, SETTLING)
    operations = [with_other_content(operation) for operation in share(terminal, answers)]
    sales = [operation for operation in operations if operation.kind is Kind.SALE]
    outcomes: list[tuple[Operation, Outcome | None]] = [
        (operation, ask(pos, operation)) for operation in operations if operation.kind is Kind.CANCEL
    ]
    for start in range(0, len(sales), SALES_PER_BATCH):
        batch = sales[start : start + SALES_PER_BATCH]
        with suppress(OutcomeUnknown, NotTaken):
            outcomes += zip(batch, pos.sync(batch, again=True), strict=True)
    return [
        f"{operation.kind} {operation.key} with other content was answered {told(outcome)}"
        for operation, outcome in outcomes
        if told(outcome) != MISMATCH and not is_tombstone(outcome)
    ]


def share(terminal: Terminal, answers: Answers) -> Sequence[Operation]:
    """The seller's operations that have an answer, shared among her POS."""
    known = [operation for operation in terminal.seller.begun if answers.knows(operation.seller, operation.key)]
    return known[terminal.number :: POS_PER_SELLER]


def ask(pos: Pos, operation: Operation) -> Outcome | None:
    pos.patience = SETTLING
    with suppress(OutcomeUnknown, NotTaken):
        return pos.perform(operation, again=True)
    return None


def is_tombstone(outcome: Outcome | None) -> bool:
    """A key whose sale was cancelled before it came says so, whatever is sent under it."""
    return told(outcome) == "CANCELLED_BEFORE_SALE"


def told(outcome: Outcome | None) -> str:
    if outcome is None:
        return "nothing"
    return f"ok, replayed: {outcome.is_replayed}" if isinstance(outcome, Done) else outcome.code


def with_other_content(operation: Operation) -> Operation:
    if operation.kind is Kind.CANCEL:
        return Operation(operation.kind, operation.seller, operation.key, {"saleKey": new_key()})
    first, *others = operation.content["jugadas"]
    dearer: dict[str, Any] = {**first, "amount": str(Decimal(first["amount"]) + 1)}
    return Operation(
        operation.kind, operation.seller, operation.key, {**operation.content, "jugadas": [dearer, *others]}
    )
