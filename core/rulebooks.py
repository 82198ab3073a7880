"""The rulebooks in use, and the draws priced with them: loaded once, replaced when a sale finds them stale."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from uuid import UUID

import asyncpg

from core.database import Database
from core.domain.money import Cents
from core.domain.rulebook import Rulebook
from core.domain.rulebook_json import rulebook_from_text
from core.domain.ticket import Draw
from core.logging import Log
from core.queries import sql

log = Log("rulebooks")

# Draws that are sold at one time are few; the oldest looked at goes first.
DRAWS_MAX = 20_000


class BancaNotFoundError(Exception):
    """No banca has this id."""


class RulebookStore:
    """One rulebook per banca; correctness does not depend on it, because the sale checks the version under its lock."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rulebooks: dict[UUID, Rulebook] = {}
        self._loads: dict[UUID, asyncio.Task[Rulebook]] = {}
        # By banca, draw and the version it was read under: an edited draw bumps the version.
        self._draws: OrderedDict[tuple[UUID, UUID, int], Draw] = OrderedDict()

    async def rulebook(self, banca_id: UUID) -> Rulebook:
        """The newest rulebook known. Raises BancaNotFoundError, DatabaseUnavailableError."""
        known = self._rulebooks.get(banca_id)
        return known if known is not None else await self.reload(banca_id, older_than=None)

    async def reload(self, banca_id: UUID, *, older_than: int | None) -> Rulebook:
        """Read it again unless somebody already did; simultaneous callers share one read.

        older_than: the version that was found stale.
        """
        known = self._rulebooks.get(banca_id)
        if known is not None and older_than is not None and known.version > older_than:
            return known
        load = self._loads.get(banca_id)
        if load is None:
            load = asyncio.get_running_loop().create_task(self._load(banca_id))
            self._loads[banca_id] = load
            load.add_done_callback(lambda _: self._loads.pop(banca_id, None))
        return await asyncio.shield(load)

    async def draw(self, rulebook: Rulebook, sorteo_id: UUID) -> Draw | None:
        """A draw's static facts; None when the banca has no such draw."""
        key = (rulebook.banca_id, sorteo_id, rulebook.version)
        draw = self._draws.get(key)
        if draw is None:
            async with self._database.tenant(rulebook.banca_id) as connection:
                row = await connection.fetchrow(sql("tickets/draw"), rulebook.banca_id, sorteo_id)
            if row is None:
                return None
            draw = self._draws[key] = _draw(row)
            if len(self._draws) > DRAWS_MAX:
                self._draws.popitem(last=False)
        return draw

    async def _load(self, banca_id: UUID) -> Rulebook:
        async with self._database.tenant(banca_id) as connection:
            document = await connection.fetchval(sql("rulebook/load"), banca_id)
        if document is None:
            raise BancaNotFoundError(str(banca_id))
        rulebook = rulebook_from_text(document)
        for defect in rulebook.defects:
            log.warning("RULEBOOK_DEFECT", banca_id=str(banca_id), version=rulebook.version, defect=defect)
        self._rulebooks[banca_id] = rulebook
        return rulebook


def _draw(row: asyncpg.Record) -> Draw:
    facts = dict(row)
    # JSON names its members with text.
    limits = {int(number): Cents(cents) for number, cents in (facts.pop("number_limits") or {}).items()}
    return Draw(**facts, number_limits=limits)
