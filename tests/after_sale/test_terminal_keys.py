"""What a terminal sends again after a change of shift is done once: payments and restores as well as sales and cancels."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from core.domain.permissions import Role
from core.till.operations import TicketNotFound
from core.till.order import Actor
from tests.after_sale.desk import Desk, code, draw, restored, settled
from tests.arena import Arena
from tests.evaluating import Evaluator
from tests.pos import new_key
from tests.till.state import everything, findings
from tests.till.tickets import actor_for, actor_of

if TYPE_CHECKING:
    from tests.arena import Owner

ROLES = [Role.VENDEDOR, Role.VENTANA, Role.BANCA, Role.ADMIN]


async def at_the_terminal(arena: Arena, role: Role) -> Actor:
    """Another user of that role, logged in on the first seller's terminal."""
    if role is Role.VENDEDOR:
        return actor_of(arena.sellers[1], terminal=arena.seller.terminal)
    return actor_for(await arena.add_user(role), arena.banca_id, arena.seller.terminal)


@pytest.mark.parametrize("role", ROLES)
async def test_a_payment_sent_again_after_a_change_of_shift_is_paid_once(
    owner: Owner, desk: Desk, evaluator: Evaluator, role: Role
) -> None:
    arena = desk.arena
    winner, other = await desk.sell(("07", 50_000)), await desk.sell(("07", 50_000))
    await draw(arena, evaluator, "07")
    actor = await at_the_terminal(arena, role)
    keys = [new_key() for _ in range(3)]
    first = [
        settled(await desk.pay(winner, 1_000, key=keys[0])),
        settled(await desk.reverse(winner, key=keys[1])),
        settled(await desk.pay(winner, 2_000, key=keys[2])),
    ]
    before = await everything(owner)
    again = [
        settled(await desk.pay(winner, 1_000, key=keys[0], actor=actor)),
        settled(await desk.reverse(winner, key=keys[1], actor=actor)),
        settled(await desk.pay(winner, 2_000, key=keys[2], actor=actor)),
    ]
    assert [(one.facts, one.at, one.replayed) for one in again] == [(one.facts, one.at, True) for one in first]
    # A key opens nothing else.
    for ticket_id, cents in ((winner, 1_001), (other, 1_000)):
        answer = await desk.pay(ticket_id, cents, key=keys[0], actor=actor)
        assert code(answer) == "IDEMPOTENCY_PAYLOAD_MISMATCH"
    assert await everything(owner) == before
    if role is Role.VENDEDOR:
        assert isinstance(await desk.pay(winner, 1_000, actor=actor), TicketNotFound)
    assert await findings(owner, arena.banca_id) == []


async def test_a_payment_of_two_users_at_one_terminal_at_once_is_paid_once(
    owner: Owner, desk: Desk, evaluator: Evaluator
) -> None:
    arena = desk.arena
    winner = await desk.sell(("07", 50_000))
    await draw(arena, evaluator, "07")
    actors = [await at_the_terminal(arena, role) for role in (Role.VENTANA, Role.ADMIN)]
    key = new_key()
    answers = await asyncio.gather(*(desk.pay(winner, 1_000, key=key, actor=actors[n % 2]) for n in range(8)))
    assert sum(not settled(answer).replayed for answer in answers) == 1
    assert await owner.fetchval("SELECT count(*) FROM ticket_payments") == 1


@pytest.mark.parametrize("role", ROLES)
async def test_a_restore_sent_again_after_a_change_of_shift_is_told_what_it_did(
    owner: Owner, desk: Desk, role: Role
) -> None:
    arena = desk.arena
    ticket_id = await desk.sell()
    await desk.shop.cancel(arena.seller, ticket_id=ticket_id)
    key = new_key()
    first = restored(await desk.restore(ticket_id, key=key))
    refused_key = new_key()
    assert code(await desk.restore(ticket_id, key=refused_key)) == "TICKET_NOT_CANCELLED"
    actor = await at_the_terminal(arena, role)
    before = await everything(owner)
    again = restored(await desk.restore(ticket_id, key=key, actor=actor))
    assert (again.at, again.replayed) == (first.at, True)
    assert code(await desk.restore(ticket_id, key=refused_key, actor=actor)) == "TICKET_NOT_CANCELLED"
    assert await everything(owner) == before
    assert await findings(owner, arena.banca_id) == []
