from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest

from tests.api.selling import (
    BATCH,
    CANCEL,
    REPLAYED,
    SALE,
    batch,
    jugada,
    read_books,
    sell,
    set_policy,
    stored_balance,
    ticket,
)
from tests.arena import Arena
from tests.pos import Pos, new_key
from tests.running_api import Answer, RunningApi

NO_BODY = b""


def cancel_of(ticket_id: object) -> str:
    return f"{SALE}/{ticket_id}/cancel"


async def cancel(pos: Pos, ticket_id: object, *, key: str | None = None, body: Any = NO_BODY) -> Answer:
    return await pos.post(cancel_of(ticket_id), body, key=key or new_key())


async def cancel_key(pos: Pos, sale_key: str, *, key: str | None = None) -> Answer:
    return await pos.post(CANCEL, {"saleKey": sale_key}, key=key or new_key())


@pytest.mark.parametrize("by", ["id", "sale key"])
async def test_a_cancel_takes_back_all_that_its_sale_moved(api: RunningApi, arena: Arena, by: str) -> None:
    await set_policy(arena, "users", arena.seller.id, "10")
    await arena.owner.execute("UPDATE bancas SET global_max_per_number_cents = 70000")
    pos, sale_key = Pos(api, arena.seller), new_key()
    document = ticket(arena, jugada("07"), jugada("07", "200.00", "REVENTADO"), jugada("08", "0.05"))
    before = await read_books(arena.owner)
    sold = await sell(pos, document, key=sale_key)
    assert await stored_balance(arena, arena.seller.id) == -63_004
    assert (await pos.post(SALE, document, key=new_key())).code == "NUMBER_MAXTOTAL_EXCEEDED"
    answer = await (cancel(pos, sold["id"]) if by == "id" else cancel_key(pos, sale_key))
    assert (answer.status, REPLAYED in answer.headers) == (200, False)
    cancelled = answer.json()
    assert datetime.fromisoformat(cancelled["cancelledAt"]) >= datetime.fromisoformat(sold["createdAt"])
    assert cancelled == sold | {"status": "CANCELLED", "cancelledAt": cancelled["cancelledAt"]}
    after = await read_books(arena.owner)
    assert await stored_balance(arena, arena.seller.id) == 0
    assert (after.exposure, after.balances, after.tickets) == (before.exposure, before.balances, 1)
    assert (after.transfers, after.events) == (4, 2)
    kinds = await arena.owner.fetch("SELECT kind::text, sum(amount_cents)::int FROM transfers GROUP BY 1 ORDER BY 1")
    assert dict(map(tuple, kinds)) == {
        "COMMISSION": 7_001, "COMMISSION_REVERSAL": 7_001, "SALE": 70_005, "SALE_REVERSAL": 70_005,
    }  # fmt: skip
    assert (await pos.get(f"{SALE}/{sold['id']}")).json() == cancelled
    # What was taken back may be sold again.
    assert (await sell(pos, document))["ticketNumber"] > sold["ticketNumber"]


async def test_a_ticket_is_cancelled_once_however_often_it_is_asked(api: RunningApi, arena: Arena) -> None:
    pos, sale_key, key = Pos(api, arena.seller), new_key(), new_key()
    sold = await sell(pos, ticket(arena), key=sale_key)
    first = await cancel(pos, sold["id"], key=key)
    books = await read_books(arena.owner)
    again = await cancel(pos, sold["id"], key=key)
    assert (again.status, again.headers[REPLAYED], again.body) == (200, "true", first.body)
    assert await read_books(arena.owner) == books
    for answer in (await cancel(pos, sold["id"]), await cancel_key(pos, sale_key)):
        assert (answer.status, answer.code) == (409, "TICKET_ALREADY_CANCELLED")
        assert answer.json()["violations"][0]["cancelledAt"] == first.json()["cancelledAt"]
    assert (await read_books(arena.owner)).transfers == books.transfers
    assert await stored_balance(arena, arena.seller.id) == 0


@pytest.mark.parametrize("by", ["id", "sale key"])
async def test_simultaneous_cancels_take_back_once(api: RunningApi, arena: Arena, by: str) -> None:
    pos, sale_key = Pos(api, arena.seller), new_key()
    sold = await sell(pos, ticket(arena), key=sale_key)
    answers = await asyncio.gather(
        *(cancel(pos, sold["id"]) if by == "id" else cancel_key(pos, sale_key) for _ in range(12))
    )
    assert Counter((answer.status, answer.code) for answer in answers) == {
        (200, None): 1, (409, "TICKET_ALREADY_CANCELLED"): 11,
    }  # fmt: skip
    assert await stored_balance(arena, arena.seller.id) == 0


