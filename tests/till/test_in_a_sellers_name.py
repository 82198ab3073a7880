"""Sales that a seller's own rules do not bind still count for those whom they bind, in the same batch too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from core.domain.permissions import Role
from core.settings import Settings
from core.till.refusals import Refused
from core.till.sales import SaleRequest
from tests.arena import Arena
from tests.pos import new_key
from tests.till.shop import Shop
from tests.till.state import findings
from tests.till.test_rules import restrict
from tests.till.tickets import actor_for, sale, ticket

if TYPE_CHECKING:
    from tests.arena import Owner


async def by(arena: Arena, role: Role) -> SaleRequest:
    """5.00 on 15 in the first seller's name."""
    actor = actor_for(await arena.add_user(role), arena.banca_id, arena.seller.terminal)
    return sale(arena.seller, ticket(arena.sorteo_id, ("15", 500), vendedor_id=arena.seller.id), actor=actor)


def own(arena: Arena, cents: int) -> SaleRequest:
    return sale(arena.seller, ticket(arena.sorteo_id, ("15", cents)))


@pytest.mark.parametrize("role", [Role.ADMIN, Role.VENTANA])
async def test_in_one_batch_the_seller_is_told_what_others_took_in_her_name(
    owner: Owner, arena: Arena, shop: Shop, role: Role
):
    await restrict(owner, arena, user_id=arena.seller.id, number=15, max_total_cents=1_000)
    unbound = [await by(arena, role) for _ in range(3)]
    # 5.00 of hers, 15.00 of theirs, and nothing is left for her; they go on.
    outcomes = await shop.record([own(arena, 500), *unbound[:2], own(arena, 100), unbound[2]])
    assert [outcome.verdict for outcome in outcomes] == ["SOLD", "SOLD", "SOLD", "SOLD_OUT", "SOLD"]
    assert await findings(owner, arena.banca_id) == []


async def test_before_them_she_has_all_that_is_hers(owner: Owner, arena: Arena, shop: Shop):
    await restrict(owner, arena, user_id=arena.seller.id, number=15, max_total_cents=1_000)
    outcomes = await shop.record([own(arena, 1_000), await by(arena, Role.ADMIN), own(arena, 1)])
    assert [outcome.verdict for outcome in outcomes] == ["SOLD", "SOLD", "SOLD_OUT"]
    assert await findings(owner, arena.banca_id) == []


async def test_a_banca_user_is_bound_like_the_seller(owner: Owner, arena: Arena, shop: Shop):
    await restrict(owner, arena, user_id=arena.seller.id, number=15, max_total_cents=1_000)
    batch = [await by(arena, Role.BANCA) for _ in range(3)]
    assert [outcome.verdict for outcome in await shop.record(batch)] == ["SOLD", "SOLD", "SOLD_OUT"]
    assert await findings(owner, arena.banca_id) == []


@pytest.mark.parametrize("role", [Role.BANCA, Role.VENTANA])
async def test_who_is_of_another_banca_now_leaves_no_tombstone(
    owner: Owner, arena: Arena, shop: Shop, settings: Settings, role: Role
):
    elsewhere = await Arena.create(owner, settings)
    person = await elsewhere.add_user(role)
    actor = actor_for(person, arena.banca_id, arena.seller.terminal)
    refused = await shop.cancel(arena.seller, sale_key=new_key(), actor=actor)
    assert isinstance(refused, Refused)
    assert refused.code == "USER_INACTIVE"
    assert await owner.fetchval("SELECT count(*) FROM idempotency") == 0
