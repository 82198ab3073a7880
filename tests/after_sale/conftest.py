"""A shop that sells, a desk for what comes after, and a worker that evaluates; no Valkey, no broker."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from core.settings import Settings
from tests.after_sale.desk import Desk
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.evaluating import Evaluator, open_evaluator
from tests.running_api import api_settings
from tests.till.shop import Shop, open_shop


@pytest.fixture
def settings(database: TestDatabase) -> Settings:
    """The arena needs the secrets only."""
    return api_settings(database_url=database.api_url)


@pytest.fixture
async def shop(database: TestDatabase) -> AsyncIterator[Shop]:
    async with open_shop(database.api_url, pool_size=8) as opened:
        yield opened


@pytest.fixture
def desk(arena: Arena, shop: Shop) -> Desk:
    return Desk.of(arena, shop)


@pytest.fixture
async def evaluator(database: TestDatabase) -> AsyncIterator[Evaluator]:
    async with open_evaluator(database.worker_url) as opened:
        yield opened
