"""A ventana's reach: the tickets that were sold in it, wherever their seller is now."""

from __future__ import annotations

from core.domain.permissions import Role
from core.till.cancels import Cancelled
from core.till.operations import TicketNotFound
from tests.after_sale.desk import Desk, restored
from tests.pos import new_key
from tests.till.state import everything
from tests.till.tickets import actor_for, sale, ticket


async def test_a_ventana_neither_cancels_nor_restores_what_its_seller_sold_elsewhere(desk: Desk) -> None:
    arena, owner, sale_key = desk.arena, desk.arena.owner, new_key()
    standing, cancelled = await desk.sell(("07", 100)), await desk.sell(("08", 100))
    assert isinstance(await desk.shop.cancel(arena.seller, ticket_id=cancelled), Cancelled)
    new = await arena.add_ventana()
    await owner.execute("UPDATE users SET ventana_id = $2 WHERE id = $1", arena.seller.id, new)
    there = await arena.add_terminal(ventana_id=new)
    listero = actor_for(await arena.add_user(Role.VENTANA, ventana_id=new), arena.banca_id, there)
    before = await everything(owner)
    assert isinstance(await desk.shop.cancel(arena.seller, ticket_id=standing, actor=listero), TicketNotFound)
    assert isinstance(await desk.restore(cancelled, actor=listero), TicketNotFound)
    assert await everything(owner) == before
    # What is sold in it from now on is its own.
    asked = ticket(arena.sorteo_id, vendedor_id=arena.seller.id)
    await desk.shop.sell(sale(arena.seller, asked, key=sale_key, actor=listero))
    mine = await desk.shop.cancel(arena.seller, sale_key=sale_key, actor=listero)
    assert isinstance(mine, Cancelled), mine
    restored(await desk.restore(mine.record.id, actor=listero))
