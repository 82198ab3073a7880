"""An office over a fresh database; no Valkey, no broker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date

import pytest

from core.settings import Settings
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.running_api import api_settings
from tests.statements.office import Office, open_office


@pytest.fixture
def settings(database: TestDatabase) -> Settings:
    """The arena needs the secrets only."""
    return api_settings(database_url=database.api_url)


@pytest.fixture
async def office(arena: Arena, database: TestDatabase) -> AsyncIterator[Office]:
    async with open_office(arena, database) as opened:
        yield opened


@pytest.fixture
async def sold(office: Office) -> date:
    """A day with sales of 1,000.00 and a prize of 450.00, and tests that tell the time."""
    await office.arena.owner.execute("UPDATE instance SET test_clock = true")
    await office.sell(("07", 500), ("15", 99_500))
    await office.evaluate("07")
    await office.compute()
    return await office.day_of_draw()
