"""How months ended, and who has statements."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from core.domain.permissions import Role
from tests.api.selling import Contract
from tests.arena import Arena
from tests.running_api import RunningApi
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
