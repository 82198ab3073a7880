"""A replica of an embedded PostgreSQL: cloned from it, and following it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from cli.postgres import EmbeddedPostgres
from cli.postgres_installation import Installation
from tests.workers.pipeline import eventually

# A reading that stands in the way of what is replayed is ended after this.
SETTINGS = {"fsync": "off", "max_standby_streaming_delay": "100ms"}


class Standby(EmbeddedPostgres):
    """Roles, passwords and databases are the primary's, which must run when it is first started."""

    def __init__(self, data: Path, primary: EmbeddedPostgres) -> None:
        super().__init__(data, settings=SETTINGS)
        self._primary = primary

    def kill(self) -> None:
        assert self.process is not None, "it runs"
        self.process.kill()
        self.stop()

    async def pause(self) -> None:
        """Replays nothing more until resumed; what is written meanwhile it receives."""
        await self._tell("SELECT pg_wal_replay_pause()")
        await self._until("SELECT pg_get_wal_replay_pause_state() = 'paused'")

    async def mend(self) -> None:
        """It runs and replays, whatever was done to it."""
        if self.process is None:
            self.start()
        await self._tell("SELECT pg_wal_replay_resume()")

    async def catch_up(self, primary: asyncpg.Connection[asyncpg.Record]) -> None:
        """Until it has replayed all that the primary has written by now."""
        # A record whose end is known; the server's own position may be beyond a page's head, where no record is yet.
        written = await primary.fetchval("SELECT pg_log_standby_snapshot()::text")
        await self._until(f"SELECT pg_last_wal_replay_lsn() >= '{written}'")

    async def until_at(self, words: str) -> None:
        """Until it is busy with a query in which these words are, or keeps it waiting."""
        active = "SELECT FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()"
        await self._until(f"SELECT EXISTS ({active} AND query LIKE '%{words}%')")

    async def _until(self, question: str) -> None:
        await eventually(partial(self._tell, question))

    async def _tell(self, statement: str) -> object:
        connection = await asyncpg.connect(self.owner_url)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    def _fill(self, draft: Path, installation: Installation) -> None:
        installation.run("pg_basebackup", "-d", self._primary.owner_url, "-D", draft, "-R", "-c", "fast", "--no-sync")
        self._password = urlsplit(self._primary.owner_url).password or ""
