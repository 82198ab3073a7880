"""The rulebooks in use, and the draws priced with them: loaded once, replaced when they are known to be stale.

That they are, a notice says, or a sale that the database judged, or a look at the version once their age is due.
"""

from __future__ import annotations

import asyncio
import time
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
AGE_MAX_S = 300.0


# By banca, draw and the version it was read under: an edited draw bumps the version.
DrawKey = tuple[UUID, UUID, int]


class BancaNotFoundError(Exception):
    """No banca has this id."""


class RulebookStore:
    """One rulebook per banca; correctness does not depend on it, because the sale checks the version under its lock."""

    def __init__(
        self, database: Database, *, age_max_s: float = AGE_MAX_S, base_multiplier_default_x: int | None = None
    ) -> None:
        """age_max_s: how long a rulebook is used without a look at its version; 0: look every time.

        base_multiplier_default_x: hundredths.
        """
        self._database = database
        self._age_max_s = age_max_s
        self._base_multiplier_default_x = base_multiplier_default_x
        self._rulebooks: dict[UUID, Rulebook] = {}
        # By the monotonic clock: until when a rulebook is used without a look.
        self._good_until_s: dict[UUID, float] = {}
        # The newest version that a notice told of; how often all was in doubt.
        self._noticed: dict[UUID, int] = {}
        self._doubts = 0
        self._loads: dict[UUID, asyncio.Task[Rulebook]] = {}
        self._draws: OrderedDict[DrawKey, Draw] = OrderedDict()
        self._draw_reads: dict[DrawKey, asyncio.Task[Draw | None]] = {}

    async def rulebook(self, banca_id: UUID) -> Rulebook:
        """The newest rulebook known. Raises BancaNotFoundError, DatabaseUnavailableError."""
        known = self._rulebooks.get(banca_id)
        if known is None:
            return await self.reload(banca_id, older_than=None)
        asked_s = time.monotonic()
        if asked_s < self._good_until_s.get(banca_id, 0.0):
            return known
        if await self._version(banca_id) > known.version:
            return await self.reload(banca_id, older_than=known.version)
        self._good_until_s[banca_id] = asked_s + self._age_max_s
        return known

    def notice(self, banca_id: UUID, version: int) -> None:
        """Somebody says that this version stands; a rulebook that is older is read again before it is asked for."""
        self._noticed[banca_id] = max(version, self._noticed.get(banca_id, 0))
        known = self._rulebooks.get(banca_id)
        if known is not None and known.version < version:
            self._load_once(banca_id)

    def doubt(self) -> None:
        """Notices may have been missed: look at the version before a rulebook is used again."""
        self._doubts += 1
        self._good_until_s.clear()

    async def reload(self, banca_id: UUID, *, older_than: int | None) -> Rulebook:
        """Read it again unless somebody already did; simultaneous callers share one read.

        older_than: the version that was found stale.
        """
        known = self._rulebooks.get(banca_id)
        if known is not None and older_than is not None and known.version > older_than:
            return known
        return await asyncio.shield(self._load_once(banca_id))

    async def draw(self, rulebook: Rulebook, sorteo_id: UUID) -> Draw | None:
        """A draw's static facts; None when the banca has no such draw."""
        key = (rulebook.banca_id, sorteo_id, rulebook.version)
        draw = self._draws.get(key)
        if draw is not None:
            return draw
        read = self._draw_reads.get(key)
        if read is None:
            read = self._draw_reads[key] = asyncio.get_running_loop().create_task(self._read_draw(key))
            read.add_done_callback(lambda task: self._draw_was_read(key, task))
        return await asyncio.shield(read)

    def _load_once(self, banca_id: UUID) -> asyncio.Task[Rulebook]:
        load = self._loads.get(banca_id)
        if load is None:
            load = asyncio.get_running_loop().create_task(self._load(banca_id))
            self._loads[banca_id] = load
            load.add_done_callback(lambda task: self._loaded(banca_id, task))
        return load

    def _loaded(self, banca_id: UUID, load: asyncio.Task[Rulebook]) -> None:
        self._loads.pop(banca_id, None)
        # After a notice nobody may be waiting for it; the next sale meets the same trouble and tells of it.
        if not load.cancelled() and load.exception() is not None:
            self._good_until_s.pop(banca_id, None)

    def _draw_was_read(self, key: DrawKey, read: asyncio.Task[Draw | None]) -> None:
        self._draw_reads.pop(key, None)
        if not read.cancelled():
            read.exception()  # All that waited for it may be gone.

    async def _read_draw(self, key: DrawKey) -> Draw | None:
        banca_id, sorteo_id, _ = key
        async with self._database.tenant(banca_id) as connection:
            row = await connection.fetchrow(sql("tickets/draw"), banca_id, sorteo_id)
        if row is None:
            return None
        draw = self._draws[key] = _draw(row)
        if len(self._draws) > DRAWS_MAX:
            self._draws.popitem(last=False)
        return draw

    async def _version(self, banca_id: UUID) -> int:
        async with self._database.tenant(banca_id) as connection:
            version: int | None = await connection.fetchval(sql("rulebook/version"), banca_id)
        if version is None:
            raise BancaNotFoundError(str(banca_id))
        return version

    async def _load(self, banca_id: UUID) -> Rulebook:
        asked_s, doubts = time.monotonic(), self._doubts
        async with self._database.tenant(banca_id) as connection:
            document = await connection.fetchval(sql("rulebook/load"), banca_id)
        if document is None:
            raise BancaNotFoundError(str(banca_id))
        rulebook = rulebook_from_text(document, base_multiplier_default_x=self._base_multiplier_default_x)
        for defect in rulebook.defects:
            log.warning("RULEBOOK_DEFECT", banca_id=str(banca_id), version=rulebook.version, defect=defect)
        self._rulebooks[banca_id] = rulebook
        # What was said while it was read may be newer than what was read: then the next use looks.
        if rulebook.version >= self._noticed.get(banca_id, 0) and doubts == self._doubts:
            self._good_until_s[banca_id] = asked_s + self._age_max_s
        else:
            self._good_until_s.pop(banca_id, None)
        return rulebook


def _draw(row: asyncpg.Record) -> Draw:
    facts = dict(row)
    # JSON names its members with text.
    limits = {int(number): Cents(cents) for number, cents in (facts.pop("number_limits") or {}).items()}
    return Draw(**facts, number_limits=limits)
