"""What a list shows of its sellers: what they sold by multiplier, and what is excluded."""

from __future__ import annotations

from tests.after_sale.desk import Desk, moved
from tests.api.ruling import ruler
from tests.running_api import RunningApi
from tests.till.state import findings


async def lines(api: RunningApi, desk: Desk) -> list[tuple[str | None, str | None, str, str, int]]:
    """(multiplier, whose exclusion, what counts, what does not, tickets), the first seller's first."""
    boss = await ruler(api, desk.arena)
    document = await boss.get(f"/api/v1/sorteos/{desk.arena.sorteo_id}/listas")
    [listero] = document["listeros"]
    order = [str(seller.id) for seller in desk.arena.sellers]
    shown = ("multiplierName", "exclusionScope", "totalSales", "totalExcluded", "totalTickets")
    found = sorted(listero["vendedores"], key=lambda line: order.index(line["vendedorId"]))
    return [tuple(line[name] for name in shown) for line in found]


async def test_who_is_wholly_excluded_takes_one_line_and_others_one_per_multiplier(api: RunningApi, desk: Desk) -> None:
    arena = desk.arena
    special = await arena.add_multiplier("Special", 9_500)
    for seller in arena.sellers:
        await desk.sell(("07", 1_000), ("R07", 500), seller=seller)
        await desk.sell(("08", 200), seller=seller, multiplier_id=special)
    rows = [(None, None, "5.00", "0.00", 1), ("Base", None, "10.00", "0.00", 1), ("Special", None, "2.00", "0.00", 1)]
    assert sorted(await lines(api, desk), key=str) == sorted(rows * 2, key=str)
    # Of the first seller one multiplier, then all the rest; the other keeps what it had.
    moved(await desk.exclude(vendedor_id=arena.seller.id, multiplier_id=special))
    first = [line for line in await lines(api, desk) if line[1] is not None]
    assert first == [("Special", "vendedor", "0.00", "2.00", 1)]
    moved(await desk.exclude(vendedor_id=arena.seller.id))
    assert (await lines(api, desk))[:2] == [
        ("Special", "vendedor", "0.00", "2.00", 1), ("Todos (Excluido)", "vendedor", "0.00", "15.00", 1),
    ]  # fmt: skip
    moved(await desk.exclude())
    assert ("Todos (Excluido)", "ventana", "0.00", "17.00", 2) in await lines(api, desk)
    assert len(await lines(api, desk)) == 3
    assert await findings(arena.owner, arena.banca_id) == []
