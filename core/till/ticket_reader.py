"""Reads tickets that were sold before, for their replays: while one read is under way, the next ones gather."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from uuid import UUID

from core.database import Database, DatabaseUnavailableError, unavailable
from core.logging import Log
from core.till.outcomes import TicketPlace
from core.till.records import TicketRecord, load_tickets

log = Log("till")

# In one statement. A lone caller may ask for more.
TICKETS_MAX = 256

Records = dict[TicketPlace, TicketRecord]
Asked = tuple[Sequence[TicketPlace], asyncio.Future[Records | Exception]]


class TicketReader:
    """Holds no more than its callers wait for: the till bounds them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asked: dict[UUID, deque[Asked]] = {}
        self._tasks: dict[UUID, asyncio.Task[None]] = {}

    async def records(self, banca_id: UUID, places: Sequence[TicketPlace]) -> Records:
        """Those that are there, and perhaps others'. Raises DatabaseUnavailableError."""
        answer: asyncio.Future[Records | Exception] = asyncio.get_running_loop().create_future()
        self._asked.setdefault(banca_id, deque()).append((places, answer))
        if banca_id not in self._tasks:
            self._tasks[banca_id] = asyncio.create_task(self._run(banca_id), name=f"ticket reader {banca_id}")
        found = await answer
        if isinstance(found, Exception):
            raise found
        return found

    async def _run(self, banca_id: UUID) -> None:
        try:
            while asked := self._asked[banca_id]:
                await self._read(banca_id, _taken(asked))
        finally:
            del self._tasks[banca_id]
            # Nobody is left waiting, whatever ended this.
            for _, future in self._asked.pop(banca_id):
                _give(future, DatabaseUnavailableError("the reading ended"))

    async def _read(self, banca_id: UUID, batch: Sequence[Asked]) -> None:
        wanted = [place for places, _ in batch for place in places]
        try:
            stored = await load_tickets(self._database, banca_id, wanted)
            answer = {place: record for place, (record, _) in stored.items()}
        except BaseException as error:
            # Each caller gets its own, so that no traceback grows by every one of them.
            for _, future in batch:
                _give(future, unavailable(error))
            if not isinstance(error, DatabaseUnavailableError):
                log.error("TICKETS_UNREAD", error=error, banca_id=str(banca_id), tickets=len(wanted))
            if not isinstance(error, Exception):
                raise
            return
        for _, future in batch:
            _give(future, answer)


def _give(future: asyncio.Future[Records | Exception], answer: Records | Exception) -> None:
    if not future.done():
        future.set_result(answer)


def _taken(asked: deque[Asked]) -> list[Asked]:
    batch = [asked.popleft()]
    tickets = len(batch[0][0])
    while asked and tickets + len(asked[0][0]) <= TICKETS_MAX:
        batch.append(asked.popleft())
        tickets += len(batch[-1][0])
    return batch