async def test_a_refused_cancel_stands_for_its_key(api: RunningApi, arena: Arena) -> None:
    pos, key = Pos(api, arena.seller), new_key()
    sold = await sell(pos, ticket(arena))
    await arena.owner.execute("UPDATE sorteos SET status = 'CLOSED'")
    first = await cancel(pos, sold["id"], key=key)
    assert (first.status, first.code) == (409, "SORTEO_LOCKED")
    await arena.owner.execute("UPDATE sorteos SET status = 'OPEN'")
    again = await cancel(pos, sold["id"], key=key)
    assert (again.status, again.headers[REPLAYED], again.body) == (409, "true", first.body)
    assert (await cancel(pos, sold["id"])).status == 200


@pytest.mark.parametrize("status", ["CLOSED", "EVALUATED"])
async def test_a_ticket_of_a_closed_draw_stays_sold(api: RunningApi, arena: Arena, status: str) -> None:
    pos, sale_key = Pos(api, arena.seller), new_key()
    sold = await sell(pos, ticket(arena), key=sale_key)
    await arena.owner.execute("UPDATE sorteos SET status = $1::text::sorteo_status", status)
    before = await read_books(arena.owner)
    for answer in (await cancel(pos, sold["id"]), await cancel_key(pos, sale_key)):
        assert (answer.status, answer.code) == (409, "SORTEO_LOCKED")
    after = await read_books(arena.owner)
    assert (after.transfers, after.balances, after.answers) == (before.transfers, before.balances, before.answers + 2)


async def test_a_ticket_stays_sold_after_the_cutoff(api: RunningApi, arena: Arena) -> None:
    sorteo = await arena.add_sorteo(minutes=10)
    pos = Pos(api, arena.seller)
    sold = await sell(pos, ticket(arena) | {"sorteoId": str(sorteo)})
    await arena.owner.execute("UPDATE bancas SET sales_cutoff_minutes = 15")
    answer = await cancel(pos, sold["id"])
    assert (answer.status, answer.code) == (409, "SALES_CUTOFF_REACHED")
    assert answer.json()["violations"][0]["cutoffMinutes"] == 15
    assert await stored_balance(arena, arena.seller.id) == -50_000


async def test_another_sellers_ticket_cannot_be_told_from_none(api: RunningApi, arena: Arena) -> None:
    stranger = await Arena.create(arena.owner, arena.settings)
    key = new_key()
    tickets = [
        await sell(Pos(api, arena.sellers[1]), ticket(arena), key=key),
        await sell(Pos(api, stranger.seller), ticket(stranger), key=key),
    ]
    pos, before = Pos(api, arena.seller), await read_books(arena.owner)
    answers = [await cancel(pos, ticket_id) for ticket_id in (tickets[0]["id"], tickets[1]["id"], uuid4())]
    assert {(answer.status, answer.code, answer.json()["detail"]) for answer in answers} == {
        (404, "TICKET_NOT_FOUND", "There is no such ticket.")
    }
    assert await read_books(arena.owner) == before
    # Their keys are not mine: what I cancel under one is a sale of my own that has not come.
    assert (await cancel_key(pos, key)).json()["status"] == "CANCELLED_BEFORE_SALE"
    assert await stored_balance(arena, arena.sellers[1].id) == -50_000


async def test_a_sale_that_comes_after_its_cancel_is_refused(api: RunningApi, arena: Arena) -> None:
    pos, sale_key, key = Pos(api, arena.seller), new_key(), new_key()
    first = await cancel_key(pos, sale_key, key=key)
    document = first.json()
    assert document == {
        "saleKey": sale_key, "status": "CANCELLED_BEFORE_SALE", "cancelledAt": document["cancelledAt"],
    }  # fmt: skip
    again = await cancel_key(pos, sale_key, key=key)
    assert (again.status, again.headers[REPLAYED], again.body) == (200, "true", first.body)
    assert (await cancel_key(pos, sale_key)).json()["status"] == "CANCELLED_BEFORE_SALE"
    late = [await pos.post(SALE, ticket(arena), key=sale_key) for _ in range(2)]
    assert [(answer.status, answer.code) for answer in late] == [(409, "CANCELLED_BEFORE_SALE")] * 2
    assert late[0].body == late[1].body
    [result] = (await pos.post(BATCH, batch(ticket(arena, idempotencyKey=sale_key)))).json()["results"]
    assert (result["status"], result["problem"]) == (409, late[0].json())
    # Whatever it would have been: also a ticket that today's rules refuse.
    assert (await pos.post(SALE, ticket(arena, jugada("007")), key=sale_key)).code == "CANCELLED_BEFORE_SALE"
    books = await read_books(arena.owner)
    assert (books.tickets, books.transfers, books.events, books.answers) == (0, 0, 0, 3)


