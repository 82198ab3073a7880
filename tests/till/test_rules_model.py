"""Random rulebooks, batches, cancels, changes and hours against the sequential model: the same verdicts and figures."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import hypothesis
import pytest
from hypothesis import HealthCheck, given

from core.settings import Settings
from tests.till.rulebook_strategies import Scenario, scenarios
from tests.till.rules_stage import Stage
from tests.till.rules_town import Town
from tests.till.shop import Shop

if TYPE_CHECKING:
    from tests.arena import Owner

IS_THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "10000")) if IS_THOROUGH else 40


@pytest.fixture
async def town(owner: Owner, settings: Settings) -> Town:
    return await Town.build(owner, settings)


@pytest.mark.timeout(0 if IS_THOROUGH else 120)
@hypothesis.settings(
    max_examples=EXAMPLES,
    deadline=None,
    # One banca for all examples, swept after each.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(scenario=scenarios())
async def test_under_random_rules_tickets_are_judged_like_one_after_another(town: Town, shop: Shop, scenario: Scenario):
    await town.forget()
    stage = await Stage.set_up(town, shop, scenario)
    for step in scenario.steps:
        await stage.play(step)
    await stage.check()
