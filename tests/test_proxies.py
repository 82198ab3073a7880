"""nginx and HAProxy with TLS, as deploy/ has them for machines without containers, in front of the real application."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import aiohttp
import pytest

from core.settings import Settings
from tests.arena import Arena
from tests.pos import Pos, new_key
from tests.running_api import RunningApi
from tests.workers.pipeline import eventually

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
STOP_S = 10.0
# Of the wrapper that Debian's nginx has around the file.
NGINX = """\
daemon off; pid {folder}/nginx.pid; error_log stderr; {user}
events {{ worker_connections 200; }}
http {{
    access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    include {folder}/banca.conf;
}}
"""


def program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None:
        if os.environ.get(f"REQUIRE_{name.upper()}") == "1":
            pytest.fail(f"REQUIRE_{name.upper()} is set, and there is no {name}")
        pytest.skip(f"no {name} here to try its file with")
    return found


def replaced(path: Path, changes: Mapping[str, str]) -> str:
    text = path.read_text()
    for before, after in changes.items():
        assert before in text, before
        text = text.replace(before, after)
    return text


def nginx_command(folder: Path, port: int, upstream: str) -> Sequence[str]:
    changes = {
        "listen 443 ssl http2;": f"listen 127.0.0.1:{port} ssl http2;",
        "    listen [::]:443 ssl http2;\n": "",
        "/etc/nginx/banca.": f"{folder}/banca.",
        "server 127.0.0.1:8080 ": f"server {upstream} ",
    }
    (folder / "banca.conf").write_text(replaced(DEPLOY / "nginx" / "banca.conf", changes))
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, user=user))
    return [program("nginx"), "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")]


def haproxy_command(folder: Path, port: int, upstream: str) -> Sequence[str]:
    changes = {
        "bind :443 ": f"bind 127.0.0.1:{port} ",
        "/etc/haproxy/banca.pem": f"{folder}/banca.pem",
        "server api-1 127.0.0.1:8080": f"server api-1 {upstream}",
        "/opt/banca/deploy/": f"{DEPLOY}/",
        "    log /dev/log local0\n    user haproxy\n    group haproxy\n": "",
        "maxconn 20000": "maxconn 100",
    }
    (folder / "banca.pem").write_text((folder / "banca.crt").read_text() + (folder / "banca.key").read_text())
    (folder / "haproxy.cfg").write_text(replaced(DEPLOY / "haproxy" / "banca.cfg", changes))
    return [program("haproxy"), "-db", "-f", str(folder / "haproxy.cfg")]


COMMANDS = {"nginx": nginx_command, "haproxy": haproxy_command}


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificate")
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here to make a certificate with")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=banca.example.com", "-keyout", folder / "banca.key", "-out", folder / "banca.crt"],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return folder


@pytest.fixture(params=COMMANDS)
def name(request: pytest.FixtureRequest) -> str:
    program(request.param)
    return str(request.param)


@asynccontextmanager
async def running(name: str, upstream: str, folder: Path, certificate: Path, *, until: int = 200) -> AsyncIterator[int]:
    """The port of the proxy, once it answers so."""
    for file in ("banca.crt", "banca.key"):
        shutil.copy(certificate / file, folder)
    port = free_port()
    command = COMMANDS[name](folder, port, upstream)
    process = await asyncio.create_subprocess_exec(*command, stdout=DEVNULL)
    try:
        await eventually(lambda: asyncio.to_thread(answers, port, until))
        yield port
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), STOP_S)


class Proxied(RunningApi):
    """The application, asked through the proxy, whose certificate nobody has signed."""

    port: int

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        assert self._session is not None
        await self._session.close()
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False))
        return self


@pytest.fixture
async def proxied(name: str, settings: Settings, tmp_path: Path, certificate: Path) -> AsyncIterator[Proxied]:
    async with (
        Proxied(settings) as api,
        running(name, api.url.removeprefix("http://"), tmp_path, certificate) as port,
    ):
        api.url, api.port = f"https://127.0.0.1:{port}", port
        yield api


async def test_a_signed_sale_goes_through_unchanged(proxied: Proxied, arena: Arena) -> None:
    pos, key = Pos(proxied, arena.seller), new_key()
    ticket = {
        "sorteoId": str(arena.sorteo_id),
        "jugadas": [{"type": "NUMERO", "number": "07", "amount": "500.00"}],
    }
    first = await pos.post("/api/v1/tickets", ticket, key=key)
    again = await pos.post("/api/v1/%74ickets", ticket, key=key)
    assert first.status == again.status == 201, (first.body, again.body)
    assert first.headers["Strict-Transport-Security"] == "max-age=31536000"
    # The query arrives as it was signed: what is wrong with it is that the operation takes none.
    queried = await pos.post("/api/v1/tickets?retry=%41+b&x=%2f", ticket, key=key)
    assert (queried.status, queried.code) == (400, "VALIDATION_FAILED")


INSIDE = (
    *("/api/v1", "/metrics", "/health", "//metrics"),
    *("/%6detrics", "/api/v1/../../metrics", "/api/v1/%2e%2e/%2e%2e/metrics"),
    *("/health/live/../../metrics", "/api-docs/..//metrics", "/health/", "/METRICS", "/metrics?x=/api/v1/"),
)


async def test_what_is_inside_stays_inside(proxied: Proxied) -> None:
    for target in INSIDE:
        status, answer = await asyncio.to_thread(ask_raw, proxied.port, target)
        assert (status, b"http_requests_total" in answer) == (404, False), target
        assert b'"ROUTE_NOT_FOUND"' in answer, target


@pytest.mark.parametrize(
    "path",
    [DEPLOY / "nginx" / "banca.conf", *sorted((DEPLOY / "proxy" / "answers").iterdir())],
    ids=lambda path: path.name,
)
def test_what_a_proxy_answers_by_itself_has_the_type_of_its_code(path: Path) -> None:
    """As the API's problems have: it is the address that explains the code."""
    problems = [json.loads(found) for found in re.findall(r'\{"type".*?\}', path.read_text())]
    assert problems
    assert [problem["type"] for problem in problems] == [
        f"/problems/{problem['code'].lower().replace('_', '-')}" for problem in problems
    ]


