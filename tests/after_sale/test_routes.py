"""Paying and restoring over HTTP: the answers, their replays, what is read afterwards, and bad input."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

from tests.after_sale.desk import draw
from tests.api.selling import REPLAYED, SALE, Contract, jugada, require_no_insides, sell, ticket
from tests.arena import Arena
from tests.evaluating import Evaluator, request_revert
from tests.pos import Pos, new_key
from tests.running_api import Answer, RunningApi
from tests.till.state import everything, findings

TICKET = "/api/v1/tickets/{id}"


async def ask(pos: Pos, ticket_id: object, action: str, body: Any, *, key: str | None = None) -> Answer:
    return await pos.post(f"{SALE}/{ticket_id}/{action}", body, key=key or new_key())


async def pay(pos: Pos, ticket_id: object, amount: Any, *, key: str | None = None, **others: Any) -> Answer:
    return await ask(pos, ticket_id, "pay", {"amountPaid": amount, "method": "cash", **others}, key=key)


async def test_a_winner_is_read_as_it_is_paid(
    api: RunningApi, arena: Arena, evaluator: Evaluator, contract: Contract
) -> None:
    pos, extra = Pos(api, arena.seller), await arena.add_multiplier("Roja", 20_000, kind="REVENTADO")
    sold = await sell(
        pos, ticket(arena, jugada("07", "500.00"), jugada("07", "1.00", "REVENTADO"), jugada("08", "1.00"))
    )
    loser = await sell(pos, ticket(arena, jugada("08", "1.00")))
    await draw(arena, evaluator, "07", extra=extra)

    async def reading() -> dict[str, Any]:
        document: dict[str, Any] = contract.require(await pos.get(f"{SALE}/{sold['id']}"), "GET", TICKET)
        return document

    read = await reading()
    assert read | {"status": "ACTIVE", "jugadas": sold["jugadas"]} == read | sold
    assert (read["status"], read["isWinner"], read["paymentHistory"]) == ("EVALUATED", True, [])
    assert [(line["isWinner"], line["payout"], line["finalMultiplierX"]) for line in read["jugadas"]] == [
        (True, "45000.00", "90.00"), (True, "200.00", "200.00"), (False, "0.00", "90.00"),
    ]  # fmt: skip
    figures = ("totalPayout", "totalPaid", "remainingAmount", "waivedAmount")
    assert [read[name] for name in figures] == ["45200.00", "0.00", "45200.00", "0.00"]

    answer = await pay(pos, sold["id"], "20000.00", notes=" Ana ")
    paid = contract.require(answer, "POST", f"{TICKET}/pay")
    assert (paid["status"], paid["isPartial"], paid["remainingAmount"]) == ("EVALUATED", True, "25200.00")
    assert paid["ticketNumber"] == sold["ticketNumber"]
    assert (paid["payment"]["notes"], paid["payment"]["isReversed"]) == ("Ana", False)
    read = await reading()
    assert [read[name] for name in figures] == ["45200.00", "20000.00", "25200.00", "0.00"]
    assert (read["paidById"], read["paymentMethod"], read["paymentNotes"]) == (str(arena.seller.id), "cash", "Ana")
    assert read["lastPaymentAt"] == paid["payment"]["paidAt"]
    assert read["paymentHistory"] == [paid["payment"]]

    closed = await ask(pos, sold["id"], "finalize-payment", {"notes": "no more"})
    document = contract.require(closed, "POST", f"{TICKET}/finalize-payment")
    assert (document["status"], document["waivedAmount"], document["remainingAmount"]) == ("PAID", "25200.00", "0.00")
    assert (await reading())["status"] == "PAID"
    for status, found in (("PAID", [sold]), ("EVALUATED", [loser]), ("ACTIVE", []), ("EXCLUDED", [])):
        page = contract.require(await pos.get(f"{SALE}?status={status}"), "GET", SALE)
        assert [one["id"] for one in page["data"]] == [one["id"] for one in found], status

    reversed_ = await ask(pos, sold["id"], "reverse-payment", {"reason": "typed wrong"})
    document = contract.require(reversed_, "POST", f"{TICKET}/reverse-payment")
    assert (document["payment"]["isReversed"], document["payment"]["reversedReason"]) == (True, "typed wrong")
    read = await reading()
    assert (read["status"], read["totalPaid"], read["paidById"]) == ("EVALUATED", "0.00", None)
    assert [payment["isReversed"] for payment in read["paymentHistory"]] == [True]
    # The sale's own answer knows nothing of all this.
    assert await findings(arena.owner, arena.banca_id) == []


async def test_replays_have_the_same_bytes(api: RunningApi, arena: Arena, evaluator: Evaluator) -> None:
    pos, sale_key, document = Pos(api, arena.seller), new_key(), ticket(arena)
    sale = await pos.post(SALE, document, key=sale_key)
    ticket_id = sale.json()["id"]
    await pos.post(f"{SALE}/{ticket_id}/cancel", b"", key=new_key())
    asked: list[tuple[str, Any]] = [("restore", b"")]
    paying: list[tuple[str, Any]] = [
        ("pay", {"amountPaid": 100, "method": "check", "notes": "ñ", "isFinal": True}),
        ("reverse-payment", {}),
        ("pay", {"amountPaid": "45000.01", "method": "cash"}),
        ("pay", {"amountPaid": "44999.99", "method": "cash"}),
        ("finalize-payment", {"notes": ""}),
        ("pay", {"amountPaid": "0.02", "method": "cash"}),
    ]
    answers = []
    for action, body in asked:
        answers.append((action, body, key := new_key(), await ask(pos, ticket_id, action, body, key=key)))
    await draw(arena, evaluator, "07")
    for action, body in paying:
        answers.append((action, body, key := new_key(), await ask(pos, ticket_id, action, body, key=key)))
    assert [answer.status for *_, answer in answers] == [200, 200, 200, 400, 200, 200, 409]
    assert await request_revert(arena, force=True) == "REQUESTED"
    await evaluator.finish()
    await arena.owner.execute("SET TIME ZONE 'Asia/Tokyo'")
    for action, body, key, first in answers:
        again = await ask(pos, ticket_id, action, body, key=key)
        assert (again.status, again.body) == (first.status, first.body)
        assert (REPLAYED in first.headers, again.headers[REPLAYED]) == (False, "true")
    again = await pos.post(SALE, document, key=sale_key)
    assert again.body == sale.body
    # 100 and "100.00" are one amount.
    action, body, key, first = answers[1]
    again = await ask(pos, ticket_id, action, {**body, "amountPaid": "100.00"}, key=key)
    assert again.body == first.body


async def test_bad_payments_are_refused_and_change_nothing(api: RunningApi, arena: Arena, evaluator: Evaluator) -> None:
    pos = Pos(api, arena.seller)
    sold = await sell(pos, ticket(arena))
    await draw(arena, evaluator, "07")
    before = await everything(arena.owner)
    target = f"{SALE}/{sold['id']}/pay"
    good = {"amountPaid": "1.00", "method": "cash"}
    bad: list[dict[str, Any]] = [
        {}, {"amountPaid": "1.00"}, {"method": "cash"}, {**good, "method": "gold"}, {**good, "more": 1},
        {**good, "amountPaid": 0}, {**good, "amountPaid": "-1.00"}, {**good, "amountPaid": "1.001"},
        {**good, "amountPaid": "99999999999999999999"}, {**good, "amountPaid": True}, {**good, "notes": "x" * 501},
        {**good, "isFinal": "perhaps"}, {**good, "notes": "\x00"},
    ]  # fmt: skip
    for body in bad:
        answer = await pos.post(target, body, key=new_key())
        assert answer.status == 400, body
        require_no_insides(answer)
    assert (await pos.post(target, good)).code == "IDEMPOTENCY_KEY_REQUIRED"
    unsigned = {"Authorization": f"Bearer {arena.seller.token}", "Content-Type": "application/json",
                "Idempotency-Key": new_key()}  # fmt: skip
    answer = await api.send("POST", target, body=json.dumps(good).encode(), headers=unsigned)
    assert (answer.status, answer.code) == (401, "SIGNATURE_REQUIRED")
    assert (await pos.post(target, good, key=new_key(), secret="f" * 64)).code == "SIGNATURE_INVALID"
    colleague = Pos(api, arena.sellers[1])
    for unknown in (uuid4(), UUID(int=0)):
        assert (await pay(pos, unknown, 1)).code == "TICKET_NOT_FOUND"
    assert (await pay(colleague, sold["id"], 1)).code == "TICKET_NOT_FOUND"
    assert (await pay(pos, "nonsense", 1)).code == "VALIDATION_FAILED"
    assert (await ask(pos, sold["id"], "reverse-payment", {"reason": "no"})).code == "VALIDATION_FAILED"
    assert await everything(arena.owner) == before


async def test_a_restored_ticket_is_answered_and_read_as_it_was_sold(
    api: RunningApi, arena: Arena, contract: Contract
) -> None:
    pos = Pos(api, arena.seller)
    sold = await sell(pos, ticket(arena))
    await pos.post(f"{SALE}/{sold['id']}/cancel", b"", key=new_key())
    answer = await ask(pos, sold["id"], "restore", b"")
    assert contract.require(answer, "POST", f"{TICKET}/restore") == sold
    read = contract.require(await pos.get(f"{SALE}/{sold['id']}"), "GET", TICKET)
    assert read == sold | {"restoredAt": read["restoredAt"]}
    again = await ask(pos, sold["id"], "restore", b"")
    assert (again.status, again.code) == (409, "TICKET_NOT_CANCELLED")
