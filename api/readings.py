"""Where reads of lists and reports are answered: on the replica when it has what they must show, else on the primary."""

from __future__ import annotations

from typing import Any

import asyncpg
from msgspec.structs import replace

from api.context import RequestContext
from api.operations import Answer, Operation
from api.problems import ProblemError
from core.database import Database, DatabaseUnavailableError
from core.logging import Log
from core.metrics import READS
from core.replica import Replica
from core.settings import Settings

# What is not there, or does not stand as the request wants it, may be so only in the replica's past.
DOUBTED_STATUSES = frozenset((404, 409))

log = Log("api")


class Readings:
    """replica: None: there is none."""

    def __init__(self, primary: Database, replica: Replica | None) -> None:
        self._primary = primary
        self.replica = replica
        self._on_replica, self._on_primary = READS.labels("replica"), READS.labels("primary")

    async def answer(self, operation: Operation, context: RequestContext, arguments: tuple[Any, ...]) -> Answer:
        """What the operation's handler answers. What the replica fails at, or refuses, is read again on the primary."""
        database = None if self.replica is None else await self.replica.caught_up()
        if database is not None:
            try:
                found = await operation.handler(replace(context, read_from=database), *arguments)
            except (DatabaseUnavailableError, asyncpg.PostgresError) as error:
                # It may be gone, have had to end the query to get on, or lack what a migration has just made.
                log.debug("READ_AGAIN", request_id=context.request_id, reason=f"{type(error).__name__}: {error}")
            except ProblemError as error:
                if error.problem.status not in DOUBTED_STATUSES:
                    raise
            else:
                self._on_replica.inc()
                return found
        self._on_primary.inc()
        return await operation.handler(replace(context, read_from=self._primary), *arguments)


def replica_of(settings: Settings) -> Replica | None:
    """None: the settings name none."""
    if not settings.database_url_replica:
        return None
    return Replica(
        settings.database_url_replica,
        primary_url=settings.database_url,
        lag_max_s=settings.replica_lag_max_ms / 1000,
        pool_size=settings.db_pool_size,
        timeout_s=settings.db_timeout_s,
        statement_cache_size=settings.database_statement_cache_size,
    )
