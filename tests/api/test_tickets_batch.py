from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import UUID

from core.settings import Settings
from tests.api.selling import BATCH, SALE, batch, jugada, read_books, sell, ticket
from tests.arena import Arena
from tests.pos import Pos, new_key
from tests.running_api import Answer, RunningApi


def results_of(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 200, answer.body
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


async def test_results_stand_in_the_order_of_their_tickets(api: RunningApi, arena: Arena) -> None:
    second = str(await arena.add_sorteo(minutes=1_500))
    tickets = [
        ticket(arena, jugada(f"{place:02d}")) | ({"sorteoId": second} if place % 2 else {}) for place in range(20)
    ]
    document = batch(*tickets)
    results = results_of(await Pos(api, arena.seller).post(BATCH, document))
    assert [result["idempotencyKey"] for result in results] == [sent["idempotencyKey"] for sent in document["tickets"]]
    assert [result["ticket"]["jugadas"][0]["number"] for result in results] == [f"{place:02d}" for place in range(20)]
    assert {(result["status"], result["replayed"]) for result in results} == {(201, False)}
    for offset in (0, 1):
        numbers = [result["ticket"]["ticketNumber"] for result in results[offset::2]]
        assert numbers == sorted(numbers)


async def test_each_ticket_has_its_own_answer(api: RunningApi, arena: Arena) -> None:
    """Everything that may become of a ticket, in one batch; what is sold among it is sold."""
    await arena.owner.execute("UPDATE bancas SET global_max_per_number_cents = 80000")
    pos, known = Pos(api, arena.seller), new_key()
    await sell(pos, ticket(arena, jugada("01")), key=known)
    closed = ticket(arena) | {"sorteoId": str(await arena.add_sorteo(minutes=1_500, status="CLOSED"))}
    expected: list[tuple[Any, int, str | None, bool]] = [
        (ticket(arena, jugada("02", "800.00")), 201, None, False),
        (ticket(arena, jugada("02", "0.01")), 409, "NUMBER_MAXTOTAL_EXCEEDED", False),
        (ticket(arena, jugada("01"), idempotencyKey=known), 201, None, True),
        (ticket(arena, jugada("03"), idempotencyKey=known), 422, "IDEMPOTENCY_PAYLOAD_MISMATCH", False),
        (closed, 409, "SORTEO_CLOSED", False),
        (ticket(arena, jugada("3")), 400, "NUMBER_WIDTH_INVALID", False),
        (ticket(arena, jugada("03", "1e3")), 400, "VALIDATION_FAILED", False),
        (ticket(arena, vendedorId=str(arena.sellers[1].id)), 403, "SELLER_NOT_OWN", False),
        (ticket(arena) | {"sorteoId": str(arena.banca_id)}, 404, "SORTEO_NOT_FOUND", False),
        (ticket(arena, jugada("04")), 201, None, False),
    ]
    results = results_of(await pos.post(BATCH, batch(*(sent for sent, *_ in expected))))
    answers = [(result["status"], result.get("problem", {}).get("code"), result["replayed"]) for result in results]
    assert answers == [tuple(answer) for _, *answer in expected]
    assert (await read_books(arena.owner)).tickets == 3
    for result in results:
        assert ("ticket" in result) == (result["status"] == 201) == ("problem" not in result)
        if "problem" in result:
            assert result["problem"]["status"] == result["status"]


async def test_what_is_no_ticket_spoils_no_other(api: RunningApi, arena: Arena) -> None:
    no_tickets: list[Any] = [None, [], "ticket", 7, True]
    document = batch(ticket(arena))
    document["tickets"] += no_tickets
    sold, *unread = results_of(await Pos(api, arena.seller).post(BATCH, document))
    assert sold["status"] == 201
    assert {(result["status"], result["idempotencyKey"]) for result in unread} == {(400, None)}
    assert {result["problem"]["code"] for result in unread} == {"IDEMPOTENCY_KEY_REQUIRED"}


KEYS: list[tuple[Any, str]] = [
    (None, "IDEMPOTENCY_KEY_REQUIRED"), (7, "IDEMPOTENCY_KEY_REQUIRED"), (7.5, "IDEMPOTENCY_KEY_REQUIRED"), (12345678.5, "IDEMPOTENCY_KEY_REQUIRED"),
    ([], "IDEMPOTENCY_KEY_REQUIRED"), ("", "IDEMPOTENCY_KEY_INVALID"), ("a" * 7, "IDEMPOTENCY_KEY_INVALID"),
    ("a" * 101, "IDEMPOTENCY_KEY_INVALID"), ("key with blank", "IDEMPOTENCY_KEY_INVALID"),
    (" key-of-blank", "IDEMPOTENCY_KEY_INVALID"), ("key-of-line\n", "IDEMPOTENCY_KEY_INVALID"),
    ("clave-única-1", "IDEMPOTENCY_KEY_INVALID"), ("key-del-\x7f", "IDEMPOTENCY_KEY_INVALID"),
]  # fmt: skip


async def test_each_ticket_has_a_key_in_form(api: RunningApi, arena: Arena) -> None:
    document = batch(*(ticket(arena, idempotencyKey=key) for key, _ in KEYS))
    document["tickets"].append(ticket(arena))
    results = results_of(await Pos(api, arena.seller).post(BATCH, document))
    assert [result["problem"]["code"] for result in results] == [code for _, code in KEYS] + [
        "IDEMPOTENCY_KEY_REQUIRED"
    ]
    assert (await read_books(arena.owner)).answers == 0


async def test_a_key_is_any_visible_text(api: RunningApi, arena: Arena) -> None:
    pos = Pos(api, arena.seller)
    for key in ("a" * 8, "a" * 100, "!~|/\\\"'{}$%"):
        [first] = results_of(await pos.post(BATCH, batch(ticket(arena, idempotencyKey=key))))
        assert (first["status"], first["idempotencyKey"]) == (201, key)
        assert (await pos.post(SALE, ticket(arena), key=key)).json() == first["ticket"]


async def test_a_key_twice_with_the_same_ticket_sells_it_once(api: RunningApi, arena: Arena) -> None:
    key = new_key()
    twins = batch(*[ticket(arena, idempotencyKey=key)] * 3, ticket(arena))
    *same, other = results_of(await Pos(api, arena.seller).post(BATCH, twins))
    assert [result["replayed"] for result in same] == [False, True, True]
    assert len({json.dumps(result["ticket"]) for result in same}) == 1
    assert other["ticket"]["id"] != same[0]["ticket"]["id"]
    assert (await read_books(arena.owner)).tickets == 2


async def test_a_key_twice_with_other_tickets_sells_the_first(api: RunningApi, arena: Arena) -> None:
    key = new_key()
    sent = [ticket(arena, jugada(number), idempotencyKey=key) for number in ("01", "02", "01")]
    first, other, again = results_of(await Pos(api, arena.seller).post(BATCH, batch(*sent)))
    assert (first["status"], other["status"], again["status"]) == (201, 422, 201)
    assert (other["problem"]["code"], again["ticket"]) == ("IDEMPOTENCY_PAYLOAD_MISMATCH", first["ticket"])
    assert (await read_books(arena.owner)).tickets == 1


async def test_five_hundred_are_sold_and_one_more_is_too_many(api: RunningApi, arena: Arena) -> None:
    pos, tickets = Pos(api, arena.seller), [ticket(arena)] * 501
    refused = await pos.post(BATCH, batch(*tickets))
    assert (refused.status, refused.code) == (400, "VALIDATION_FAILED")
    assert refused.json()["violations"] == [
        {"code": "FIELD_LENGTH_INVALID", "message": "A batch has 1 to 500 tickets.", "field": "tickets"}
    ]
    results = results_of(await pos.post(BATCH, batch(*tickets[:500])))
    assert {result["status"] for result in results} == {201}
    numbers = [result["ticket"]["ticketNumber"] for result in results]
    assert numbers == sorted(numbers)
    assert (await read_books(arena.owner)).last_sequences == 500


async def test_a_batch_has_a_form_of_its_own(api: RunningApi, arena: Arena) -> None:
    pos, before = Pos(api, arena.seller), await read_books(arena.owner)
    good = batch(ticket(arena))
    table: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
        ({}, [("FIELD_REQUIRED", "tickets")]),
        ({"tickets": None}, [("FIELD_REQUIRED", "tickets")]),
        ({"tickets": {}}, [("FIELD_REQUIRED", "tickets")]),
        ({"tickets": []}, [("FIELD_LENGTH_INVALID", "tickets")]),
        ({**good, "vendedorId": str(arena.seller.id)}, [("FIELD_UNKNOWN", "vendedorId")]),
        ({"ticket": []}, [("FIELD_UNKNOWN", "ticket"), ("FIELD_REQUIRED", "tickets")]),
    ]
    for document, violations in table:
        answer = await pos.post(BATCH, document)
        assert (answer.status, answer.code) == (400, "VALIDATION_FAILED")
        assert [(found["code"], found["field"]) for found in answer.json()["violations"]] == violations
    assert await read_books(arena.owner) == before


