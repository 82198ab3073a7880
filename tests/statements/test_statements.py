"""Statements over HTTP: days that carry on, totals, several together, closed days and corrections, tags."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from core.domain.calendar import COSTA_RICA
from core.domain.permissions import Role
from tests.api.selling import Contract
from tests.arena import Arena
from tests.running_api import Answer, RunningApi
from tests.statements.clerk import ACCOUNTS, Clerk, days_ago, today
from tests.statements.office import Office

STATEMENT = f"{ACCOUNTS}/statement"
DAY = timedelta(days=1)


@pytest.fixture
async def boss(api: RunningApi, arena: Arena) -> Clerk:
    return await Clerk.of(api, arena)


def range_of(first: date, last: date) -> str:
    return f"fromDate={first}&toDate={last}"


async def read(api: RunningApi, clerk: Clerk, query: str) -> dict[str, Any]:
    """A statement, as its contract says."""
    answer = await clerk.send("GET", f"/statement?{query}")
    document: dict[str, Any] = (await Contract.of(api)).require(answer, "GET", STATEMENT)
    return document


async def test_days_without_activity_carry_the_balance_on(api: RunningApi, arena: Arena, boss: Clerk) -> None:
    """STM-4, and every day up to today."""
    seller = Clerk(api, arena.seller)
    for days, amount, kind in (
        (9, "100.00", "payment"),
        (6, "30.00", "collection"),
        (6, "0.50", "payment"),
        (2, "70.50", "collection"),
    ):
        await boss.moved(amount, vendedorId=arena.seller.id, day=days_ago(days), type=kind)
    document = await read(api, seller, range_of(days_ago(10), today() + 3 * DAY) + "&sort=asc")
    days = document["statements"]
    assert [each["date"] for each in days] == [str(days_ago(days)) for days in range(10, -1, -1)]
    assert [each["remainingBalance"] for each in days] == ["0.00", *["100.00"] * 3, *["70.50"] * 4, *["0.00"] * 3]
    assert [each["openingBalance"] for each in days[1:]] == [each["accumulatedBalance"] for each in days[:-1]]
    assert [each["createdAt"] is not None for each in days] == [days in (9, 6, 2) for days in range(10, -1, -1)]
    there = days[4]
    assert (there["totalPaid"], there["totalCollected"], there["totalPaymentsCollections"]) == (
        "0.50",
        "30.00",
        "30.50",
    )
    assert there["id"] == f"vendedor:{arena.seller.id}:{days_ago(6)}"
    assert (there["vendedorName"], there["ventanaId"]) == (arena.seller.username, str(arena.ventana_id))
    assert (there["hasSorteos"], there["bySorteo"], there["canEdit"]) == (False, None, True)
    # Paid off, but without a ticket it is not settled (STM-7).
    assert document["totals"] | {
        "openingBalance": "0.00", "totalPaid": "100.50", "totalCollected": "100.50", "totalRemainingBalance": "0.00",
        "settledDays": 0, "pendingDays": 11,
    } == document["totals"]  # fmt: skip
    latest = await read(api, seller, range_of(days_ago(7), days_ago(5)))
    assert [each["date"] for each in latest["statements"]] == [str(days_ago(days)) for days in (5, 6, 7)]
    assert (latest["totals"]["openingBalance"], latest["totals"]["totalRemainingBalance"]) == ("100.00", "70.50")
    balance = await seller.get("/balance/current?scope=mine&dimension=vendedor")
    assert (balance["balance"], balance["date"], balance["dimension"]) == ("0.00", str(today()), "vendedor")


async def test_the_month_goes_on_from_the_month_before(api: RunningApi, arena: Arena, boss: Clerk) -> None:
    last_month_end = today().replace(day=1) - DAY
    first = last_month_end.replace(day=1)
    await boss.moved("5.00", bancaId=arena.banca_id, day=first - DAY, type="payment")
    await boss.moved("2.00", bancaId=arena.banca_id, day=last_month_end, type="payment")
    document = await read(api, boss, f"month={first:%Y-%m}&sort=asc")
    days = document["statements"]
    assert (days[0]["date"], days[-1]["date"]) == (str(first), str(last_month_end))
    assert (days[0]["openingBalance"], days[-1]["remainingBalance"]) == ("5.00", "7.00")
    assert document["meta"] == {
        "month": f"{first:%Y-%m}", "startDate": str(first), "endDate": str(last_month_end), "dimension": "banca",
        "totalDays": last_month_end.day, "monthStartDate": str(first), "monthEndDate": str(last_month_end),
    }  # fmt: skip
    assert document["totals"] == document["monthlyAccumulated"]
    one = await read(api, boss, f"date={last_month_end}")
    assert (one["totals"]["openingBalance"], one["totals"]["totalPaid"]) == ("5.00", "2.00")
    assert one["monthlyAccumulated"] == document["totals"]
    this = await read(api, boss, "")
    assert this["statements"][0]["date"] == str(today())
    assert {each["remainingBalance"] for each in this["statements"]} == {"7.00"}


async def test_several_together_are_summed_day_by_day(api: RunningApi, arena: Arena, boss: Clerk) -> None:
    other = await arena.add_seller(ventana_id=await arena.add_ventana())
    for seller, days, amount in ((arena.seller, 3, "10.00"), (arena.sellers[1], 2, "1.00"), (other, 2, "0.10")):
        await boss.moved(amount, vendedorId=seller.id, day=days_ago(days), type="payment")
    listero = await Clerk.of(api, arena, Role.VENTANA)
    query = range_of(days_ago(4), days_ago(1)) + "&dimension=vendedor&sort=asc"
    for clerk, balances, lines in ((boss, ["0.00", "10.00", "11.10", "11.10"], [0, 1, 3, 3]),
                                   (listero, ["0.00", "10.00", "11.00", "11.00"], [0, 1, 2, 2])):  # fmt: skip
        document = await read(api, clerk, query)
        days = document["statements"]
        assert [each["remainingBalance"] for each in days] == balances
        assert [len(each["byVendedor"]) for each in days] == lines
        assert all(each["id"] is None and each["vendedorId"] is None for each in days)
        assert document["totals"]["totalRemainingBalance"] == balances[-1]
    by_seller = {
        line["vendedorId"]: line["remainingBalance"]
        for line in (await read(api, boss, query))["statements"][3]["byVendedor"]
    }
    assert by_seller == {str(arena.seller.id): "10.00", str(arena.sellers[1].id): "1.00", str(other.id): "0.10"}
    by_ventana = (await read(api, boss, f"date={days_ago(1)}&dimension=ventana"))["statements"]
    assert by_ventana == []


async def test_a_closed_day_stays_and_its_correction_is_told_today(
    api: RunningApi, arena: Arena, boss: Clerk, office: Office
) -> None:
    """STM-1 on the day; settled; then another result of its draw."""
    await arena.give_policy("users", arena.seller.id, "10")
    await office.sell(("07", 50_000), ("15", 9_950_000))
    sold = await office.day_of_draw()
    # As if it had been drawn days ago.
    await office.evaluate("07")
    await office.compute()
    await arena.owner.execute("UPDATE instance SET test_clock = true")
    assert await office.settle(sold + DAY) == (3, 0, 0)
    await office.revert()
    await office.compute()
    document = await read(api, boss, f"vendedorId={arena.seller.id}&" + range_of(sold, sold + DAY) + "&sort=asc")
    closed, corrected = document["statements"]
    assert (closed["balance"], closed["isSettled"], closed["canEdit"]) == ("45000.00", True, False)
    assert (corrected["totalCorrections"], corrected["remainingBalance"]) == ("-45000.00", "0.00")
    [correction] = corrected["corrections"]
    assert correction | {
        "date": str(sold), "totalSales": "-100000.00", "totalPayouts": "-45000.00", "vendedorCommission": "-10000.00",
        "balance": "-45000.00", "amount": "-45000.00", "ticketCount": -1,
    } == correction  # fmt: skip
    assert (corrected["isSettled"], corrected["canEdit"]) == (False, True)
    assert (document["totals"]["settledDays"], document["totals"]["totalRemainingBalance"]) == (1, "0.00")


async def test_what_is_paid_off_is_settled(api: RunningApi, arena: Arena, boss: Clerk, office: Office) -> None:
    """STM-7."""
    await office.sell(("07", 5_000))
    await office.evaluate("99")
    await office.compute()
    await arena.owner.execute("UPDATE instance SET test_clock = true")
    sold = await office.day_of_draw()
    query = f"vendedorId={arena.seller.id}&date={sold}"
    assert not (await read(api, boss, query))["statements"][0]["isSettled"]
    row = await office.move(sold, 5_000, now=datetime.combine(sold, time(23), COSTA_RICA))
    assert row["outcome"] == "REGISTERED"
    [day] = (await read(api, boss, query))["statements"]
    assert (day["isSettled"], day["canEdit"], day["settledAt"], day["hasSorteos"]) == (True, True, None, True)


async def test_the_uncut_history_is_told_to_who_may_see_it(
    api: RunningApi, arena: Arena, boss: Clerk, office: Office
) -> None:
    """STM-12, and ignoreReset."""
    for days, amount in ((5, "10.00"), (3, "20.00"), (0, "3.00")):
        await boss.moved(amount, vendedorId=arena.seller.id, day=days_ago(days), type="payment")
    assert await office.reset(datetime.now(UTC)) == "DONE"
    await boss.moved("4.00", vendedorId=arena.seller.id, day=today(), type="payment")
    query = f"vendedorId={arena.seller.id}&" + range_of(days_ago(4), today()) + "&sort=asc"
    cut = (await read(api, boss, query))["statements"]
    assert [each["remainingBalance"] for each in cut] == ["10.00", "30.00", "30.00", "30.00", "4.00"]
    assert (cut[-1]["openingBalance"], cut[-1]["totalPaid"]) == ("0.00", "4.00")
    uncut = (await read(api, boss, query + "&ignoreReset=true"))["statements"]
    assert [each["remainingBalance"] for each in uncut] == ["10.00", "30.00", "30.00", "30.00", "37.00"]
    assert (uncut[-1]["openingBalance"], uncut[-1]["totalPaid"]) == ("30.00", "7.00")
    assert (await boss.get(f"/balance/current?vendedorId={arena.seller.id}"))["balance"] == "4.00"


async def test_an_unchanged_statement_is_not_sent_again(arena: Arena, boss: Clerk) -> None:
    async def ask(tag: str | None = None, query: str = "") -> Answer:
        headers = {} if tag is None else {"If_None_Match": tag}
        period = f"fromDate={days_ago(2)}&toDate={today()}"
        return await boss.send("GET", f"/statement?vendedorId={arena.seller.id}&{period}{query}", **headers)

    first = await ask()
    tag = first.headers["ETag"]
    assert tag.startswith('W/"')
    assert first.headers["Cache-Control"] == "private, no-cache"
    for known in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        again = await ask(known)
        assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)
    assert (await ask('"other"')).status == 200
    assert (await ask(tag, "&sort=asc")).status == 200
    await boss.moved(vendedorId=arena.seller.id, day=today())
    changed = await ask(tag)
    assert (changed.status, changed.headers["ETag"] == tag) == (200, False)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("month=2026-13", "FIELD_INVALID"),
        ("month=january", "FIELD_INVALID"),
        ("month=2026-01&date=2026-01-15", "FIELD_INVALID"),
        ("date=2026-01-15&toDate=2026-01-15", "FIELD_INVALID"),
        ("date=1999-01-15", "FIELD_INVALID"),
        ("toDate=2026-01-15", "FIELD_REQUIRED"),
        ("fromDate=2026-01-15&toDate=2026-01-14", "FIELD_OUT_OF_RANGE"),
        ("fromDate=2026-01-01&toDate=2026-04-03", "FIELD_OUT_OF_RANGE"),
        ("sort=up", "FIELD_INVALID"),
        ("scope=theirs", "FIELD_INVALID"),
        ("vendedorId=me", "FIELD_INVALID"),
        ("page=1", "FIELD_UNKNOWN"),
    ],
)
async def test_days_that_are_none_are_refused(boss: Clerk, query: str, code: str) -> None:
    answer = await boss.send("GET", f"/statement?{query}")
    assert (answer.status, answer.code) == (400, "VALIDATION_FAILED")
    assert [violation["code"] for violation in answer.json()["violations"]] == [code]
