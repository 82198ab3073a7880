"""The movements of a day over HTTP: whom they concern, page by page."""

from __future__ import annotations

from core.domain.permissions import Role
from tests.api.selling import Contract
from tests.arena import Arena
from tests.running_api import RunningApi
from tests.statements.clerk import ACCOUNTS, Clerk, days_ago


async def test_the_movements_of_a_day_are_listed_to_whom_they_concern(api: RunningApi, arena: Arena) -> None:
    boss = await Clerk.of(api, arena)
    elsewhere = await arena.add_ventana()
    foreign, day = await arena.add_seller(ventana_id=elsewhere), days_ago(1)
    made = [
        (await boss.moved(time=time, **ids))["id"]
        for time, ids in (
            ("08:00", {"vendedorId": arena.seller.id}), ("09:00", {"vendedorId": arena.sellers[1].id}),
            ("10:00", {"ventanaId": arena.ventana_id}), ("11:00", {"vendedorId": foreign.id}),
            ("12:00", {"bancaId": arena.banca_id}),
        )
    ]  # fmt: skip
    await boss.moved(vendedorId=arena.seller.id, day=days_ago(2))
    await boss.reverse(made[1])
    contract, path = await Contract.of(api), f"/payment-history?date={day}"
    listero = await Clerk.of(api, arena, Role.VENTANA)

    async def listed(clerk: Clerk, query: str = "") -> list[int]:
        answer = await clerk.send("GET", path + query)
        document = contract.require(answer, "GET", f"{ACCOUNTS}/payment-history")
        assert document["meta"]["total"] >= len(document["data"])
        return [made.index(one["id"]) for one in document["data"]]

    assert await listed(boss) == [4, 3, 2, 1, 0]
    assert await listed(boss, f"&ventanaId={arena.ventana_id}") == [2, 1, 0]
    assert await listed(boss, f"&vendedorId={foreign.id}") == [3]
    assert await listed(listero) == [2, 1, 0]
    assert await listed(listero, f"&vendedorId={arena.seller.id}") == [0]
    assert await listed(listero, f"&ventanaId={elsewhere}") == await listed(listero, f"&vendedorId={foreign.id}") == []
    assert await listed(Clerk(api, arena.seller)) == [0]
    assert await listed(Clerk(api, arena.seller), f"&vendedorId={foreign.id}") == []
    page = await boss.get(f"{path}&pageSize=2")
    assert (page["meta"]["total"], [one["isReversed"] for one in page["data"]]) == (5, [False, False])
    assert await listed(boss, f"&pageSize=2&cursor={page['meta']['nextCursor']}") == [2, 1]
    assert await listed(boss, "&pageSize=2&page=3") == [0]
    stranger = await Arena.create(arena.owner, arena.settings)
    assert await listed(await Clerk.of(api, stranger)) == []
    assert (await boss.send("GET", "/payment-history?date=yesterday")).code == "VALIDATION_FAILED"