async def test_what_is_public_is_passed_on(proxied: Proxied) -> None:
    for target in ("/openapi.json", "/api-docs", "/health/live", "/health/ready"):
        status, _ = await asyncio.to_thread(ask_raw, proxied.port, target)
        assert status == 200, target
    status, answer = await asyncio.to_thread(
        ask_raw, proxied.port, "/api/v1/tickets", "POST", {"Content-Length": "2000001"}
    )
    assert (status, b'"BODY_TOO_LARGE"' in answer) == (413, True)


async def test_a_client_says_nothing_of_its_own_address(name: str, tmp_path: Path, certificate: Path) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(request)
        writer.write(head + request)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    upstream = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, running(name, upstream, tmp_path, certificate) as port:
        said = {"X-Forwarded-For": "9.9.9.9", "Forwarded": "for=9.9.9.9", "X-Request-Id": "from-the-till.1"}
        _, answer = await asyncio.to_thread(ask_raw, port, "/api/v1/%74ickets?a=%2f+", "GET", said)
    request = answer.partition(b"\r\n\r\n")[2]
    assert request.startswith(b"GET /api/v1/%74ickets?a=%2f+ HTTP/1.1\r\n")
    assert b"9.9.9.9" not in request
    lines = {line.lower() for line in request.split(b"\r\n")}
    assert {b"x-forwarded-for: 127.0.0.1", b"x-request-id: from-the-till.1"} <= lines


async def test_without_a_process_the_answer_is_a_problem_that_may_be_tried_again(
    name: str, tmp_path: Path, certificate: Path
) -> None:
    # Taken, so that nobody else listens there; not listening itself.
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        upstream = f"127.0.0.1:{nobody.getsockname()[1]}"
        async with running(name, upstream, tmp_path, certificate, until=503) as port:
            status, answer = await asyncio.to_thread(ask_raw, port, "/api/v1/tickets", "POST", {"Content-Length": "0"})
    # nginx does not know whether a request was sent; to send it again with its key is right either way.
    code = {"nginx": b'"OUTCOME_UNKNOWN"', "haproxy": b'"API_UNAVAILABLE"'}[name]
    assert (status, code in answer) == (503, True)
    assert b"retry-after: 1" in answer.lower()


async def test_a_process_that_dies_in_the_middle_leaves_the_outcome_unknown_and_is_asked_once(
    name: str, tmp_path: Path, certificate: Path
) -> None:
    asked = []

    async def take_and_die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if b"/health/live" in request:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
        else:
            asked.append(request)
        writer.close()

    server = await asyncio.start_server(take_and_die, "127.0.0.1", 0)
    upstream = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, running(name, upstream, tmp_path, certificate) as port:
        status, answer = await asyncio.to_thread(ask_raw, port, "/api/v1/tickets", "POST", {"Content-Length": "0"})
    assert (status, b'"OUTCOME_UNKNOWN"' in answer) == (503, True)
    assert len(asked) == 1


def test_the_brokers_proxy_is_understood(tmp_path: Path) -> None:
    command = [program("haproxy"), "-c", "-f", str(DEPLOY / "haproxy" / "rabbitmq.cfg")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def answers(port: int, status: int) -> bool:
    try:
        return ask_raw(port, "/health/live")[0] == status
    except OSError:
        return False


def ask_raw(port: int, target: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    """The status and everything that was answered; the target goes out as it is, which no client library does."""
    lines = [f"{method} {target} HTTP/1.1", "Host: banca.example.com", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain) as connection,
    ):
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    return int(answer.split(b" ", 2)[1]), answer


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
