"""What is wrong before a ticket is looked at: the JSON, its size, the headers, the key, the role."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.api.selling import (
    BATCH,
    CANCEL,
    SALE,
    Shop,
    open_shop,
    read_books,
    require_no_insides,
    ticket,
)
from tests.pos import new_key
from tests.running_api import Answer

ROUTES = (SALE, BATCH, CANCEL)
NOT_JSON = {
    "nothing": b"",
    "half an object": b'{"sorteoId": "',
    "more than one": b"{}{}",
    "a comment": b'{/* "a": 1 */}',
    "single quotes": b"{'sorteoId': 1}",
    "a comma too many": b'{"sorteoId": 1,}',
    "NaN": b'{"sorteoId": NaN}',
    "no UTF-8": b'{"sorteoId": "\xff"}',
    "UTF-16": "{}".encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "half a surrogate pair": b'{"clienteNombre": "\\ud800 "}',
    "a raw control character": b'{"clienteNombre": "\n"}',
    "a number without end": b'{"sorteoId": ' + b"9" * 5_000 + b"}",
    "form fields": b"sorteoId=1&amount=5",
}
UNFIT_JSON = {
    "a list": (b"[]", "JSON_NOT_AN_OBJECT"),
    "null": (b"null", "JSON_NOT_AN_OBJECT"),
    "a text": (b'"{}"', "JSON_NOT_AN_OBJECT"),
    "17 levels": (b'{"a":' * 17 + b"1" + b"}" * 17, "JSON_TOO_DEEP"),
    "deep lists": (b'{"a":' + b"[" * 90_000, "JSON_TOO_DEEP"),
    "deep objects": (b'{"a":' * 39_000, "JSON_TOO_DEEP"),
    "a member twice": (b'{"sorteoId": "a", "jugadas": [], "sorteoId": "b"}', "JSON_DUPLICATE_KEY"),
    "a jugada's member twice": (b'{"jugadas": [{"amount": "1", "\\u0061mount": "9"}]}', "JSON_DUPLICATE_KEY"),
    "NUL": (b'{"clienteNombre": "a\\u0000b"}', "TEXT_INVALID"),
}
KEYS = {
    "7 characters": ("a" * 7, "IDEMPOTENCY_KEY_INVALID"),
    "101 characters": ("a" * 101, "IDEMPOTENCY_KEY_INVALID"),
    "a blank": ("key with blank", "IDEMPOTENCY_KEY_INVALID"),
    "a tab": ("key\twith-tab", "IDEMPOTENCY_KEY_INVALID"),
    "an accent": ("clave-única-1", "IDEMPOTENCY_KEY_INVALID"),
    "none": (None, "IDEMPOTENCY_KEY_REQUIRED"),
}


@pytest.fixture(scope="module")
async def shop(server_url: str, template_database: str) -> AsyncIterator[Shop]:
    async with open_shop(server_url, template_database) as opened:
        yield opened


async def require_refused(shop: Shop, answer: Answer, path: str, status: int, code: str) -> None:
    """Nothing may be there: every test of this file leaves the books empty."""
    problem = shop.contract.require(answer, "POST", path)
    assert (answer.status, problem["code"]) == (status, code), problem
    require_no_insides(answer)
    books = await read_books(shop.arena.owner)
    assert (books.tickets, books.transfers, books.answers, books.events, books.balances) == (0, 0, 0, 0, 0)


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON)
async def test_what_is_not_json_is_refused(shop: Shop, path: str, body: bytes) -> None:
    await require_refused(shop, await shop.pos.post(path, body, key=new_key()), path, 400, "JSON_MALFORMED")


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(("body", "code"), UNFIT_JSON.values(), ids=UNFIT_JSON)
async def test_json_that_could_be_read_in_two_ways_is_refused(shop: Shop, path: str, body: bytes, code: str) -> None:
    await require_refused(shop, await shop.pos.post(path, body, key=new_key()), path, 400, code)


@pytest.mark.parametrize("path", [SALE, CANCEL])
@pytest.mark.parametrize(("key", "code"), KEYS.values(), ids=KEYS)
async def test_a_key_is_required_in_form(shop: Shop, path: str, key: str | None, code: str) -> None:
    document = ticket(shop.arena) if path == SALE else {"saleKey": new_key()}
    await require_refused(shop, await shop.pos.post(path, document, key=key), path, 400, code)


async def test_a_cancel_by_id_requires_a_key_in_form(shop: Shop) -> None:
    for key, code in KEYS.values():
        answer = await shop.pos.post(f"{SALE}/{shop.arena.sorteo_id}/cancel", b"", key=key)
        await require_refused(shop, answer, SALE + "/{id}/cancel", 400, code)


@pytest.mark.parametrize("key", [None, 7, 7.5, True, [], {}, "", "a" * 7, "a" * 101, "key with blank", "clave-única-1"])
async def test_a_sale_key_to_cancel_by_is_required_in_form(shop: Shop, key: Any) -> None:
    for document in ({"saleKey": key}, {}, {"saleKey": new_key(), "amount": "1.00"}):
        await require_refused(
            shop, await shop.pos.post(CANCEL, document, key=new_key()), CANCEL, 400, "VALIDATION_FAILED"
        )


async def test_a_cancel_has_a_key_of_its_own(shop: Shop) -> None:
    key = new_key()
    answer = await shop.pos.post(CANCEL, {"saleKey": key}, key=key)
    await require_refused(shop, answer, CANCEL, 400, "VALIDATION_FAILED")


DECIDING_HEADERS = (
    "Authorization", "Content-Type", "Idempotency-Key", "X-Terminal", "X-Timestamp", "X-Signature",
)  # fmt: skip


@pytest.mark.parametrize("name", DECIDING_HEADERS)
@pytest.mark.parametrize("spelled", [str, str.lower, str.upper], ids=["same", "lower", "upper"])
async def test_a_header_that_decides_may_come_once(shop: Shop, name: str, spelled: Callable[[str], str]) -> None:
    body = json.dumps(ticket(shop.arena)).encode()
    headers = shop.pos.signed_headers("POST", SALE, body, key=new_key())
    status, problem = await send_lines(shop, [*headers.items(), (spelled(name), headers[name])], body)
    assert (status, problem["code"]) == (400, "DUPLICATE_HEADER")
    assert (await read_books(shop.arena.owner)).tickets == 0


async def send_lines(shop: Shop, headers: list[tuple[str, str]], body: bytes) -> tuple[int, dict[str, Any]]:
    """A sale as it is written on the wire: HTTP clients fold names that differ in case only."""
    host, port = shop.api.url.removeprefix("http://").split(":")
    lines = [f"{name}: {value}" for name, value in (("Host", host), ("Content-Length", str(len(body))), *headers)]
    reader, writer = await asyncio.open_connection(host, port)
    writer.write("\r\n".join([f"POST {SALE} HTTP/1.1", "Connection: close", *lines, "", ""]).encode() + body)
    head, _, document = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), json.loads(document)


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1"]
)
async def test_a_ticket_is_json_and_nothing_else(shop: Shop, kind: str) -> None:
    body = json.dumps(ticket(shop.arena)).encode()
    headers = shop.pos.signed_headers("POST", SALE, body, key=new_key()) | {"Content-Type": kind}
    answer = await shop.api.send("POST", SALE, body=body, headers=headers)
    await require_refused(shop, answer, SALE, 415, "UNSUPPORTED_MEDIA_TYPE")


LIMITS = {SALE: 200_000, CANCEL: 200_000, BATCH: 2_000_000}


# The test's own client says that a body of two megabytes is large.
@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
@pytest.mark.parametrize(("path", "bytes_max"), LIMITS.items())
async def test_a_body_has_its_routes_limit(shop: Shop, path: str, bytes_max: int) -> None:
    document: dict[str, Any] = {"jugadas": []} if path != CANCEL else {"saleKey": ""}
    body = json.dumps(document).encode()
    fits = await shop.pos.post(path, body.ljust(bytes_max), key=new_key())
    await require_refused(shop, fits, path, 400, "VALIDATION_FAILED")
    over = await shop.pos.post(path, body.ljust(bytes_max + 1), key=new_key())
    await require_refused(shop, over, path, 413, "BODY_TOO_LARGE")


async def test_a_body_that_does_not_tell_its_length_has_the_same_limit(shop: Shop) -> None:
    body = json.dumps(ticket(shop.arena)).encode().ljust(200_001)
    headers = shop.pos.signed_headers("POST", SALE, body, key=new_key())

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 50_000):
            yield body[start : start + 50_000]

    answer = await shop.api.send("POST", SALE, body=chunks(), headers=headers)
    await require_refused(shop, answer, SALE, 413, "BODY_TOO_LARGE")
