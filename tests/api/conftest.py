"""The application with probes beside its own operations, and the audit beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from api.routes import OPERATIONS
from core.database import Database, create_pool
from tests.api.probes import PROBES
from tests.api.ruling import Ruler, ruler
from tests.arena import Arena
from tests.database_alone import evaluator
from tests.databases import TestDatabase
from tests.pos import Pos
from tests.running_api import RunningApi
from workers.audit import Auditor

__all__ = ["evaluator"]


@pytest.fixture
async def probe_api(arena: Arena) -> AsyncIterator[RunningApi]:
    async with RunningApi(arena.settings, operations=(*OPERATIONS, *PROBES)) as running:
        yield running


@pytest.fixture
def pos(probe_api: RunningApi, arena: Arena) -> Pos:
    return Pos(probe_api, arena.seller)


@pytest.fixture
async def banca(api: RunningApi, arena: Arena) -> Ruler:
    """Somebody who administers the arena's banca."""
    return await ruler(api, arena)


@pytest.fixture
async def auditor(database: TestDatabase) -> AsyncIterator[Auditor]:
    pool = await create_pool(database.worker_url, size=1, timeout_s=10, application_name="tests")
    yield Auditor(Database(pool, acquire_timeout_s=10))
    await pool.close()
