"""How months ended, who has statements, and statements to take away."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from uuid import uuid4

import pytest

from core.domain.permissions import Role
from tests.api.selling import Contract
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.running_api import RunningApi, api_settings
from tests.statements.clerk import ACCOUNTS, Clerk, days_ago, today
from tests.statements.office import Office


@pytest.fixture
async def boss(api: RunningApi, arena: Arena) -> Clerk:
    return await Clerk.of(api, arena)


async def test_a_month_is_told_as_it_ended(api: RunningApi, arena: Arena, boss: Clerk, office: Office) -> None:
    last = today().replace(day=1) - timedelta(days=1)
    first, contract = last.replace(day=1), await Contract.of(api)
    for day, amount, kind in (
        (first - timedelta(days=1), "42.00", "payment"),
        (first, "10.00", "payment"),
        (last, "3.00", "collection"),
    ):
        await boss.moved(amount, vendedorId=arena.seller.id, day=day, type=kind)
    await boss.moved("1.00", vendedorId=arena.sellers[1].id, day=last, type="payment")
    path = f"/monthly-closings?month={last:%Y-%m}"
    assert (await boss.send("GET", path)).code == "CLOSING_NOT_FOUND"
    await office.close_month(first)
    answer = await boss.send("GET", f"{path}&dimension=vendedor")
    document = contract.require(answer, "GET", f"{ACCOUNTS}/monthly-closings")
    closings = {each["entityId"]: each for each in document["data"]}
    mine = closings[str(arena.seller.id)]
    assert mine | {
        "openingBalance": "42.00", "movement": "7.00", "closingBalance": "49.00", "totalPaid": "10.00",
        "totalCollected": "3.00", "resetAmount": "0.00", "ticketCount": 0, "name": arena.seller.username,
    } == mine  # fmt: skip
    assert document["meta"] == {
        "month": f"{last:%Y-%m}", "dimension": "vendedor", "count": 2, "openingBalance": "42.00", "movement": "8.00",
        "closingBalance": "50.00",
    }  # fmt: skip
    own = await Clerk(api, arena.seller).get(path)
    assert own["data"] == [mine]
    listero = await Clerk.of(api, arena, Role.VENTANA)
    assert (await listero.get(f"{path}&scope=ventana"))["meta"]["count"] == 2
    for clerk, query, status, code in (
        (listero, path, 404, "CLOSING_NOT_FOUND"),
        (listero, f"{path}&scope=all", 403, "FORBIDDEN"),
        (boss, f"{path}&vendedorId={uuid4()}", 404, "CLOSING_NOT_FOUND"),
        (boss, "/monthly-closings?month=2031-01", 404, "CLOSING_NOT_FOUND"),
        (boss, "/monthly-closings?month=2026-13", 400, "VALIDATION_FAILED"),
        (boss, "/monthly-closings", 400, "VALIDATION_FAILED"),
        (await Clerk.of(api, await Arena.create(arena.owner, arena.settings)), path, 404, "CLOSING_NOT_FOUND"),
    ):
        answer = await clerk.send("GET", query)
        assert (answer.status, answer.code) == (status, code), query


async def test_who_sells_no_more_is_listed_still(api: RunningApi, arena: Arena, boss: Clerk) -> None:
    foreign = await arena.add_seller(ventana_id=await arena.add_ventana())
    for ids in ({"vendedorId": arena.seller.id}, {"vendedorId": foreign.id}, {"ventanaId": arena.ventana_id}):
        await boss.moved(**ids, day=days_ago(8))
    await boss.moved(vendedorId=foreign.id, day=days_ago(2))
    await arena.owner.execute("UPDATE users SET is_active = false WHERE id = $1", foreign.id)
    contract = await Contract.of(api)

    async def listed(clerk: Clerk) -> dict[str, tuple[str, bool, str]]:
        answer = await clerk.send("GET", "/historical-entities")
        document = contract.require(answer, "GET", f"{ACCOUNTS}/historical-entities")
        return {each["id"]: (each["dimension"], each["isActive"], each["lastDate"]) for each in document["data"]}

    seller, ventana = ("vendedor", True, str(days_ago(8))), ("ventana", True, str(days_ago(8)))
    here = {str(arena.seller.id): seller, str(arena.ventana_id): ventana}
    assert await listed(boss) == {**here, str(foreign.id): ("vendedor", False, str(days_ago(2)))}
    assert await listed(await Clerk.of(api, arena, Role.VENTANA)) == here
    assert await listed(Clerk(api, arena.seller)) == {str(arena.seller.id): seller}
    assert await listed(await Clerk.of(api, await Arena.create(arena.owner, arena.settings))) == {}


async def test_a_statement_is_exported_with_its_movements(api: RunningApi, arena: Arena, boss: Clerk) -> None:
    await arena.owner.execute("UPDATE users SET name = '=Ana, \"the first\"' WHERE id = $1", arena.seller.id)
    await boss.moved("5.00", vendedorId=arena.seller.id, day=days_ago(2), notes="+1;\n2", type="payment")
    await boss.moved("1.00", vendedorId=arena.sellers[1].id, day=days_ago(1), type="payment")
    query = f"fromDate={days_ago(2)}&toDate={days_ago(1)}&sort=asc"
    answer = await boss.send("GET", f"/export?format=csv&dimension=vendedor&{query}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/csv; charset=utf-8")
    assert f'filename="statement-vendedor-{days_ago(2)}-{days_ago(1)}.csv"' in answer.headers["Content-Disposition"]
    lines = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert [(line["kind"], line["date"], line["remainingBalance"] or line["amount"]) for line in lines] == [
        ("day", str(days_ago(2)), "5.00"), ("vendedor", str(days_ago(2)), "5.00"), ("day", str(days_ago(1)), "6.00"),
        ("vendedor", str(days_ago(1)), "5.00"), ("vendedor", str(days_ago(1)), "1.00"),
        ("movement", str(days_ago(2)), "5.00"), ("movement", str(days_ago(1)), "1.00"),
    ]  # fmt: skip
    # A spreadsheet must not take a name for a formula.
    assert (lines[1]["vendedorName"], lines[5]["notes"]) == ('\'=Ana, "the first"', "'+1;\n2")
    own = await Clerk(api, arena.seller).send("GET", f"/export?{query}")
    assert [line["kind"] for line in csv.DictReader(io.StringIO(own.body.decode()))] == ["day", "day", "movement"]
    for clerk, asked, status, code in (
        (boss, "format=excel", 400, "FORMAT_UNAVAILABLE"),
        (boss, "format=pdf", 400, "FORMAT_UNAVAILABLE"),
        (boss, "format=xml", 400, "VALIDATION_FAILED"),
        (boss, f"vendedorId={uuid4()}", 404, "ENTITY_NOT_FOUND"),
        (Clerk(api, arena.seller), "scope=all", 403, "FORBIDDEN"),
        (Clerk(api, arena.seller), "ignoreReset=true", 403, "FORBIDDEN"),
    ):
        refused = await clerk.send("GET", f"/export?{asked}")
        assert (refused.status, refused.code) == (status, code), asked


async def test_exports_are_limited(arena: Arena, database: TestDatabase) -> None:
    settings = api_settings(database_url=database.api_url, rate_limit_enabled=True)
    async with RunningApi(settings) as limited:
        clerk = await Clerk.of(limited, arena)
        answers = [await clerk.send("GET", f"/export?date={date(2026, 1, 15)}") for _ in range(11)]
        assert [answer.status for answer in answers] == [200] * 10 + [429]
        assert (answers[-1].code, int(answers[-1].headers["Retry-After"]) in range(1, 7)) == ("RATE_LIMITED", True)
        assert (await (await Clerk.of(limited, arena)).send("GET", "/export")).status == 200
