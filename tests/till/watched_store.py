"""Stores that tell what they read, and wait where a test wants them to."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

from core.database import Database
from core.domain.rulebook import Rulebook
from core.domain.ticket import Draw
from core.rulebooks import DrawKey, RulebookStore
from tests.till.shop import Shop

DEADLINE_S = 20.0


class WatchedStore(RulebookStore):
    """Tells of every load, and of every look at the version."""

    def __init__(self, database: Database, **options: Any) -> None:
        super().__init__(database, **options)
        self.loaded = asyncio.Event()
        self.loads, self.looks = 0, 0

    async def _load(self, banca_id: UUID) -> Rulebook:
        rulebook = await super()._load(banca_id)
        self.loads += 1
        self.loaded.set()
        return rulebook

    async def _version(self, banca_id: UUID) -> int:
        self.looks += 1
        return await super()._version(banca_id)


class HeldStore(WatchedStore):
    """What it read it sees only when it may: time passes between the two."""

    def __init__(self, database: Database, **options: Any) -> None:
        super().__init__(database, **options)
        self.has_read, self.loads_may_end, self.looks_may_end = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.loads_may_end.set()
        self.looks_may_end.set()
        self.loads_under_way = self.loads_at_once = self.draw_reads = 0

    async def next_read(self) -> None:
        """Until something more was read."""
        self.has_read.clear()
        async with asyncio.timeout(DEADLINE_S):
            await self.has_read.wait()

    async def _load(self, banca_id: UUID) -> Rulebook:
        self.loads_under_way += 1
        self.loads_at_once = max(self.loads_at_once, self.loads_under_way)
        try:
            rulebook = await super()._load(banca_id)
            self.has_read.set()
            await self.loads_may_end.wait()
        finally:
            self.loads_under_way -= 1
        return rulebook

    async def _version(self, banca_id: UUID) -> int:
        version = await super()._version(banca_id)
        self.has_read.set()
        await self.looks_may_end.wait()
        return version

    async def _read_draw(self, key: DrawKey) -> Draw:
        self.draw_reads += 1
        return await super()._read_draw(key)


def store_of(shop: Shop) -> WatchedStore:
    assert isinstance(shop.rulebooks, WatchedStore)
    return shop.rulebooks
