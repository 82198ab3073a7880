"""A day draw by draw: what is told of it, and that its running balance ends where the day does."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest

from core.domain.permissions import Role
from tests.api.selling import Contract
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.running_api import RunningApi
from tests.statements.clerk import ACCOUNTS, Clerk, days_ago, today
from tests.statements.doings import doings_of
from tests.statements.office import Office, open_office

PATH = f"{ACCOUNTS}/statement/{{date}}/bySorteo"
SUMMARY = "/api/v1/sorteos/evaluated-summary"
NAMES = {"VENDEDOR": "vendedorId", "VENTANA": "ventanaId", "BANCA": "bancaId"}
STEPS = 110


@pytest.fixture
async def boss(api: RunningApi, arena: Arena) -> Clerk:
    return await Clerk.of(api, arena)


async def events_of(api: RunningApi, clerk: Clerk, day: object, query: str) -> dict[str, Any]:
    answer = await clerk.send("GET", f"/statement/{day}/bySorteo?{query}")
    document: dict[str, Any] = (await Contract.of(api)).require(answer, "GET", PATH)
    return document


async def test_a_day_is_told_event_by_event(api: RunningApi, arena: Arena, boss: Clerk, office: Office) -> None:
    """STM-15 among others; of several sellers together, and of the ventana with its own commission."""
    await arena.give_policy("users", arena.seller.id, "10")
    await arena.give_policy("ventanas", arena.ventana_id, "15")
    await office.sell(("07", 50_000), ("15", 9_950_000))
    await office.sell(("99", 1_000), seller=arena.sellers[1])
    await office.evaluate("07")
    await office.compute()
    await arena.owner.execute("UPDATE instance SET test_clock = true")
    day = await office.day_of_draw()
    scheduled_at = await arena.owner.fetchval("SELECT scheduled_at FROM sorteos WHERE id = $1", arena.sorteo_id)
    now = scheduled_at + timedelta(days=2)
    await office.move(day, 500_000, kind="payment", now=now)
    taken_back = (await office.move(day, 777, now=now))["answer"]["payment"]
    await office.reverse(UUID(taken_back["id"]), now=now)
    document = await events_of(api, Clerk(api, arena.seller), day, "")
    by_id = {event["sorteoId"]: event for event in document["bySorteo"]}
    drawn = by_id[str(arena.sorteo_id)]
    assert drawn | {
        "type": "sorteo", "sales": "100000.00", "payouts": "45000.00", "listeroCommission": "15000.00",
        "vendedorCommission": "10000.00", "balance": "45000.00", "ticketCount": 1, "loteriaName": "Tica",
    } == drawn  # fmt: skip
    reversed_ = by_id[f"mov-{taken_back['id']}"]
    assert (reversed_["isReversed"], reversed_["amount"], reversed_["balance"]) == (True, "7.77", "0.00")
    assert (document["openingBalance"], document["closingBalance"]) == ("0.00", "50000.00")
    count = len(document["bySorteo"])
    assert [event["chronologicalIndex"] for event in document["bySorteo"]] == list(range(count, 0, -1))
    # On the first of a month there is one more.
    assert count == (4 if day.day == 1 else 3)
    assert document["bySorteo"][0]["accumulated"] == "50000.00"
    ventana = await events_of(api, await Clerk.of(api, arena, Role.VENTANA), day, "scope=mine")
    assert ventana["closingBalance"] == "40008.50"
    together = await events_of(api, boss, day, "dimension=vendedor")
    assert together["closingBalance"] == "50010.00"


async def test_the_first_of_a_month_begins_with_what_the_month_before_left(
    api: RunningApi, arena: Arena, boss: Clerk
) -> None:
    first = today().replace(day=1)
    await boss.moved("5.00", vendedorId=arena.seller.id, day=first - timedelta(days=2), type="payment")
    document = await events_of(api, boss, first, f"vendedorId={arena.seller.id}")
    [event] = document["bySorteo"]
    assert event["sorteoId"] == f"mov-previous-month-balance-{arena.seller.id}"
    assert (event["type"], event["balance"], event["accumulated"]) == ("initial_balance", "5.00", "5.00")
    assert (document["openingBalance"], document["closingBalance"]) == ("5.00", "5.00")


async def test_a_reset_day_tells_what_came_after_the_instant(
    api: RunningApi, arena: Arena, boss: Clerk, office: Office
) -> None:
    await boss.moved("3.00", vendedorId=arena.seller.id, day=today(), type="payment")
    assert await office.reset(datetime.now(UTC)) == "DONE"
    after = await boss.moved("4.00", vendedorId=arena.seller.id, day=today(), type="payment")
    document = await events_of(api, boss, today(), f"vendedorId={arena.seller.id}")
    assert [event["sorteoId"] for event in document["bySorteo"] if event["type"] != "initial_balance"] == [
        f"mov-{after['id']}"
    ]
    assert document["closingBalance"] == "4.00"


async def test_days_that_are_none_are_refused(arena: Arena, boss: Clerk) -> None:
    for day, code in (
        ("yesterday", "VALIDATION_FAILED"), ("2026-02-30", "VALIDATION_FAILED"), (today() + timedelta(days=1), "FUTURE_DATE"),
    ):  # fmt: skip
        answer = await boss.send("GET", f"/statement/{day}/bySorteo")
        assert (answer.status, answer.code) == (400, code)
    assert (await boss.get(f"/statement/{days_ago(1)}/bySorteo"))["closingBalance"] == "0.00"


@pytest.mark.parametrize("seed", range(5))
async def test_the_running_balance_ends_where_the_day_does(
    api: RunningApi, arena: Arena, database: TestDatabase, boss: Clerk, seed: int
) -> None:
    """After whatever a banca does: settled days and their corrections, resets, results taken back."""
    async with open_office(arena, database) as office:
        doings = await doings_of(office, seed)
        await doings.do(STEPS)
        await office.evaluator.finish()
        await office.compute_on(doings.today)
        rows = await arena.owner.fetch("SELECT * FROM statements WHERE banca_id = $1", arena.banca_id)
        assert rows
        for row in rows:
            query = f"{NAMES[row['dimension']]}={row['entity_id']}"
            document = await boss.get(f"/statement/{row['business_date']}/bySorteo?{query}")
            assert cents(document["openingBalance"]) == row["opening_cents"]
            assert cents(document["closingBalance"]) == row["closing_cents"], (row, document)
            listed = await boss.get(f"/statement?date={row['business_date']}&{query}")
            [day] = listed["statements"]
            assert cents(day["remainingBalance"]) == row["closing_cents"]
            assert sum(cents(each["amount"]) for each in day["corrections"]) == row["corrections_cents"]
            if row["dimension"] == "VENDEDOR":
                summary = await summary_of(boss, f"date={row['business_date']}&{query}")
                told = [each["accumulated"] for each in summary["data"][:1]] or [document["openingBalance"]]
                assert cents(told[0]) == row["closing_cents"]


async def test_a_sellers_summary_goes_on_from_what_it_owed(
    api: RunningApi, arena: Arena, boss: Clerk, office: Office
) -> None:
    """Its own commission is what its balance feels; movements are in the list (§4.6)."""
    await arena.give_policy("bancas", arena.banca_id, "10")
    await office.sell(("07", 50_000), ("15", 9_950_000))
    await office.evaluate("07")
    await office.compute()
    await arena.owner.execute("UPDATE instance SET test_clock = true")
    day = await office.day_of_draw()
    await boss.moved("5.00", vendedorId=arena.seller.id, day=days_ago(3), type="payment")
    now = datetime.combine(day + timedelta(days=2), time(), UTC)
    paid = (await office.move(day, 100, now=now))["answer"]["payment"]
    own = await summary_of(Clerk(api, arena.seller), f"date={day}")
    told = {each["type"]: each for each in own["data"]}
    assert told["collection"]["sorteoId"] == f"mov-{paid['id']}"
    assert (told["sorteo"]["totalCommission"], told["sorteo"]["subtotal"]) == ("10000.00", "45000.00")
    # The commission's origin is the banca: it is no credit of the seller's.
    assert own["data"][0]["accumulated"] == "55004.00"
    assert (own["meta"]["count"], own["monthlyAccumulated"]["totalSales"]) == (1, "100000.00")
    brief = await summary_of(Clerk(api, arena.seller), f"date={day}&summaryOnly=true")
    names = ("commissionByNumber", "commissionByReventado", "byMultiplier")
    drawn = next(each for each in brief["data"] if each["type"] == "sorteo")
    assert drawn == told["sorteo"] | dict.fromkeys(names)
    # A part of its draws has a sum, and no balance.
    some = await summary_of(boss, f"date={day}&vendedorId={arena.seller.id}&loteriaId={arena.loteria_id}")
    assert [each["accumulated"] for each in some["data"]] == ["45000.00"]
    refused = await api.get(f"{SUMMARY}?ignoreReset=true", token=arena.seller.token)
    assert (refused.status, refused.code) == (403, "FORBIDDEN")


async def summary_of(clerk: Clerk, query: str) -> dict[str, Any]:
    answer = await clerk.api.get(f"{SUMMARY}?{query}", token=clerk.person.token)
    document: dict[str, Any] = (await Contract.of(clerk.api)).require(answer, "GET", SUMMARY)
    assert answer.status == 200
    return document


def cents(amount: str) -> int:
    return int(amount.replace(".", ""))
