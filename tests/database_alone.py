"""Fixtures of tests that need a database and nothing else: a shop that sells, a worker that evaluates."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from core.settings import Settings
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
    async with open_shop(database.api_url) as opened:
        yield opened


@pytest.fixture
async def evaluator(database: TestDatabase) -> AsyncIterator[Evaluator]:
    async with open_evaluator(database.worker_url) as opened:
        yield opened
