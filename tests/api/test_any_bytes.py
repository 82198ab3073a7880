"""No header, path or query ends in a 5xx, whatever its bytes: sent over a socket, past every client's checks."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import UTC, datetime
from itertools import cycle
from uuid import uuid4

import pytest

from api.operations import PATH_PARAMETER, PUBLIC, Operation
from api.routes import OPERATIONS
from core.domain.permissions import PERMISSIONS, Role
from core.settings import Settings
from tests.api.probes import said
from tests.arena import PASSWORD, Arena
from tests.pos import Pos, new_key
from tests.raw_http import RawClient, raw_request
from tests.running_api import RunningApi

SEEDS: tuple[bytes, ...] = (
    b"",
    b" ",
    b"\xff",
    b"\xff\xfe\xfd",
    b"\xe9",  # é in Latin-1
    b"\xc3\x28",  # a first byte without its second
    b"\xc0\xaf",  # an overlong slash
    b"\xed\xa0\x80",  # half of a surrogate pair
    b"\xf4\x90\x80\x80",  # past the last character
    b"\x00",
    b"\x01\x1b\x7f",
    b"%00",
    b"%ff",
    b"%c0%af",
    b"%ed%a0%80",
    b"%",
    b"%zz",
    "١٢٣".encode(),  # digits, but not ASCII's
    "\u202e\u200b\ufeff".encode(),
    "😀".encode(),
    b"'\"<>{}|\\^`;,=",
    b"-1",
    b"1e999",
    b"NaN",
    b"9" * 400,
    b"A" * 7_000,
    b"A" * 70_000,
    b"\t\x0b\x0c",
)
# What stands before the bytes, so that more of the code than its first check sees them.
HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"Authorization", b""),
    (b"Authorization", b"Bearer "),
    (b"Authorization", b"Bearer a.b."),
    (b"Idempotency-Key", b""),
    (b"Idempotency-Key", b"12345678"),
    (b"X-Terminal", b""),
    (b"X-Timestamp", b""),
    (b"X-Timestamp", b"1"),
    (b"X-Signature", b""),
    (b"X-Signature", b"v1="),
    (b"X-Active-Banca-Id", b""),
    (b"X-Request-Id", b""),
    (b"X-Forwarded-For", b""),
    (b"X-Forwarded-For", b"fe80::1%"),
    (b"X-Forwarded-For", b"10.0.0.1, "),
    (b"Forwarded", b"for="),
    (b"Content-Type", b""),
    (b"Content-Type", b"application/json; charset="),
    (b"Content-Encoding", b""),
    (b"Content-Length", b""),
    (b"Transfer-Encoding", b""),
    (b"Expect", b""),
    (b"If-None-Match", b""),
    (b"If-None-Match", b'W/"'),
    (b"If-Match", b""),
    (b"If-Modified-Since", b""),
    (b"Range", b"bytes="),
    (b"User-Agent", b""),
    (b"Host", b""),
    (b"Host", b"["),
    (b"Connection", b""),
    (b"Upgrade", b""),
    (b"Cookie", b"a="),
    (b"Origin", b""),
    (b"Access-Control-Request-Method", b""),
    (b"Accept", b""),
    (b"Accept-Encoding", b""),
    (b"Accept-Language", b""),
    (b"X-HTTP-Method-Override", b""),
)
# Asked with each header and each of the bytes; the other operations take the bytes in turn.
WHOLE = frozenset(
    (
        ("POST", "/api/v1/auth/login"),
        ("POST", "/api/v1/tickets"),
        ("GET", "/api/v1/accounts/statement"),
        ("GET", "/health/live"),
    )
)
CREDENTIALS = (b"authorization", b"idempotency-key", b"x-terminal", b"x-timestamp", b"x-signature")


@pytest.fixture
async def trusting_api(settings: Settings) -> AsyncIterator[RunningApi]:
    """One that believes X-Forwarded-For."""
    async with RunningApi(settings.model_copy(update={"trusted_proxies": "127.0.0.0/8"})) as running:
        yield running


class Intruder:
    """Sends requests of somebody who may do what the operation does, with bytes where the test wants them."""

    def __init__(self, api: RunningApi, arena: Arena, client: RawClient) -> None:
        self.api, self.arena, self.client = api, arena, client
        self.found: list[str] = []

    async def user_of(self, operation: Operation) -> Pos | None:
        """A new one for each operation: some of them end the session."""
        if operation.permission is PUBLIC:
            return None
        role = next(role for role in (Role.ADMIN, Role.BANCA, *Role) if role in PERMISSIONS[operation.permission])
        user = await self.arena.add_user(role)
        return Pos(self.api, user, await self.arena.add_terminal())

    async def send(
        self,
        operation: Operation,
        user: Pos | None,
        target: bytes,
        *others: tuple[bytes, bytes],
        body: bytes | None = None,
    ) -> None:
        if body is None:
            body = b"{}" if operation.body is not None else b""
        headers = [] if user is None else self._headers(operation, user, target, body)
        replaced = {name.lower() for name, _ in others}
        sent = [*((name, value) for name, value in headers if name.lower() not in replaced), *others]
        status = await self.client.status(raw_request(operation.method, target, sent, body))
        if status >= 500:
            told = ", ".join(f"{name.decode()}: {value[:40]!r}" for name, value in others)
            self.found.append(f"{status} {operation.method} {target[:120]!r} {told}")

    def _headers(self, operation: Operation, user: Pos, target: bytes, body: bytes) -> list[tuple[bytes, bytes]]:
        # As the server reads stray bytes, and signs them.
        text = target.decode("utf-8", "surrogateescape")
        headers = user.signed_headers(operation.method, text, body, key=new_key())
        if not operation.signed:
            headers = {name: headers[name] for name in ("Authorization", "Content-Type", "Idempotency-Key")}
        return [(name.encode(), value.encode()) for name, value in headers.items()]


@pytest.fixture
async def intruder(trusting_api: RunningApi, arena: Arena) -> AsyncIterator[Intruder]:
    async with RawClient(trusting_api.url) as client:
        yield Intruder(trusting_api, arena, client)


def address(operation: Operation) -> str:
    """With ids in it that name nothing."""
    return PATH_PARAMETER.sub(lambda found: example(found.group(1)), operation.path)


def example(parameter: str) -> str:
    return {"name": "settlement", "date": datetime.now(UTC).date().isoformat()}.get(parameter, str(uuid4()))


def addresses_with(operation: Operation, seed: bytes) -> Iterator[bytes]:
    """With the bytes in place of each part that varies, behind it, and at the end."""
    for parameter in PATH_PARAMETER.findall(operation.path):
        before, _, after = operation.path.partition(f"{{{parameter}}}")
        start, end = address_of(before), address_of(after)
        yield start + seed + end
        yield start + example(parameter).encode() + seed + end
    yield address(operation).encode() + seed
    yield address(operation).encode() + b"/" + seed


def address_of(part: str) -> bytes:
    return PATH_PARAMETER.sub(lambda found: example(found.group(1)), part).encode()


def queries_with(operation: Operation, seed: bytes) -> Iterable[bytes]:
    names = (
        [] if operation.query is None else [field.alias or name for name, field in operation.query.model_fields.items()]
    )
    yield seed
    yield seed + b"=" + seed
    for name in names:
        yield name.encode() + b"=" + seed


async def test_no_header_ends_in_a_5xx(intruder: Intruder) -> None:
    turn = cycle(SEEDS)
    for operation in OPERATIONS:
        user, target = await intruder.user_of(operation), address(operation).encode()
        for name, prefix in HEADERS:
            seeds = SEEDS if (operation.method, operation.path) in WHOLE else (next(turn),)
            for seed in seeds:
                await intruder.send(operation, user, target, (name, prefix + seed))
        # The turn goes on from another place, so that an operation and a header do not always meet the same bytes.
        next(turn)
    assert not intruder.found, "\n".join(intruder.found[:50])


async def test_no_header_ends_in_a_5xx_without_a_login(intruder: Intruder) -> None:
    for operation in OPERATIONS:
        if (operation.method, operation.path) in WHOLE:
            for name, prefix in HEADERS:
                for seed in SEEDS:
                    await intruder.send(operation, None, address(operation).encode(), (name, prefix + seed))
    assert not intruder.found, "\n".join(intruder.found[:50])


async def test_no_header_of_a_login_ends_in_a_5xx(intruder: Intruder) -> None:
    """Of one that gets as far as the database: its address and its User-Agent are written down."""
    login = next(operation for operation in OPERATIONS if operation.path == "/api/v1/auth/login")
    for password in (PASSWORD, "wrong"):
        body = json.dumps({"username": intruder.arena.seller.username, "password": password}).encode()
        for name, prefix in ((b"User-Agent", b""), *(each for each in HEADERS if each[0].startswith(b"X-"))):
            for seed in SEEDS:
                json_type = (b"Content-Type", b"application/json")
                await intruder.send(login, None, login.path.encode(), json_type, (name, prefix + seed), body=body)
    assert not intruder.found, "\n".join(intruder.found[:50])


@pytest.mark.parametrize(
    "header", ["[" * 2_900, '{"a":' * 580, '{"alg":["HS256"],"typ":{}}', '{"alg":"HS256","b64":false}']
)
async def test_no_header_of_a_token_ends_in_a_5xx(api: RunningApi, header: str) -> None:
    token = f"{base64.urlsafe_b64encode(header.encode()).decode().rstrip('=')}.e30.c2lnbmF0dXJl"
    assert said(await api.get("/api/v1/sorteos", token=token)) == (401, "TOKEN_INVALID")
    assert said(await api.post("/api/v1/auth/refresh", {"refreshToken": token})) == (401, "REFRESH_INVALID")


async def test_an_expectation_that_we_do_not_know_is_a_problem(api: RunningApi) -> None:
    for target in ("/api/v1/tickets", "/nowhere"):
        answer = await api.send("POST", target, body=b"{}", headers={"Expect": "the impossible"})
        assert said(answer) == (417, "EXPECTATION_FAILED")


async def test_no_path_ends_in_a_5xx(intruder: Intruder) -> None:
    for operation in OPERATIONS:
        user = await intruder.user_of(operation)
        for seed in SEEDS:
            for target in addresses_with(operation, seed):
                await intruder.send(operation, user, target)
    assert not intruder.found, "\n".join(intruder.found[:50])


async def test_no_query_ends_in_a_5xx(intruder: Intruder) -> None:
    for operation in OPERATIONS:
        user, target = await intruder.user_of(operation), address(operation).encode()
        for seed in SEEDS:
            for query in queries_with(operation, seed):
                await intruder.send(operation, user, target + b"?" + query)
    assert not intruder.found, "\n".join(intruder.found[:50])
