"""The application with probes beside its own operations."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from api.routes import OPERATIONS
from tests.api.probes import PROBES
from tests.arena import Arena
from tests.pos import Pos
from tests.running_api import RunningApi


@pytest.fixture
async def probe_api(arena: Arena) -> AsyncIterator[RunningApi]:
    async with RunningApi(arena.settings, operations=(*OPERATIONS, *PROBES)) as running:
        yield running


@pytest.fixture
def pos(probe_api: RunningApi, arena: Arena) -> Pos:
    return Pos(probe_api, arena.seller)
