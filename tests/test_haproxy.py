"""The proxy's configuration in a real HAProxy, in front of the real application."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import socket
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import pytest

from core.settings import Settings
from tests.arena import Arena
from tests.pos import Pos, new_key
from tests.running_api import RunningApi
from tests.workers.pipeline import eventually

ROOT = Path(__file__).resolve().parents[1]
PROXY = ROOT / "deploy" / "proxy"
HAPROXY = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
pytestmark = pytest.mark.skipif(
    HAPROXY is None and os.environ.get("REQUIRE_HAPROXY") != "1", reason="no haproxy here to try the file with"
)
STOP_S = 10.0


class Proxied(RunningApi):
    """The application, asked through the proxy."""

    inside: str

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        return self


@pytest.fixture
async def proxied(settings: Settings, tmp_path: Path) -> AsyncIterator[Proxied]:
    async with Proxied(settings) as api, running_haproxy(api.url, tmp_path) as (public, inside):
        api.url, api.inside = public, inside
        yield api


async def test_a_signed_sale_goes_through_and_so_does_its_request_id(proxied: Proxied, arena: Arena) -> None:
    pos, key = Pos(proxied, arena.seller), new_key()
    ticket = {
        "sorteoId": str(arena.sorteo_id),
        "jugadas": [{"type": "NUMERO", "number": "07", "amount": "500.00"}],
    }
    first = await pos.post("/api/v1/tickets", ticket, key=key)
    again = await pos.post("/api/v1/%74ickets", ticket, key=key)
    assert first.status == again.status == 201, (first.body, again.body)
    assert first.body == again.body
    # The query arrives as it was signed: what is wrong with it is that the operation takes none.
    queried = await pos.post("/api/v1/tickets?retry=%41+b&x=%2f", ticket, key=key)
    assert (queried.status, queried.code) == (400, "VALIDATION_FAILED")
    answer = await proxied.get("/health/live", X_Request_Id="from-the-till.1")
    assert answer.headers["X-Request-Id"] == "from-the-till.1"


@pytest.mark.parametrize(
    "target",
    ["/metrics", "/health", "//metrics", "/%6detrics", "/api/v1/../../metrics", "/api/v1/%2e%2e/%2e%2e/metrics",
     "/health/live/../../metrics", "/api-docs/..//metrics", "/health/", "/METRICS", "/metrics?x=/api/v1/", "/problems/../metrics", "/problemsx", "/index.html"],
)  # fmt: skip
async def test_what_is_inside_stays_inside(proxied: Proxied, target: str) -> None:
    status, body = await asyncio.to_thread(ask_raw, proxied.url, target)
    assert (status, b"http_requests_total" in body) == (404, False)
    assert b'"ROUTE_NOT_FOUND"' in body


@pytest.mark.parametrize("target", ["/", "/problems", "/problems/sorteo-closed"])
async def test_the_pages_for_people_are_passed_on(proxied: Proxied, target: str) -> None:
    page = await proxied.get(target, Accept="text/html")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


async def test_a_body_beyond_two_megabytes_is_refused_before_it_is_read(proxied: Proxied) -> None:
    headers = {"Content-Length": "2000001", "Content-Type": "application/json"}
    status, body = await asyncio.to_thread(ask_raw, proxied.url, "/api/v1/tickets", "POST", headers)
    assert (status, b'"BODY_TOO_LARGE"' in body) == (413, True)


async def test_without_a_process_the_answer_is_a_problem_that_may_be_tried_again(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}"
    async with running_haproxy(address, tmp_path, until=503) as (public, _):
        status, body = await asyncio.to_thread(ask_raw, public, "/api/v1/tickets", "POST")
    assert (status, b'"API_UNAVAILABLE"' in body) == (503, True)
    assert b"Retry-After: 1" in body.replace(b"retry-after", b"Retry-After")


async def test_a_process_that_dies_in_the_middle_leaves_the_outcome_unknown(tmp_path: Path) -> None:
    async def take_and_die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if b"/health/live" in request:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(take_and_die, "127.0.0.1", 0)
    async with (
        server,
        running_haproxy(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", tmp_path) as (public, _),
    ):
        status, body = await asyncio.to_thread(ask_raw, public, "/api/v1/tickets", "POST")
    assert (status, b'"OUTCOME_UNKNOWN"' in body) == (503, True)


MALFORMED = {
    "no HTTP": b"nonsense\r\n\r\n",
    "a blank in a header's name": b"GET /api/v1/x HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n",
    "a byte that is no text": b"GET /api/v1/\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    "two hosts": b"GET /api/v1/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "another host in the target": b"GET http://b/api/v1/x HTTP/1.1\r\nHost: a\r\n\r\n",
    "two lengths": b"POST /api/v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "an unknown encoding": b"POST /api/v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
    "headers beyond its buffer": b"GET /api/v1/x HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
    "a target beyond its buffer": b"GET /api/v1/" + b"z" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
}


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED)
async def test_what_the_proxy_cannot_parse_is_answered_with_a_problem_where_it_lets_us(
    proxied: Proxied, sent: bytes
) -> None:
    answer = await asyncio.to_thread(exchange, proxied.url, sent)
    assert answer.startswith(b"HTTP/1.1 400 "), answer
    if await haproxy_version() >= (3, 2, 4):
        assert b'"REQUEST_MALFORMED"' in answer


def test_every_answer_of_the_proxy_is_a_problem_with_a_code_that_is_explained() -> None:
    explained = "".join((ROOT / "docs" / name).read_text() for name in ("problems.md", "deploy.md"))
    files = list((PROXY / "answers").iterdir())
    assert files
    for file in files:
        head, _, body = (
            file.read_bytes().partition(b"\r\n\r\n") if file.suffix == ".http" else (b"", b"", file.read_bytes())
        )
        problem = json.loads(body)
        assert f"`{problem['code']}`" in explained, file.name
        if head:
            assert head.startswith(b"HTTP/1.1 %d " % problem["status"]), file.name
            assert b"Content-Type: application/problem+json" in head, file.name
            assert b"Content-Length: %d" % len(body) in head, file.name


async def haproxy_version() -> tuple[int, ...]:
    assert HAPROXY is not None
    process = await asyncio.create_subprocess_exec(HAPROXY, "-v", stdout=PIPE)
    told, _ = await process.communicate()
    found = re.search(rb"version (\d+)\.(\d+)[.-](?:dev)?(\d+)", told)
    assert found, told
    return tuple(map(int, found.groups()))


async def test_the_metrics_that_alerts_name_are_its_own(proxied: Proxied) -> None:
    rules = (ROOT / "deploy" / "prometheus" / "alerts.yml").read_text()
    status, body = await asyncio.to_thread(ask_raw, proxied.inside, "/metrics")
    assert status == 200
    for name in set(re.findall(r"haproxy_\w+", rules)):
        assert f'{name}{{proxy="api"}} 1'.encode() in body


@asynccontextmanager
async def running_haproxy(api_url: str, folder: Path, *, until: int = 200) -> AsyncIterator[tuple[str, str]]:
    """The configuration as it is, but for its addresses, once it answers so; the public URL and the inside one."""
    public, inside = free_port(), free_port()
    text = (PROXY / "haproxy.cfg").read_text()
    for before, after in (
        # Each takes two files of the process, and who runs the tests may have few.
        ("maxconn 20000", "maxconn 100"),
        ("bind :8080", f"bind 127.0.0.1:{public}"),
        ("bind :8405", f"bind 127.0.0.1:{inside}"),
        ("server-template api 1-16 api:8080 resolvers docker init-addr none", f"server api1 {api_url[7:]}"),
        ("/etc/haproxy/answers/", f"{PROXY}/answers/"),
    ):
        assert before in text
        text = text.replace(before, after)
    (folder / "haproxy.cfg").write_text(text)
    assert HAPROXY, "REQUIRE_HAPROXY is set, and there is none"
    process = await asyncio.create_subprocess_exec(HAPROXY, "-db", "-f", str(folder / "haproxy.cfg"), stdout=DEVNULL)
    url = f"http://127.0.0.1:{public}"
    try:
        await eventually(lambda: asyncio.to_thread(answers, url, until))
        yield url, f"http://127.0.0.1:{inside}"
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), STOP_S)


def answers(url: str, status: int) -> bool:
    try:
        return ask_raw(url, "/health/live")[0] == status
    except OSError:
        return False


def ask_raw(url: str, target: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    """The status and everything that was answered; the target goes out as it is, which no client library does."""
    host = url.removeprefix("http://").partition(":")[0]
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    answer = exchange(url, "\r\n".join([*lines, "", ""]).encode())
    return int(answer.split(b" ", 2)[1]), answer


def exchange(url: str, sent: bytes) -> bytes:
    """Everything that is answered until the connection is closed."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(sent)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
