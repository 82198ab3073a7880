"""The rulebooks in use, and the draws priced with them: loaded once, replaced when they are known to be stale.

That they are, a notice says, or a sale that the database judged, or a look at the version once their age is due.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import replace
from uuid import UUID

import asyncpg

from core.database import Database
from core.domain.money import Cents
from core.domain.rulebook import Rulebook, SaleCaps
from core.domain.rulebook_json import RulebookReader
from core.domain.ticket import Draw
from core.fresh import Fresh
from core.logging import Log
from core.queries import sql
from core.slices import in_slices

log = Log("rulebooks")

# More bancas than one process serves; whose rulebook was read longest ago goes first.
BANCAS_MAX = 10_000
# Draws that are sold at one time are few.
DRAWS_MAX = 20_000
AGE_MAX_S = 300.0

# By banca, draw and the version it was read under: an edited draw bumps the version.
DrawKey = tuple[UUID, UUID, int]


class BancaNotFoundError(Exception):
    """No banca has this id."""


class _DrawNotFoundError(Exception):
    """The banca has no such draw. Raised, and so not kept: it may have one at any moment."""


class RulebookStore:
    """One rulebook per banca; correctness does not depend on it, because the sale checks the version under its lock."""

    def __init__(
        self,
        database: Database,
        *,
        age_max_s: float = AGE_MAX_S,
        base_multiplier_default_x: int | None = None,
        caps: SaleCaps | None = None,
    ) -> None:
        """age_max_s: how long a rulebook is used without a look at its version; 0: look every time.

        base_multiplier_default_x: hundredths. caps: of every sale; None: none but what an amount may be at all.
        """
        self._database = database
        self._age_max_s = age_max_s
        self._base_multiplier_default_x = base_multiplier_default_x
        # Of the bancas that were read last: an edit changes little of what they know.
        self._readers: OrderedDict[UUID, RulebookReader] = OrderedDict()
        self._caps = caps or SaleCaps()
        # The newest that were read, however long ago.
        self._rulebooks: Fresh[UUID, Rulebook] = Fresh(self._read_rulebook, entries_max=BANCAS_MAX)
        # Of these, those that stood when their version was last looked at: the age is that of the look.
        self._standing: Fresh[UUID, Rulebook] = Fresh(self._stand, entries_max=BANCAS_MAX)
        self._draws: Fresh[DrawKey, Draw] = Fresh(self._read_draw, entries_max=DRAWS_MAX)

    async def rulebook(self, banca_id: UUID) -> Rulebook:
        """The newest rulebook known. Raises BancaNotFoundError, DatabaseUnavailableError."""
        standing = self._standing.peek(banca_id, max_age_s=self._age_max_s)
        if standing is not None:
            return standing
        if self._age_max_s > 0:
            return await self._standing.get(banca_id, max_age_s=self._age_max_s)
        # To look every time is to share no look that another began before.
        return await self._stand(banca_id)

    def notice(self, banca_id: UUID, version: int) -> None:
        """Somebody says that this version stands; a rulebook that is older is read again before it is asked for."""
        known = self._rulebooks.kept(banca_id)
        if known is not None and known.version >= version:
            return
        # A load under way may have begun too early to see it: then the next use looks.
        self._standing.forget(banca_id)
        if known is not None and not self._rulebooks.is_reading(banca_id):
            self._rulebooks.forget(banca_id)
            self._standing.begin(banca_id)

    def doubt(self) -> None:
        """Notices may have been missed: look at the version before a rulebook is used again."""
        self._standing.clear()

    def forget(self) -> None:
        """The database tells another history: a version that is known may have other rules there."""
        for reads in (self._standing, self._rulebooks, self._draws):
            reads.clear()

    async def reload(self, banca_id: UUID, *, older_than: int | None) -> Rulebook:
        """Read it again unless somebody already did; simultaneous callers share one read.

        older_than: the version that was found stale.
        """
        known = self._rulebooks.kept(banca_id)
        if known is not None and older_than is not None and known.version > older_than:
            return known
        return await asyncio.shield(self._rulebooks.begin(banca_id))

    async def read(self, banca_id: UUID, document: str) -> Rulebook:
        """The rulebook of a document of the banca, as sql/queries/rulebook/load.sql gives it. It is not kept."""
        reader = self._readers.get(banca_id)
        if reader is None:
            reader = RulebookReader(base_multiplier_default_x=self._base_multiplier_default_x)
            self._readers[banca_id] = reader
            if len(self._readers) > BANCAS_MAX:
                self._readers.popitem(last=False)
        self._readers.move_to_end(banca_id)
        return await in_slices(reader.read(document))

    async def draw(self, rulebook: Rulebook, sorteo_id: UUID) -> Draw | None:
        """A draw's static facts; None when the banca has no such draw."""
        key = (rulebook.banca_id, sorteo_id, rulebook.version)
        draw = self._draws.kept(key)
        if draw is not None:
            return draw
        try:
            return await asyncio.shield(self._draws.begin(key))
        except _DrawNotFoundError:
            return None

    async def close(self) -> None:
        for reads in (self._standing, self._rulebooks, self._draws):
            await reads.close()

    async def _stand(self, banca_id: UUID) -> Rulebook:
        """The rulebook that stands now: what is known, if its version does, or else a newer one."""
        known = self._rulebooks.kept(banca_id)
        if known is None and not self._rulebooks.is_reading(banca_id):
            # A load that begins now needs no look.
            return await self.reload(banca_id, older_than=None)
        version = await self._version(banca_id)
        known = self._rulebooks.kept(banca_id)
        if known is not None and known.version >= version:
            return known
        rulebook = await self.reload(banca_id, older_than=None if known is None else known.version)
        if rulebook.version >= version:
            return rulebook
        # That load was under way, and had begun too early.
        return await self.reload(banca_id, older_than=rulebook.version)

    async def _read_rulebook(self, banca_id: UUID) -> Rulebook:
        rulebook = await self._load(banca_id)
        # A sale that found the standing one stale asked for this: nobody shall price with that one again.
        self._standing.amend(banca_id, rulebook)
        return rulebook

    async def _read_draw(self, key: DrawKey) -> Draw:
        banca_id, sorteo_id, _ = key
        async with self._database.tenant(banca_id) as connection:
            row = await connection.fetchrow(sql("tickets/draw"), banca_id, sorteo_id)
        if row is None:
            raise _DrawNotFoundError
        return _draw(row)

    async def _version(self, banca_id: UUID) -> int:
        async with self._database.tenant(banca_id) as connection:
            version: int | None = await connection.fetchval(sql("rulebook/version"), banca_id)
        if version is None:
            raise BancaNotFoundError(str(banca_id))
        return version

    async def _load(self, banca_id: UUID) -> Rulebook:
        async with self._database.tenant(banca_id) as connection:
            document = await connection.fetchval(sql("rulebook/load"), banca_id)
        if document is None:
            raise BancaNotFoundError(str(banca_id))
        rulebook = await self.read(banca_id, document)
        for defect in rulebook.defects:
            log.warning("RULEBOOK_DEFECT", banca_id=str(banca_id), version=rulebook.version, defect=defect)
        return replace(rulebook, caps=self._caps)


def _draw(row: asyncpg.Record) -> Draw:
    facts = dict(row)
    # JSON names its members with text.
    limits = {int(number): Cents(cents) for number, cents in (facts.pop("number_limits") or {}).items()}
    return Draw(**facts, number_limits=limits)
