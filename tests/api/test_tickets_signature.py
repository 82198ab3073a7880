"""Attacks on the signature of real ticket routes (§1.10, 8–10, and variants): none moves money."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import uuid4

import pytest

from tests.api.selling import (
    BATCH,
    CANCEL,
    REPLAYED,
    SALE,
    Books,
    Shop,
    batch,
    jugada,
    open_shop,
    read_books,
    require_no_insides,
    sell,
    ticket,
)
from tests.pos import new_key
from tests.running_api import Answer

INVALID = "SIGNATURE_INVALID"


@pytest.fixture(scope="module")
async def shop(server_url: str, template_database: str) -> AsyncIterator[Shop]:
    async with open_shop(server_url, template_database) as opened:
        yield opened


async def require_refused(shop: Shop, answer: Answer, before: Books, code: str = INVALID, status: int = 401) -> None:
    assert (answer.status, answer.code) == (status, code), answer.body
    require_no_insides(answer)
    assert await read_books(shop.arena.owner) == before


def sale_body(shop: Shop, amount: str = "500.00") -> bytes:
    return json.dumps(ticket(shop.arena, jugada("07", amount))).encode()


async def test_the_same_request_with_its_own_signature_passes(shop: Shop) -> None:
    """So that every refusal below is the attack's doing."""
    await sell(shop.pos, sale_body(shop))


@pytest.mark.parametrize("place", [0, 20, 60, -2, -1])
async def test_a_body_that_differs_in_one_byte_is_refused(shop: Shop, place: int) -> None:
    before, body = await read_books(shop.arena.owner), bytearray(sale_body(shop))
    headers = shop.pos.signed_headers("POST", SALE, bytes(body), key=new_key())
    body[place] ^= 1
    await require_refused(shop, await shop.api.send("POST", SALE, body=bytes(body), headers=headers), before)


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda body: json.dumps(json.loads(body), separators=(",", ":")).encode(),
        lambda body: json.dumps(json.loads(body), sort_keys=True, indent=1).encode(),
        lambda body: body.replace(b'"500.00"', b'"5\\u00300.00"'),
        lambda body: body.replace(b'"500.00"', b"500.00"),
        lambda body: body + b" ",
        lambda _: b"",
    ],
    ids=["smaller", "sorted", "escaped", "as a number", "a blank more", "dropped"],
)
async def test_a_body_that_means_the_same_is_another_body(shop: Shop, rewrite: Any) -> None:
    before, body = await read_books(shop.arena.owner), sale_body(shop)
    headers = shop.pos.signed_headers("POST", SALE, body, key=new_key())
    assert rewrite(body) != body
    await require_refused(shop, await shop.api.send("POST", SALE, body=rewrite(body), headers=headers), before)


async def test_bytes_are_signed_however_they_are_written(shop: Shop) -> None:
    for body in (b" \n" + sale_body(shop) + b"\t", sale_body(shop).replace(b'"07"', b'"\\u00307"')):
        await sell(shop.pos, body)


async def test_a_signed_request_is_good_for_its_own_address_only(shop: Shop) -> None:
    sold = await sell(shop.pos, sale_body(shop), key=(sale_key := new_key()))
    other = await sell(shop.pos, sale_body(shop))
    cancel = f"{SALE}/{sold['id']}/cancel"
    moves: list[tuple[str, str, bytes]] = [
        # A sale where its body would do harm elsewhere, and the other way round.
        (SALE, BATCH, sale_body(shop)),
        (BATCH, SALE, sale_body(shop)),
        (SALE, cancel, sale_body(shop)),
        (CANCEL, cancel, json.dumps({"saleKey": sale_key}).encode()),
        (cancel, f"{SALE}/{other['id']}/cancel", b""),
        (cancel, cancel.replace(sold["id"], sold["id"].upper()), b""),
        (SALE, f"{SALE}?a=1", sale_body(shop)),
        (f"{SALE}?a=1", SALE, sale_body(shop)),
        (f"{SALE}?a=1", f"{SALE}?a=2", sale_body(shop)),
        (SALE, SALE.replace("tickets", "%74ickets"), sale_body(shop)),
    ]
    before = await read_books(shop.arena.owner)
    for signed, sent, body in moves:
        headers = shop.pos.signed_headers("POST", signed, body, key=new_key())
        await require_refused(shop, await shop.api.send("POST", sent, body=body, headers=headers), before)


PARTS: Mapping[str, Mapping[str, Any]] = {
    "method": {"method": "PUT"},
    "method in small letters": {"method": "post"},
    "target": {"target": "/api/v1/tickets/"},
    "target with its host": {"target": f"http://127.0.0.1{SALE}"},
    "key": {"idempotency_key": "another-key-1"},
    "no key": {"idempotency_key": None},
    "terminal": {"terminal": str(uuid4())},
    "timestamp": {"timestamp": "1700000000"},
    "body": {"body": b"{}"},
    "no body": {"body": b""},
}


@pytest.mark.parametrize("signs", PARTS.values(), ids=PARTS)
@pytest.mark.parametrize("path", [SALE, BATCH, CANCEL])
async def test_every_part_is_covered(shop: Shop, path: str, signs: Mapping[str, Any]) -> None:
    documents = {SALE: ticket(shop.arena), BATCH: batch(ticket(shop.arena)), CANCEL: {"saleKey": new_key()}}
    before = await read_books(shop.arena.owner)
    answer = await shop.pos.post(path, documents[path], key=new_key(), signs=signs)
    await require_refused(shop, answer, before)


