"""A shop that sells, a desk for what comes after, and a worker that evaluates; no Valkey, no broker."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.after_sale.desk import Desk
from tests.api.selling import Contract
from tests.arena import Arena
from tests.database_alone import evaluator, settings
from tests.databases import TestDatabase
from tests.running_api import RunningApi
from tests.till.shop import Shop, open_shop

__all__ = ["evaluator", "settings"]


@pytest.fixture
async def shop(database: TestDatabase) -> AsyncIterator[Shop]:
    """Fifty act at once."""
    async with open_shop(database.api_url, pool_size=8) as opened:
        yield opened


@pytest.fixture
def desk(arena: Arena, shop: Shop) -> Desk:
    return Desk.of(arena, shop)


@pytest.fixture
async def contract(api: RunningApi) -> Contract:
    return await Contract.of(api)
