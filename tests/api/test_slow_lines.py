"""Clients on slow lines, over sockets that a test throttles. Times are scaled down by the settings."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.slow_lines import LeastRate, Patience
from tests.api.selling import batch, jugada, ticket
from tests.arena import Arena
from tests.pos import Pos
from tests.running_api import RunningApi

BATCH = "/api/v1/tickets/batch"
RATE, SILENCE_S = 20_000, 0.6
# Larger than what the kernel keeps between two sockets of the sizes below.
BODY = b"[" + b" " * 150_000 + b"]"


@pytest.fixture
async def slow_api(arena: Arena) -> AsyncIterator[RunningApi]:
    settings = {"body_bytes_per_s_min": RATE, "body_silence_max_s": SILENCE_S, "body_single_bytes_max": 1_000_000}
    async with RunningApi(arena.settings.model_copy(update=settings)) as running:
        yield running


class Line:
    """A client that writes all of its request before it reads a byte, at so many bytes a second."""

    def __init__(self, api: RunningApi) -> None:
        host, _, port = api.url.removeprefix("http://").partition(":")
        self._socket = socket.socket()
        # Small, so that what was not read by the server is not hidden in the kernel.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        self._socket.setblocking(False)
        self._address = (host, int(port))

    async def exchange(
        self, target: str, headers: dict[str, str], body: bytes, *, bytes_per_s: float, stop_at: int | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer. stop_at: of the body no more is sent, but the line stays open."""
        loop = asyncio.get_running_loop()
        with self._socket:
            await loop.sock_connect(self._socket, self._address)
            lines = [f"POST {target} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            await loop.sock_sendall(self._socket, "\r\n".join([*lines, "", ""]).encode())
            await self._write(body[:stop_at], bytes_per_s)
            answer = b""
            async with asyncio.timeout(10):
                while chunk := await loop.sock_recv(self._socket, 65_536):
                    answer += chunk
        head, _, content = answer.partition(b"\r\n\r\n")
        status, *rest = head.decode().split("\r\n")
        pairs = (line.split(": ", 1) for line in rest)
        return int(status.split()[1]), {name.lower(): value for name, value in pairs}, content

    async def _write(self, body: bytes, bytes_per_s: float) -> None:
        loop, began_s, size = asyncio.get_running_loop(), time.monotonic(), 2_000
        for place in range(0, len(body), size):
            due_s = began_s + place / bytes_per_s
            # The rate of the line: there is nothing that could be awaited instead.
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            await loop.sock_sendall(self._socket, body[place : place + size])


async def test_a_batch_that_comes_slowly_but_steadily_is_sold(slow_api: RunningApi, arena: Arena) -> None:
    """It takes several times the longest pause, and its timestamp, good when it began, is too old when it has come."""
    pos = Pos(slow_api, arena.seller)
    body = json.dumps(batch(*(ticket(arena, jugada(f"{number:02}")) for number in range(90))), indent=60).encode()
    assert len(body) / (2 * RATE) > max(4 * SILENCE_S, 2.2)
    timestamp = str(int(time.time()) - arena.settings.signature_window_s + 2)
    headers = pos.signed_headers("POST", BATCH, body, timestamp=timestamp) | {"Connection": "close"}
    status, _, answer = await Line(slow_api).exchange(BATCH, headers, body, bytes_per_s=2 * RATE)
    assert (status, {result["status"] for result in json.loads(answer)["results"]}) == (200, {201})


@pytest.mark.parametrize("stop_at", [None, 0, 4_000], ids=["it trickles", "nothing comes", "it stops"])
async def test_a_body_that_comes_too_slowly_is_refused_early_and_readably(
    slow_api: RunningApi, arena: Arena, stop_at: int | None
) -> None:
    pos, body = Pos(slow_api, arena.seller), b" " * 7_000
    headers, began_s = pos.signed_headers("POST", BATCH, body), time.monotonic()
    slow = Line(slow_api).exchange(
        BATCH, headers, body, bytes_per_s=RATE / 4 if stop_at is None else 1e9, stop_at=stop_at
    )
    status, sent, answer = await slow
    assert (status, json.loads(answer)["code"], sent["connection"]) == (408, "BODY_TIMEOUT", "close")
    assert time.monotonic() - began_s < 10 * SILENCE_S


@pytest.mark.parametrize(
    ("target", "change", "refusal"),
    [
        (BATCH, {"Authorization": ""}, (401, "AUTHENTICATION_REQUIRED")),
        (BATCH, {"Authorization": "Bearer x"}, (401, "TOKEN_INVALID")),
        (BATCH, {"Content-Encoding": "gzip"}, (415, "CONTENT_ENCODING_UNSUPPORTED")),
        (BATCH, {"x-terminal": "twice"}, (400, "DUPLICATE_HEADER")),
        (BATCH, {"X-Long": "x" * 9_000}, (400, "REQUEST_MALFORMED")),
        (BATCH, {"Bad Header": "x"}, (400, "REQUEST_MALFORMED")),
        ("/api/v1/nowhere", {}, (404, "ROUTE_NOT_FOUND")),
        ("/api/v1/auth/me", {}, (405, "METHOD_NOT_ALLOWED")),
    ],
    ids=str,
)
async def test_a_refusal_before_the_body_has_come_is_read_by_a_client_that_writes_first(
    slow_api: RunningApi, arena: Arena, target: str, change: dict[str, str], refusal: tuple[int, str]
) -> None:
    headers = Pos(slow_api, arena.seller).signed_headers("POST", target, BODY) | change
    status, sent, answer = await Line(slow_api).exchange(target, headers, BODY, bytes_per_s=5 * RATE)
    assert (status, json.loads(answer)["code"], sent["connection"]) == (*refusal, "close")


async def test_a_body_beyond_its_limit_and_a_rate_beyond_its_own_are_refused_readably(arena: Arena) -> None:
    changes = {
        "body_bytes_per_s_min": RATE,
        "body_silence_max_s": SILENCE_S,
        "body_batch_bytes_max": 60_000,
        "rate_limit_enabled": True,
        "rate_limit_tickets_burst": 1,
        "rate_limit_tickets_per_s": 0.001,
    }
    async with RunningApi(arena.settings.model_copy(update=changes)) as api:
        headers = Pos(api, arena.seller).signed_headers("POST", BATCH, BODY)
        for refusal in ((413, "BODY_TOO_LARGE"), (429, "RATE_LIMITED")):
            status, sent, answer = await Line(api).exchange(BATCH, headers, BODY, bytes_per_s=5 * RATE)
            assert (status, json.loads(answer)["code"], sent["connection"]) == (*refusal, "close")


async def test_a_chunked_body_that_turns_out_too_large_is_refused_readably(arena: Arena) -> None:
    async with RunningApi(arena.settings.model_copy(update={"body_batch_bytes_max": 60_000})) as api:
        headers = Pos(api, arena.seller).signed_headers("POST", BATCH, BODY)

        async def chunks() -> AsyncIterator[bytes]:
            for place in range(0, len(BODY), 10_000):
                yield BODY[place : place + 10_000]

        assert (await api.send("POST", BATCH, body=chunks(), headers=headers)).code == "BODY_TOO_LARGE"


async def test_a_small_body_that_came_with_its_head_leaves_the_connection_open(slow_api: RunningApi) -> None:
    answer = await slow_api.post(BATCH, {"tickets": []})
    assert (answer.status, answer.headers.get("Connection")) == (401, None)


async def test_what_is_refused_is_not_read_for_ever(arena: Arena) -> None:
    """Of a body without an end at full speed, four of the largest are read, and then no more."""
    async with RunningApi(arena.settings.model_copy(update={"body_batch_bytes_max": 50_000})) as api:
        host, _, port = api.url.removeprefix("http://").partition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /api/v1/tickets HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
        sent = 0
        with pytest.raises(ConnectionError):
            async with asyncio.timeout(10):
                while True:
                    writer.write(b" " * 10_000)
                    await writer.drain()
                    sent += 10_000
        # What the kernel keeps of two sockets comes on top.
        assert sent < 30_000_000
        writer.transport.abort()


async def test_a_server_that_stops_does_not_wait_for_what_it_discards(arena: Arena) -> None:
    api = RunningApi(arena.settings)
    await api.__aenter__()
    host, _, port = api.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /api/v1/tickets HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n ")
    assert b" 401 " in await reader.readuntil(b"\r\n")
    began_s = time.monotonic()
    await api.__aexit__(None, None, None)
    assert time.monotonic() - began_s < 3
    writer.close()


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 20_000)), max_size=40))
def test_patience_is_bounded_by_the_rate_and_by_the_pause(steps: list[tuple[float, int]]) -> None:
    clock, received = Clock(), 0
    patience = Patience(LeastRate(1_000, 10), clock=clock)
    for pause_s, length in steps:
        clock.now_s += pause_s
        if patience.left_s() <= 0:
            return
        patience.count(length)
        received += length
        assert patience.left_s() <= 10
        assert clock.now_s <= 10 + received / 1_000


@given(st.lists(st.floats(0.01, 9), max_size=40))
def test_whoever_keeps_the_rate_is_never_cut_off(pauses_s: list[float]) -> None:
    clock = Clock()
    patience = Patience(LeastRate(1_000, 10), clock=clock)
    for pause_s in pauses_s:
        clock.now_s += pause_s
        assert patience.left_s() > 0
        patience.count(round(pause_s * 1_001) + 1)