async def test_a_batchs_own_key_is_optional_and_covered_when_it_is_sent(shop: Shop) -> None:
    document, key = batch(ticket(shop.arena)), new_key()
    body = json.dumps(document).encode()
    unkeyed = shop.pos.signed_headers("POST", BATCH, body)
    before = await read_books(shop.arena.owner)
    added = await shop.api.send("POST", BATCH, body=body, headers={**unkeyed, "Idempotency-Key": key})
    await require_refused(shop, added, before)
    keyed = shop.pos.signed_headers("POST", BATCH, body, key=key)
    del keyed["Idempotency-Key"]
    await require_refused(shop, await shop.api.send("POST", BATCH, body=body, headers=keyed), before)
    for sent in (key, None):
        assert (await shop.pos.post(BATCH, document, key=sent)).status == 200
    recorded = await shop.arena.owner.fetchval("SELECT count(*) FROM idempotency WHERE key = $1", key)
    assert recorded == 0, "the request's own key is not recorded"


FORMS = {
    "upper case": lambda signature: "v1=" + signature[3:].upper(),
    "no version": lambda signature: signature[3:],
    "version 2": lambda signature: "v2=" + signature[3:],
    "the version in upper case": lambda signature: "V1=" + signature[3:],
    "one digit less": lambda signature: signature[:-1],
    "half of it": lambda signature: signature[:35],
    "one digit more": lambda signature: signature + "0",
    "blanks inside": lambda signature: "v1= " + signature[3:],
    "two of them": lambda signature: f"{signature},{signature}",
    "no hex": lambda _: "v1=" + "g" * 64,
    "empty": lambda _: "",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
async def test_a_signature_is_written_in_one_way(shop: Shop, form: Any) -> None:
    before, body = await read_books(shop.arena.owner), sale_body(shop)
    headers = shop.pos.signed_headers("POST", SALE, body, key=new_key())
    headers["X-Signature"] = form(headers["X-Signature"])
    answer = await shop.api.send("POST", SALE, body=body, headers=headers)
    await require_refused(shop, answer, before, "SIGNATURE_MALFORMED")


@pytest.mark.parametrize("missing", ["X-Terminal", "X-Timestamp", "X-Signature"])
async def test_an_unsigned_request_is_refused(shop: Shop, missing: str) -> None:
    before = await read_books(shop.arena.owner)
    for path in (SALE, BATCH, CANCEL, f"{SALE}/{uuid4()}/cancel"):
        headers = shop.pos.signed_headers("POST", path, b"", key=new_key())
        del headers[missing]
        answer = await shop.api.send("POST", path, body=b"", headers=headers)
        await require_refused(shop, answer, before, "SIGNATURE_REQUIRED")


@pytest.mark.parametrize(
    "timestamp",
    ["abc", "", "NaN", "Infinity", "-1", "-{now}", "+{now}", "{now}.0", "{now}.5", " {now} x", "0x{now}", "1e9",
     "{now}000000", "{now} {now}", "１７", "{now}\u00a0"],
)  # fmt: skip
async def test_a_timestamp_is_digits_and_nothing_else(shop: Shop, timestamp: str) -> None:
    before, text = await read_books(shop.arena.owner), timestamp.replace("{now}", str(int(time.time())))
    answer = await shop.pos.post(SALE, sale_body(shop), key=new_key(), timestamp=text)
    await require_refused(shop, answer, before, "TIMESTAMP_INVALID")


@pytest.mark.parametrize("off_s", [-301, 302, -3_600, 3_600, -1_000_000_000])
async def test_a_timestamp_301_seconds_off_is_refused_either_way(shop: Shop, off_s: int) -> None:
    before = await read_books(shop.arena.owner)
    answer = await shop.pos.post(SALE, sale_body(shop), key=new_key(), timestamp=str(int(time.time()) + off_s))
    await require_refused(shop, answer, before, "TIMESTAMP_OUT_OF_WINDOW")


async def test_milliseconds_are_far_in_the_future(shop: Shop) -> None:
    before = await read_books(shop.arena.owner)
    for text, code in ((f"{time.time_ns() // 10**6}", "TIMESTAMP_INVALID"), ("0", "TIMESTAMP_OUT_OF_WINDOW")):
        answer = await shop.pos.post(SALE, sale_body(shop), key=new_key(), timestamp=text)
        await require_refused(shop, answer, before, code)


@pytest.mark.parametrize("off_s", [-295, 295])
async def test_a_timestamp_inside_the_window_passes(shop: Shop, off_s: int) -> None:
    timestamp = str(int(time.time()) + off_s)
    assert (await shop.pos.post(SALE, sale_body(shop), key=new_key(), timestamp=timestamp)).status == 201


async def test_a_captured_request_can_only_be_answered_again(shop: Shop) -> None:
    """The whole request, byte for byte, inside the window: the same answer, and nothing moves."""
    body = sale_body(shop)
    headers = shop.pos.signed_headers("POST", SALE, body, key=new_key())
    first = await shop.api.send("POST", SALE, body=body, headers=headers)
    books = await read_books(shop.arena.owner)
    for _ in range(3):
        again = await shop.api.send("POST", SALE, body=body, headers=headers)
        assert (again.status, again.body, again.headers[REPLAYED]) == (201, first.body, "true")
    cancel = f"{SALE}/{first.json()['id']}/cancel"
    signed = shop.pos.signed_headers("POST", cancel, b"", key=new_key())
    answers = [await shop.api.send("POST", cancel, body=b"", headers=signed) for _ in range(3)]
    assert {(answer.status, answer.body) for answer in answers} == {(200, answers[0].body)}
    after = await read_books(shop.arena.owner)
    assert (after.tickets, after.transfers - books.transfers) == (books.tickets, 1)
