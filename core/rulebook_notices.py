"""Word of new rulebook versions, as their transactions commit: an idle connection that listens.

A notice that is missed does no harm: the sale checks the version under its lock, and the store looks when a snapshot
is older than its age allows. Only a database that was restored gives a version's number out again, for other rules: the
connection asks which history is told.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from uuid import UUID

import asyncpg
import orjson

from core.database import LOST
from core.logging import Log
from core.queries import sql
from core.rulebooks import RulebookStore

CHANNEL = "rulebook"
CONNECT_TIMEOUT_S = 5.0
# A database that went away is asked again this often; meanwhile nobody sells anyway.
RECONNECT_S = 1.0
# A connection that died without a word is found out by asking.
PROBE_S = 15.0

log = Log("rulebooks")


class RulebookNotices:
    def __init__(self, database_url: str, store: RulebookStore, *, application_name: str) -> None:
        self._database_url = database_url
        self._store = store
        self._application_name = application_name
        self._history: str | None = None
        self.listening = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._listen()
            except LOST as error:
                log.warning("RULEBOOK_NOTICES_LOST", reason=f"{type(error).__name__}: {error}")
            self.listening.clear()
            await asyncio.sleep(RECONNECT_S)

    async def _listen(self) -> None:
        connection = await asyncpg.connect(
            self._database_url,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=CONNECT_TIMEOUT_S,
            # It asks one question now and then: nothing is worth being kept.
            statement_cache_size=0,
            server_settings={"application_name": self._application_name},
        )
        try:
            ended = asyncio.Event()
            connection.add_termination_listener(lambda _: ended.set())
            await connection.add_listener(CHANNEL, self._noticed)
            await self._look_at_history(connection)
            # What changed while nobody listened.
            self._store.doubt()
            self.listening.set()
            while not ended.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(ended.wait(), PROBE_S)
                await self._look_at_history(connection)
        finally:
            with suppress(*LOST):
                await connection.close(timeout=CONNECT_TIMEOUT_S)

    async def _look_at_history(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        history = await connection.fetchval(sql("installation/history"))
        if self._history not in (None, history):
            log.warning("HISTORY_CHANGED", was=self._history, now=history)
            self._store.forget()
        self._history = history

    def _noticed(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        notice = orjson.loads(str(payload))
        self._store.notice(UUID(notice["bancaId"]), int(notice["version"]))
