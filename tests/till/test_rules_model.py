"""Random rulebooks, batches, cancels, changes and hours against the sequential model: the same verdicts and figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from core.settings import Settings
from tests.till.examples import examples
from tests.till.rulebook_strategies import Scenario, scenarios
from tests.till.rules_stage import Stage
from tests.till.rules_town import Town
from tests.till.shop import Shop

if TYPE_CHECKING:
    from tests.arena import Owner


@pytest.fixture
async def town(owner: Owner, settings: Settings) -> Town:
    return await Town.build(owner, settings)


@examples(40)
@given(scenario=scenarios())
async def test_under_random_rules_tickets_are_judged_like_one_after_another(town: Town, shop: Shop, scenario: Scenario):
    await town.forget()
    stage = await Stage.set_up(town, shop, scenario)
    for step in scenario.steps:
        await stage.play(step)
    await stage.check()
