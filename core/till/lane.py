"""A lane: one banca's waiting tickets, written a batch at a time.

No timer: while one batch is being written, the next one gathers; a lone ticket waits for nobody.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from msgspec import Struct

from core.database import DatabaseUnavailableError, OutcomeUnknownError
from core.logging import Log
from core.metrics import TILL_BATCH_SECONDS, TILL_BATCH_TICKETS
from core.till.order import SaleOrder
from core.till.outcomes import Outcome
from core.till.recorder import Recorder

log = Log("till")


class BatchFailedError(Exception):
    """A defect of ours met a whole batch; what became of it is not known. It was logged."""


class Written(Struct, frozen=True, gc=False):
    """order: the one that was written; an echo learns here what became of its twin."""

    order: SaleOrder
    outcome: Outcome
    is_echo: bool


# An error is given like any other answer, so that it may go unread: whoever asked may be gone.
Answer = Written | Exception


@dataclass(slots=True)
class Waiting:
    order: SaleOrder
    answer: asyncio.Future[Answer]
    # The same sale sent again while this one waits: one row, as many answers.
    echoes: list[asyncio.Future[Answer]] = field(default_factory=list)


class Lane:
    def __init__(
        self,
        banca_id: UUID,
        recorder: Recorder,
        *,
        tickets_max: int,
        jugadas_max: int,
        on_written: Callable[[UUID, list[Waiting], list[Outcome]], None],
        on_left: Callable[[int], None],
    ) -> None:
        self._banca_id = banca_id
        self._recorder = recorder
        self._tickets_max = tickets_max
        self._jugadas_max = jugadas_max
        self._on_written = on_written
        self._on_left = on_left
        self._queue: deque[Waiting] = deque()
        self._by_name: dict[tuple[UUID, str], Waiting] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing is being written: the lane may go."""
        return self._task is None

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def put(self, order: SaleOrder) -> asyncio.Future[Answer]:
        """Queue an order and return the future of its answer; cancelling the future cancels no sale.

        An order that waits already with the same key, content, session and terminal shares its answer. Of another session
        or terminal the answer could differ: what speaks against the first may not speak against the second.
        """
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        name = order.name
        twin = self._by_name.get(name)
        if twin is not None and twin.order.fingerprint == order.fingerprint and twin.order.actor == order.actor:
            twin.echoes.append(answer)
            return answer
        waiting = Waiting(order, answer)
        self._queue.append(waiting)
        self._by_name.setdefault(name, waiting)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name=f"lane-{self._banca_id}")
        return answer

    async def drain(self) -> None:
        """Return when everything that waits was answered."""
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        try:
            while self._queue:
                await self._write(self._take())
        finally:
            self._task = None

    def _take(self) -> list[Waiting]:
        """The next batch: in order of arrival, bounded by tickets and jugadas, one order per key of an actor or terminal."""
        batch: list[Waiting] = []
        held_back: list[Waiting] = []
        names: set[tuple[UUID, str]] = set()
        terminal_names: set[tuple[UUID, str]] = set()
        jugadas = 0
        while self._queue and len(batch) < self._tickets_max:
            waiting = self._queue[0]
            jugadas += len(waiting.order.priced.jugadas)
            if batch and jugadas > self._jugadas_max:
                break
            self._queue.popleft()
            name, terminal_name = waiting.order.name, waiting.order.terminal_name
            if name in names or terminal_name in terminal_names:
                # The same key again: judged when what becomes of the first one is recorded.
                held_back.append(waiting)
                continue
            names.add(name)
            terminal_names.add(terminal_name)
            batch.append(waiting)
        self._queue.extendleft(reversed(held_back))
        return batch

    async def _write(self, batch: list[Waiting]) -> None:
        began = time.perf_counter()
        try:
            outcomes = await self._recorder.record(self._banca_id, [waiting.order for waiting in batch])
            self._on_written(self._banca_id, batch, outcomes)
        except Exception as error:
            # Whatever it is, every caller that waits must hear of it, and nobody else will log it.
            log.error("BATCH_FAILED", error=error, banca_id=str(self._banca_id), tickets=len(batch))
            self._forget(batch)
            for waiting in batch:
                _fail(waiting, error)
            return
        TILL_BATCH_SECONDS.observe(time.perf_counter() - began)
        TILL_BATCH_TICKETS.observe(len(batch))
        self._forget(batch)
        for waiting, outcome in zip(batch, outcomes, strict=True):
            _answer(waiting, outcome)

    def _forget(self, batch: list[Waiting]) -> None:
        for waiting in batch:
            if self._by_name.get(waiting.order.name) is waiting:
                del self._by_name[waiting.order.name]
        self._on_left(sum(1 + len(waiting.echoes) for waiting in batch))


def _answer(waiting: Waiting, outcome: Outcome) -> None:
    for future in (waiting.answer, *waiting.echoes):
        if not future.done():
            future.set_result(Written(waiting.order, outcome, future is not waiting.answer))


def _fail(waiting: Waiting, error: Exception) -> None:
    # Each its own: raising one object in many tasks would grow its traceback by every one of them.
    for future in (waiting.answer, *waiting.echoes):
        if not future.done():
            future.set_result(_own(error))


def _own(error: Exception) -> Exception:
    if isinstance(error, DatabaseUnavailableError | OutcomeUnknownError):
        return type(error)(*error.args)
    return BatchFailedError(f"{type(error).__name__}: {error}")
