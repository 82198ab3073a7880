"""Rules that make no sense sell as if they were absent; what nobody has set comes from the installation, or is asked for."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from core.domain.calendar import costa_rica_date
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.pos import Pos, new_key
from tests.running_api import RunningApi, api_settings
from tests.till.shop import Shop, sold
from tests.till.state import findings
from tests.till.test_rules import restrict
from tests.till.tickets import sale, ticket

if TYPE_CHECKING:
    from tests.arena import Owner

DAY = timedelta(days=1)
PAIR_RULE = (
    "INSERT INTO restriction_rules (banca_id, id, loteria_id, multiplier_id, max_amount_cents, {column})"
    " SELECT $1, gen_random_uuid(), loteria_id, id, 1, {value} FROM loteria_multipliers"
)
RULE = "INSERT INTO restriction_rules (banca_id, id, {column}) VALUES ($1, gen_random_uuid(), {value})"
POLICY = """UPDATE {table} SET commission_policy = '{policy}' WHERE $1 IN (id, {banca})"""
# Each passes the CHECKs of storage, and makes no sense. By what its defect says.
SENSELESS = {
    "limits nothing": RULE.format(column="whole_banca", value="true"),
    "number the loteria has": PAIR_RULE.format(column="number", value="999"),
    "isAutoDate not with": PAIR_RULE.format(column="is_auto_date", value="true"),
    "salesCutoffMinutes needs": RULE.format(column="sales_cutoff_minutes", value="30"),
    "banca: commissionPolicy: defaultPercent": POLICY.format(
        table="bancas", banca="id", policy='{"version": 1, "defaultPercent": 120, "rules": []}'
    ),
    "seller": POLICY.format(table="users", banca="banca_id", policy="[]"),
    "minBetAmount": 'UPDATE loterias SET rules = \'{"minBetAmount": "much"}\' WHERE banca_id = $1',
}


@pytest.mark.parametrize("defect", SENSELESS)
async def test_a_rule_that_makes_no_sense_sells_as_if_it_were_absent_and_is_reported(
    owner: Owner, arena: Arena, shop: Shop, caplog: pytest.LogCaptureFixture, defect: str
):
    await owner.execute(SENSELESS[defect], arena.banca_id)
    # The day of the month, should the rule that names it be obeyed after all.
    bets = [(f"{costa_rica_date(at).day:02d}", 100) for at in (datetime.now(UTC), datetime.now(UTC) + DAY)]
    with caplog.at_level(logging.WARNING, "banca.rulebooks"):
        record = sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, *bets))))
    rulebook = await shop.rulebooks.rulebook(arena.banca_id)
    assert record.commission_cents == 0
    assert rulebook.defects, "somebody must hear of it"
    assert any(defect in told for told in rulebook.defects), rulebook.defects
    told_of_it = [line.message for line in caplog.records if line.name == "banca.rulebooks"]
    assert told_of_it == ["RULEBOOK_DEFECT"] * len(rulebook.defects)
    assert await findings(owner, arena.banca_id) == []


async def test_a_rule_beside_a_malformed_one_holds(owner: Owner, arena: Arena, shop: Shop):
    await restrict(owner, arena, whole_banca=True)
    await restrict(owner, arena, user_id=arena.seller.id, max_total_cents=99)
    outcomes = await shop.record([sale(arena.seller, ticket(arena.sorteo_id))])
    assert [outcome.verdict for outcome in outcomes] == ["SOLD_OUT"]


async def test_the_installations_default_multiplier_reaches_a_sale(
    owner: Owner, arena: Arena, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
):
    """MULTIPLIER_BASE_DEFAULT_X, as the environment gives it, when nothing nearer has a value."""
    await owner.execute("UPDATE loteria_multipliers SET is_active = false")
    monkeypatch.setenv("MULTIPLIER_BASE_DEFAULT_X", "87.50")
    document = {"sorteoId": str(arena.sorteo_id), "jugadas": [{"type": "NUMERO", "number": "07", "amount": "5.00"}]}
    async with RunningApi(api_settings(database_url=database.api_url)) as api:
        answer = await Pos(api, arena.seller).post("/api/v1/tickets", document, key=new_key())
    assert answer.status == 201, answer.body
    [jugada] = json.loads(answer.body)["jugadas"]
    assert (jugada["finalMultiplierX"], jugada["multiplierId"]) == ("87.50", None)


async def test_without_a_default_a_bet_must_name_its_multiplier(owner: Owner, arena: Arena, shop: Shop):
    await owner.execute("UPDATE loteria_multipliers SET is_active = false")
    answer = await shop.sell(sale(arena.seller, ticket(arena.sorteo_id)))
    assert getattr(answer, "code", answer) == "MISSING_MULTIPLIER_ID"
