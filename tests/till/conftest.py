"""Shops on a fresh database; no Valkey, no broker."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.database_alone import evaluator, settings, shop
from tests.databases import TestDatabase
from tests.till.crowd import two_shops
from tests.till.shop import Shop, open_shop

__all__ = ["evaluator", "settings", "shop"]


@pytest.fixture
async def other_shop(database: TestDatabase) -> AsyncIterator[Shop]:
    """Another process on the same database."""
    async with open_shop(database.api_url) as opened:
        yield opened


@pytest.fixture
async def shops(database: TestDatabase) -> AsyncIterator[list[Shop]]:
    async with two_shops(database.api_url, batch_tickets_max=16) as opened:
        yield opened


@pytest.fixture
async def intruder(database: TestDatabase) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A second connection of the owner, to hold a lock while the first one looks."""
    connection = await asyncpg.connect(database.owner_url)
    yield connection
    await connection.close()
