"""The event of a batch tells what was sold: ticket by ticket, and which sequences of each draw that were."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from core.till.outcomes import Verdict
from tests.arena import Arena
from tests.till.shop import Shop
from tests.till.tickets import sale, ticket

if TYPE_CHECKING:
    from tests.arena import Owner


async def test_an_event_names_its_tickets_and_the_sequences_of_each_draw(owner: Owner, arena: Arena, shop: Shop):
    draws = [arena.sorteo_id, await arena.add_sorteo(minutes=2_000)]
    poor = await arena.add_seller(credit_limit_cents=0)
    for counts in ((2, 1), (3, 0), (1, 2)):
        requests = [sale(arena.sellers[n % 2], ticket(draws[place])) for place in (0, 1) for n in range(counts[place])]
        refused = sale(poor, ticket(draws[0]))
        orders = [await shop.order(request) for request in (*requests, refused)]
        before = {draw: await owner.fetchval("SELECT last_sequence FROM sorteos WHERE id = $1", draw) for draw in draws}
        outcomes = await shop.recorder.record(arena.banca_id, orders)
        assert [outcome.verdict for outcome in outcomes] == [Verdict.SOLD] * len(requests) + [Verdict.NO_FUNDS]
        event = json.loads(await owner.fetchval("SELECT payload FROM outbox ORDER BY id DESC LIMIT 1"))
        told = {row["sorteoId"]: (row["from"], row["to"]) for row in event["sorteos"]}
        assert told == {
            str(draw): (before[draw] + 1, before[draw] + count)
            for draw, count in zip(draws, counts, strict=True)
            if count
        }
        sold = orders[:-1]
        assert event["ticketIds"] == [str(order.ticket_id) for order in sold]
        assert event["sorteoIds"] == [str(order.priced.draw.id) for order in sold]
        assert event["sequences"] == [outcome.place.sequence for outcome in outcomes if outcome.place]
        assert event["vendedorIds"] == [str(order.priced.vendedor_id) for order in sold]
        assert event["actorIds"] == [str(order.actor.user_id) for order in sold]
        assert event["terminalIds"] == [str(order.actor.terminal_id) for order in sold]
        assert event["totalsCents"] == [order.priced.total_cents for order in sold]
        assert event["keys"] == [order.key for order in sold]