async def test_a_sale_and_its_cancel_at_once_agree(api: RunningApi, arena: Arena) -> None:
    """Either it was sold and taken back, or it was never sold; the POS is told which."""
    pos = Pos(api, arena.seller)

    async def race() -> tuple[int, str]:
        key = new_key()
        sale, taken_back = await asyncio.gather(pos.post(SALE, ticket(arena), key=key), cancel_key(pos, key))
        assert taken_back.status == 200, taken_back.body
        return sale.status, taken_back.json()["status"]

    outcomes = Counter(await asyncio.gather(*(race() for _ in range(40))))
    assert set(outcomes) <= {(201, "CANCELLED"), (409, "CANCELLED_BEFORE_SALE")}
    assert await stored_balance(arena, arena.seller.id) == 0
    assert (await read_books(arena.owner)).exposure == 0
    assert (await read_books(arena.owner)).tickets == outcomes[201, "CANCELLED"]


async def test_a_sale_that_was_refused_has_nothing_to_cancel(api: RunningApi, arena: Arena) -> None:
    pos, sale_key = Pos(api, arena.seller), new_key()
    await arena.owner.execute("UPDATE sorteos SET status = 'CLOSED'")
    refused = await pos.post(SALE, ticket(arena), key=sale_key)
    answer = await cancel_key(pos, sale_key)
    assert (answer.status, answer.code) == (409, "SALE_WAS_REFUSED")
    assert (await pos.post(SALE, ticket(arena), key=sale_key)).body == refused.body


async def test_a_caller_cannot_say_how_much_is_taken_back(api: RunningApi, arena: Arena) -> None:
    pos = Pos(api, arena.seller)
    sold = await sell(pos, ticket(arena))
    wishes = {"amount": "5000.00", "totalAmount": "5000.00", "vendedorId": str(arena.sellers[1].id)}
    answer = await cancel(pos, sold["id"], body=wishes)
    assert (answer.status, answer.code) == (400, "VALIDATION_FAILED")
    assert await stored_balance(arena, arena.seller.id) == -50_000
    answer = await cancel(pos, sold["id"])
    assert (answer.status, answer.json()["totalAmount"]) == (200, "500.00")
    assert await stored_balance(arena, arena.seller.id) == 0
    assert await stored_balance(arena, arena.sellers[1].id) == 0
    other = new_key()
    await sell(pos, ticket(arena), key=other)
    refused = await pos.post(CANCEL, {"saleKey": other, "amount": "5000.00"}, key=new_key())
    assert (refused.status, refused.code) == (400, "VALIDATION_FAILED")
    assert await stored_balance(arena, arena.seller.id) == -50_000


async def test_the_key_of_one_cancel_does_not_cancel_another_ticket(api: RunningApi, arena: Arena) -> None:
    pos, key, sale_key = Pos(api, arena.seller), new_key(), new_key()
    first, second = await sell(pos, ticket(arena), key=sale_key), await sell(pos, ticket(arena))
    assert (await cancel(pos, first["id"], key=key)).status == 200
    before = await read_books(arena.owner)
    for answer in (
        await cancel(pos, second["id"], key=key),
        await cancel_key(pos, sale_key, key=key),
        await pos.post(SALE, ticket(arena), key=key),
        await cancel(pos, second["id"], key=sale_key),
    ):
        assert (answer.status, answer.code) == (422, "IDEMPOTENCY_PAYLOAD_MISMATCH")
    assert await read_books(arena.owner) == before


@pytest.mark.parametrize("ticket_id", ["x", "0", "%00", "00000000-0000-0000-0000-00000000000g"])
async def test_what_is_no_id_names_no_ticket(api: RunningApi, arena: Arena, ticket_id: str) -> None:
    answer = await cancel(Pos(api, arena.seller), ticket_id)
    assert (answer.status, answer.code) == (400, "VALIDATION_FAILED")


async def test_a_cancel_prices_nothing_so_todays_rules_do_not_matter(api: RunningApi, arena: Arena) -> None:
    pos = Pos(api, arena.seller)
    sold = await sell(pos, ticket(arena))
    await arena.owner.execute("UPDATE loterias SET is_active = false")
    await arena.owner.execute("UPDATE bancas SET global_max_per_number_cents = 0")
    assert (await cancel(pos, sold["id"])).status == 200
