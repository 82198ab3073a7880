"""After a load: what is still unknown is asked for again, then the history and the books are checked."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import asyncpg

from cli.stack import Stack
from cli.trouble import Trouble
from core.books import CHECKS as BOOKS_CHECKS
from core.books import PIPELINE_CHECKS, BooksReport, check_books
from loadtests.history import Event, History, Operation, read_entries, unsettled
from loadtests.history_check import CHECKS as HISTORY_CHECKS
from loadtests.history_check import check_history
from loadtests.plan import Plan, histories
from loadtests.pos import NotTaken, OutcomeUnknown, Patience, Pos
from loadtests.session import Credentials
from loadtests.wire import ConnectionLost, PlainWire

# Asked for once more with more patience than a seller has whose customers wait.
PATIENCE = Patience(tries_max=10, wait_max_s=2.0)
# How long events may take to arrive after a load; then what is missing is a finding.
DRAINED_WITHIN_S = 60.0
LOOK_EVERY_S = 1.0
FINDINGS_SHOWN_MAX = 20


def judge(stack: Stack, plan: Plan, folder: Path) -> int:
    """Print what there is to say, and return 1 on any finding."""
    asked_again = settle(plan, folder)
    try:
        history = asyncio.run(check_history(stack.owner_url, histories(folder)))
        books = asyncio.run(drained_books(stack.owner_url))
    except (OSError, asyncpg.PostgresError) as error:
        raise Trouble(f"the database cannot be read: {error}") from error
    print(f"Answers  {tally(folder)}; asked for once more after the run: {asked_again}")
    print(f"Checked  history: {len(HISTORY_CHECKS)} checks, {len(history)} findings")
    print(f"         books: {len(BOOKS_CHECKS)} checks, {len(books.findings)} findings")
    findings = [f"{finding.check}: {finding.text}" for finding in history]
    findings += [f"{finding.check}: {finding.text}" for finding in books.findings]
    for finding in findings[:FINDINGS_SHOWN_MAX]:
        print(f"  {finding}")
    return 1 if findings else 0


def settle(plan: Plan, folder: Path) -> int:
    """Send every operation without a definite answer again, with its key; how many there were. It goes to the history."""
    sellers = {seller["vendedorId"]: Credentials.of(seller, logs_in=False) for seller in plan.sellers}
    operations = unsettled(histories(folder))
    with History(folder / "history-settled.jsonl") as history:
        for operation in operations:
            pos = Pos(sellers[operation.seller], PlainWire(plan.api_url), history, PATIENCE)
            settle_one(pos, operation)
    return len(operations)


def settle_one(pos: Pos, operation: Operation) -> None:
    # What stays unknown is in the history as such, and the check finds it.
    with suppress(OutcomeUnknown, NotTaken, ConnectionLost):
        pos.perform(operation, again=True)


async def drained_books(owner_url: str) -> BooksReport:
    """The books once the pipeline has caught up, or when it had the time to."""
    deadline_s = time.monotonic() + DRAINED_WITHIN_S
    while True:
        report = await check_books(owner_url)
        late = [finding for finding in report.findings if finding.check in PIPELINE_CHECKS]
        if not late or time.monotonic() > deadline_s:
            return report
        await asyncio.sleep(LOOK_EVERY_S)


def tally(folder: Path) -> str:
    """Of the whole history: how often each answer came."""
    answers = Counter(
        f"{entry.operation.kind.lower()} {entry.code or entry.event}"
        for entry in read_entries(histories(folder))
        if entry.event is not Event.INVOKED
    )
    return ", ".join(f"{answer} {count}" for answer, count in answers.most_common()) or "none"
