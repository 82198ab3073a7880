"""What must be true after a round: the history, the keys, the queues, the books and the dead letters."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import aio_pika.exceptions
import redis

from core.books import check_books
from core.database import LOST
from core.queries import sql
from loadtests.faults.draws import unclosed_draws
from loadtests.faults.stack import FaultStack
from loadtests.history_check import check_history
from workers.consumers import KEEPERS

# From the healing until every event is done: what a broker lost is sent again with the relay's next sweeps.
DRAINED_WITHIN_S = 30.0
# In Redis a message whose delivery was lost on its way belongs to the worker that asked for it, until that ends; its
# events came again from the outbox. Dramatiq itself retries an acknowledgement after 5 s.
LOST_AFTER_S = 7.0
LOOK_EVERY_S = 0.1
NOT_YET = (*LOST, redis.RedisError, aio_pika.exceptions.AMQPError)


@dataclass(frozen=True, slots=True)
class Finding:
    check: str
    text: str

    def __str__(self) -> str:
        return f"{self.check}: {self.text}"


async def stored_findings(stack: FaultStack, histories: Sequence[Path]) -> list[Finding]:
    """What the database and the broker say; the pipeline is given its time first."""
    findings = [Finding("closed", text) for text in await unclosed_draws(stack)]
    findings += await undrained(stack)
    findings += [Finding(found.check, found.text) for found in await check_history(stack.owner_url, histories)]
    # Everything is done: no event is too young to be judged.
    books = await check_books(stack.owner_url, pipeline_grace=timedelta(0))
    findings += [Finding(found.check, found.text) for found in books.findings]
    return findings + await unaccounted_letters(stack)


async def undrained(stack: FaultStack) -> list[Finding]:
    """Until outbox and queues are empty, or it took too long."""
    began_s = time.monotonic()
    restarted = False
    while True:
        waited_s = time.monotonic() - began_s
        try:
            undone, waiting = await undone_events(stack), await stack.queues.waiting()
        except NOT_YET as error:
            left = f"{type(error).__name__}: {error}"
        else:
            if not undone and not waiting:
                return []
            left = f"{undone} events are not done, {waiting} messages wait"
            if not undone and not restarted and waited_s > LOST_AFTER_S:
                restarted = True
                stack.restart_worker()
        if waited_s > DRAINED_WITHIN_S:
            return [Finding("drained", f"after {DRAINED_WITHIN_S:.0f} s {left}")]
        await asyncio.sleep(LOOK_EVERY_S)


async def undone_events(stack: FaultStack) -> int:
    async with stack.connection() as connection:
        count: int = await connection.fetchval(sql("faults/undone_events"), list(KEEPERS))
        return count


async def unaccounted_letters(stack: FaultStack) -> list[Finding]:
    """Garbage may be parked, once; or be lost with its broker."""
    async with stack.connection() as connection:
        letters = await connection.fetch(sql("faults/parked_letters"))
    accounted: set[bytes] = set()
    findings = []
    for letter in letters:
        payload = bytes(letter["payload"])
        if payload not in stack.garbage or payload in accounted:
            findings.append(Finding("dead_letters", f"{letter['id']} {letter['reason']}: {letter['error'][-200:]}"))
        accounted.add(payload)
    return findings
