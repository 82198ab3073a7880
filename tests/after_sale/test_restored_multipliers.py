"""A cancelled ticket comes back only with multipliers that may still be chosen."""

from __future__ import annotations

from uuid import uuid4

from core.domain.permissions import Role
from core.till.refusals import Refused
from tests.after_sale.desk import Desk, restored
from tests.pos import new_key
from tests.till.state import findings
from tests.till.tickets import actor_for


async def test_a_multiplier_that_may_not_be_chosen_any_more_is_refused(desk: Desk) -> None:
    arena, key = desk.arena, new_key()
    special = await arena.add_multiplier("Special", 8_000)
    ticket_id = await desk.sell(("07", 100), ("R07", 50), multiplier_id=special)
    await desk.shop.cancel(arena.seller, ticket_id=ticket_id)
    await arena.owner.execute("UPDATE loteria_multipliers SET is_active = false WHERE id = $1", special)
    refused = await desk.restore(ticket_id, key=key)
    assert isinstance(refused, Refused)
    [violation] = refused.violations
    assert (violation.code, violation.field) == ("INACTIVE_MULTIPLIER", "jugadas[0].multiplierId")
    await arena.owner.execute("UPDATE loteria_multipliers SET is_active = true WHERE id = $1", special)
    again = await desk.restore(ticket_id, key=key)
    assert isinstance(again, Refused), "the answer stands for its key"
    assert (again.detail, again.violations, again.replayed) == (refused.detail, refused.violations, True)
    restored(await desk.restore(ticket_id))
    assert await findings(arena.owner, arena.banca_id) == []


async def test_a_multiplier_that_was_blocked_since_is_refused_but_to_an_administrator(desk: Desk) -> None:
    arena = desk.arena
    blocked = await desk.sell(("07", 100), ("08", 100), multiplier_id=arena.multiplier_id)
    other = await desk.sell(("08", 100), multiplier_id=arena.multiplier_id)
    for ticket_id in (blocked, other):
        await desk.shop.cancel(arena.seller, ticket_id=ticket_id)
    await arena.owner.execute(
        "INSERT INTO restriction_rules (banca_id, id, ventana_id, loteria_id, multiplier_id, number, message)"
        " VALUES ($1, $2, $3, $4, $5, 7, 'not today')",
        arena.banca_id, uuid4(), arena.ventana_id, arena.loteria_id, arena.multiplier_id,
    )  # fmt: skip
    refused = await desk.restore(blocked)
    assert isinstance(refused, Refused)
    [violation] = refused.violations
    assert (violation.code, violation.message) == ("LOTTERY_MULTIPLIER_RESTRICTED", "not today")
    assert (violation.data or {})["multiplierId"] == str(arena.multiplier_id)
    restored(await desk.restore(other))
    admin = await arena.add_user(Role.ADMIN)
    restored(await desk.restore(blocked, actor=actor_for(admin, arena.banca_id, arena.seller.terminal)))
    assert await findings(arena.owner, arena.banca_id) == []
