"""One bad ticket in a batch: it is rejected alone, wherever it stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from core.database import OutcomeUnknownError
from core.domain.money import Cents
from core.till.order import SaleOrder
from core.till.outcomes import Verdict
from core.till.refusals import Refused
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.pos import new_key
from tests.till.shop import Shop, open_shop, orders_of, sold
from tests.till.state import findings, tickets_count
from tests.till.stumbles import stumble
from tests.till.tickets import sale, ticket

if TYPE_CHECKING:
    from tests.arena import Owner


def with_ticket(order: SaleOrder, **changes: Any) -> SaleOrder:
    request = replace(order.priced.request, **changes)
    return replace(order, priced=replace(order.priced, request=request))


def with_jugada(order: SaleOrder, **changes: Any) -> SaleOrder:
    jugada = order.priced.jugadas[0]._replace(**changes)
    return replace(order, priced=replace(order.priced, jugadas=(jugada,)))


# What the API never lets through, each at another gate of the database.
POISONS: dict[str, Callable[[SaleOrder], SaleOrder]] = {
    "a name of 101 characters": lambda order: with_ticket(order, cliente_nombre="x" * 101),
    "no name": lambda order: with_ticket(order, cliente_nombre=""),
    "a name with a NUL": lambda order: with_ticket(order, cliente_nombre="a\0b"),
    "a name that is no UTF-8": lambda order: with_ticket(order, cliente_nombre="\ud800"),
    "an amount of 0": lambda order: with_jugada(order, amount_cents=0),
    "a total of 0": lambda order: replace(order, priced=replace(order.priced, total_cents=Cents(0))),
    "a number of 1000": lambda order: with_jugada(order, number=1_000),
    "a number wider than its column": lambda order: with_jugada(order, number=70_000),
    "an amount wider than its column": lambda order: with_jugada(order, amount_cents=2**63),
    "a commission above the amount": lambda order: with_jugada(order, commission_cents=101),
    "a key of 7 characters": lambda order: replace(order, key="k" * 7),
    "a role that is none": lambda order: replace(order, actor=replace(order.actor, role="NOBODY")),
}


@pytest.mark.parametrize("poison", POISONS.values(), ids=POISONS)
async def test_a_poisonous_ticket_is_rejected_alone(
    owner: Owner, arena: Arena, shop: Shop, poison: Callable[[SaleOrder], SaleOrder]
):
    orders = await orders_of(arena, shop, 8)
    orders[5] = poison(orders[5])
    outcomes = await shop.recorder.record(arena.banca_id, orders)
    assert [outcome.verdict for outcome in outcomes] == [Verdict.SOLD] * 5 + [Verdict.REJECTED] + [Verdict.SOLD] * 2
    assert [outcome.place.sequence for outcome in outcomes if outcome.place] == [1, 2, 3, 4, 5, 6, 7]
    assert await owner.fetchval("SELECT count(*) FROM idempotency") == 7
    assert await findings(owner, arena.banca_id) == []


@pytest.mark.parametrize("places", [(0,), (7,), (0, 7), (3, 4), tuple(range(8))])
async def test_wherever_poison_is_in_a_batch_the_others_are_sold(
    owner: Owner, arena: Arena, shop: Shop, places: tuple[int, ...]
):
    orders = await orders_of(arena, shop, 8)
    for place in places:
        orders[place] = with_jugada(orders[place], amount_cents=0)
    outcomes = await shop.recorder.record(arena.banca_id, orders)
    assert [n for n, outcome in enumerate(outcomes) if outcome.verdict is Verdict.REJECTED] == list(places)
    assert await tickets_count(owner) == 8 - len(places)
    assert await findings(owner, arena.banca_id) == []


async def test_a_rejected_ticket_is_refused_and_its_key_stays_free(owner: Owner, arena: Arena, shop: Shop):
    key = new_key()
    answer = await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, cliente="x" * 101), key=key))
    assert isinstance(answer, Refused)
    assert (answer.code, answer.recorded) == ("TICKET_REJECTED", False)
    assert sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id), key=key))).sequence == 1


async def test_trouble_in_the_second_half_of_a_poisoned_batch_leaves_every_outcome_unknown_and_every_key_definite(
    owner: Owner, arena: Arena, database: TestDatabase
):
    # The batch of four is refused as data, the half after it is not taken at all.
    await stumble(owner, first=2, last=2, sqlstate="53100")
    async with open_shop(database.api_url) as shop:
        requests = [sale(arena.seller, ticket(arena.sorteo_id)) for _ in range(4)]
        orders = [await shop.order(request) for request in requests]
        poisoned = [orders[0], with_jugada(orders[1], amount_cents=0), *orders[2:]]
        with pytest.raises(OutcomeUnknownError):
            await shop.recorder.record(arena.banca_id, poisoned)
        assert await tickets_count(owner) == 1
        outcomes = await shop.recorder.record(arena.banca_id, orders)
    assert [outcome.verdict for outcome in outcomes] == [Verdict.KNOWN] + [Verdict.SOLD] * 3
    assert await findings(owner, arena.banca_id) == []
