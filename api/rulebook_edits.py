"""One request's changes to a banca's rules: one transaction, so one new version of the rulebook."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg

from api.context import RequestContext
from api.keys import DATABASE
from api.rule_refusals import conflict
from core.domain.rulebook import Rulebook
from core.domain.rulebook_json import rulebook_from_text
from core.queries import sql

if TYPE_CHECKING:
    from core.database import Connection


@dataclass(frozen=True, slots=True)
class RulebookEdit:
    """Locks: the draw or the user, where others write them too → the banca → its rules."""

    connection: Connection
    banca_id: UUID

    async def lock(self) -> None:
        """Until this edit ends nobody else changes the banca's rules; sales go on."""
        await self.connection.execute(sql("rulebook/lock"), self.banca_id)

    async def rulebook(self) -> Rulebook:
        """The rules as they stand, locked."""
        await self.lock()
        # A statement of its own: it sees what the lock waited for.
        return rulebook_from_text(await self.connection.fetchval(sql("rulebook/load"), self.banca_id))

    async def version(self) -> int:
        """Of the rulebook after what was written so far: the one that the answer names."""
        version: int = await self.connection.fetchval(sql("rulebook/version"), self.banca_id)
        return version


@asynccontextmanager
async def edit_rulebook(context: RequestContext) -> AsyncIterator[RulebookEdit]:
    """What is raised inside leaves everything as it was.

    Raises ProblemError for a name or a rule that is there already, DatabaseUnavailableError.
    """
    try:
        async with context.app[DATABASE].tenant(context.banca_id, readonly=False) as connection:
            yield RulebookEdit(connection, context.banca_id)
    except asyncpg.UniqueViolationError as error:
        known = conflict(error)
        if known is None:
            raise
        raise known from error
