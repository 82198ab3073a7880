"""What decides about a draw waits for whoever holds it, and then sees what was done meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from core.till.listas import ListaRefused
from tests.after_sale.desk import Desk, code, draw, moved
from tests.databases import TestDatabase
from tests.evaluating import Evaluator, draw_now, request, request_revert
from tests.till.locks import waiting

if TYPE_CHECKING:
    from tests.arena import Owner

CLOSE = "SELECT outcome FROM act_on_sorteo($1, $2, 'CLOSE', '{OPEN}', '{true}', '{CLOSED}', '{true}', NULL, 'tests', NULL, 'r')"
EDIT = (
    "SELECT edit_sorteo($1, s.id, s.loteria_id, 'renamed', s.digits, s.scheduled_at, s.opens_at) FROM sorteos s"
    " WHERE s.id = $2"
)
# How a call is made over a connection of its own, what is done to the draw meanwhile, and what the call then says.
CALLS: dict[str, tuple[str, str, str]] = {
    "evaluate": ("", "UPDATE sorteos SET is_active = false, status = 'SCHEDULED' WHERE id = $1", "SORTEO_NOT_CLOSED"),
    "close": (CLOSE, "UPDATE sorteos SET status = 'CLOSED' WHERE id = $1", "WRONG_STATE"),
    "edit": (EDIT, "UPDATE sorteos SET status = 'CLOSED' WHERE id = $1", "CLOSED"),
}


@pytest.mark.parametrize("name", CALLS)
async def test_who_asks_something_of_a_draw_waits_for_it(
    desk: Desk, owner: Owner, database: TestDatabase, name: str
) -> None:
    arena = desk.arena
    call, change, answer = CALLS[name]
    if name == "evaluate":
        await draw_now(owner, arena.sorteo_id)
    holder = await asyncpg.connect(database.owner_url)
    asker = await asyncpg.connect(database.owner_url, server_settings={"application_name": "shop"})
    try:
        async with holder.transaction():
            await holder.execute("SELECT 1 FROM sorteos WHERE id = $1 FOR UPDATE", arena.sorteo_id)
            asking: asyncio.Task[Any] = asyncio.create_task(
                request(replace(arena, owner=asker), "07")
                if name == "evaluate"
                else asker.fetchval(call, arena.banca_id, arena.sorteo_id)
            )
            await waiting(owner)
            await holder.execute(change, arena.sorteo_id)
        assert await asking == answer
    finally:
        await asker.close()
        await holder.close()


async def test_a_payment_waits_for_a_revert_that_is_being_asked_for(
    desk: Desk, owner: Owner, evaluator: Evaluator, database: TestDatabase
) -> None:
    """And a revert that comes second finds the payment: one of the two is refused."""
    arena = desk.arena
    winner = await desk.sell(("07", 50_000))
    await draw(arena, evaluator, "07")
    holder = await asyncpg.connect(database.owner_url)
    reverter = await asyncpg.connect(database.owner_url, server_settings={"application_name": "shop"})
    try:
        # A payment that holds the draw, and has not written yet.
        async with holder.transaction():
            await holder.execute("SELECT 1 FROM sorteos WHERE id = $1 FOR SHARE", arena.sorteo_id)
            reverting = asyncio.create_task(request_revert(replace(arena, owner=reverter)))
            await waiting(owner)
            await holder.execute(
                "INSERT INTO ticket_payments (banca_id, business_date, ticket_id, ordinal, sorteo_id, sequence, evaluation,"
                " amount_cents, method, is_final, paid_by, paid_by_role, terminal_id, created_at)"
                " SELECT banca_id, business_date, id, 1, sorteo_id, sequence, 1, 1000, 'cash', false, vendedor_id,"
                " 'VENDEDOR', terminal_id, now() FROM tickets"
            )
        assert await reverting == "PAYMENTS_STAND"
        async with holder.transaction():
            assert await request_revert(replace(arena, owner=holder), force=True) == "REQUESTED"
            paying = asyncio.create_task(desk.pay(winner, 1_000))
            await waiting(owner)
        assert code(await paying) == "SORTEO_NOT_EVALUATED"
    finally:
        await reverter.close()
        await holder.close()


async def test_an_exclusion_waits_for_the_sales_under_way(desk: Desk, owner: Owner, database: TestDatabase) -> None:
    arena = desk.arena
    await desk.sell()
    holder = await asyncpg.connect(database.owner_url)
    try:
        async with holder.transaction():
            await holder.execute("SELECT 1 FROM sorteos WHERE id = $1 FOR NO KEY UPDATE", arena.sorteo_id)
            excluding = asyncio.create_task(desk.exclude())
            await waiting(owner)
        assert moved(await excluding).facts["tickets"] == 1
        # And it sees what became of the draw meanwhile.
        async with holder.transaction():
            await holder.execute("SELECT 1 FROM sorteos WHERE id = $1 FOR NO KEY UPDATE", arena.sorteo_id)
            including = asyncio.create_task(desk.include())
            await waiting(owner)
            await holder.execute(
                "UPDATE sorteos SET is_active = false, status = 'SCHEDULED' WHERE id = $1", arena.sorteo_id
            )
        refused = await including
        assert isinstance(refused, ListaRefused)
        assert refused.code == "SORTEO_NOT_OPEN"
    finally:
        await holder.close()