async def test_a_single_ticket_takes_its_key_from_the_header_only(api: RunningApi, arena: Arena) -> None:
    answer = await Pos(api, arena.seller).post(SALE, ticket(arena, idempotencyKey=new_key()), key=new_key())
    assert [(found["code"], found["field"]) for found in answer.json()["violations"]] == [
        ("FIELD_UNKNOWN", "idempotencyKey")
    ]


async def test_a_cap_is_shared_by_the_tickets_of_a_batch_in_their_order(api: RunningApi, arena: Arena) -> None:
    await arena.owner.execute("UPDATE bancas SET global_max_per_number_cents = 100000")
    amounts = ("600.00", "500.00", "400.00", "0.01", "0.01")
    results = results_of(
        await Pos(api, arena.seller).post(BATCH, batch(*(ticket(arena, jugada("07", amount)) for amount in amounts)))
    )
    assert [result["status"] for result in results] == [201, 409, 201, 409, 409]
    [violation] = results[1]["problem"]["violations"]
    assert {name: violation[name] for name in ("number", "scope", "amount", "limit", "available")} == {
        "number": "07", "scope": "BANCA", "amount": "500.00", "limit": "1000.00", "available": "400.00",
    }  # fmt: skip


async def test_a_prepaid_seller_sells_as_far_as_the_money_goes(api: RunningApi, arena: Arena) -> None:
    seller = await arena.add_seller(credit_limit_cents=0)
    await arena.owner.execute("UPDATE accounts SET balance_cents = 100000 WHERE id = $1", seller.id)
    amounts = ("600.00", "500.00", "400.00", "0.01")
    results = results_of(
        await Pos(api, seller).post(BATCH, batch(*(ticket(arena, jugada("07", amount)) for amount in amounts)))
    )
    assert [result["status"] for result in results] == [201, 409, 201, 409]
    assert [results[place]["problem"]["violations"][0]["available"] for place in (1, 3)] == ["400.00", "0.00"]


async def test_simultaneous_batches_share_no_ticket(arena: Arena, settings: Settings) -> None:
    """The same keys in other orders, to two processes at once."""
    tickets = batch(*(ticket(arena, jugada(f"{place:02d}", "1.00")) for place in range(40)))["tickets"]
    async with RunningApi(settings) as one, RunningApi(settings) as other:
        answers = await asyncio.gather(
            *(
                Pos(api, arena.seller).post(BATCH, {"tickets": tickets[start:] + tickets[:start]})
                for start, api in enumerate((one, other, one, other, one, other))
            )
        )
    by_key: dict[str, set[UUID]] = {}
    for answer in answers:
        for result in results_of(answer):
            assert result["status"] == 201
            by_key.setdefault(result["idempotencyKey"], set()).add(result["ticket"]["id"])
    assert [len(ids) for ids in by_key.values()] == [1] * 40
    assert (await read_books(arena.owner)).tickets == 40
