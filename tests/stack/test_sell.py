from __future__ import annotations

import http.client
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from cli import sell
from cli.pos import Pos
from cli.stack import ROOT, Stack
from cli.trouble import Trouble
from core.domain.ticket_number import parse_ticket_number
from tests.stack.up import running_up

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the embedded servers")

Sell = Callable[..., int]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory of a running stack that sells."""
    data = tmp_path_factory.mktemp("stack")
    with running_up(data, "--port", "0", "--only", "api"):
        yield data


@pytest.fixture
def sell_there(data: Path) -> Sell:
    def run(number: str, amount: str, **options: Any) -> int:
        chosen: dict[str, Any] = {"reventado": None, "sorteo": None, "key": None, "json": False, **options}
        return sell.run(number=number, amount=amount, data=data, **chosen)

    return run


def test_a_ticket_is_sold_and_its_receipt_printed(sell_there: Sell, capsys: pytest.CaptureFixture[str]) -> None:
    assert sell_there("07", "500", reventado="200.50") == 0
    headline, draw, numero, reventado, total, _ = capsys.readouterr().out.splitlines()
    assert parse_ticket_number(headline.removeprefix("Ticket ")).ordinal == 1
    assert draw.startswith("  Tiempos Tica")
    assert numero.split() == ["07", "NUMERO", "500.00", "×", "90.00"]
    assert reventado.split() == ["07", "REVENTADO", "200.50"]
    assert total.split() == ["Total", "700.50"]


def test_the_same_key_sells_once_and_says_so(sell_there: Sell, capsys: pytest.CaptureFixture[str]) -> None:
    assert sell_there("07", "500", key="same-key-1") == 0
    first = capsys.readouterr().out
    assert sell_there("07", "500", key="same-key-1") == 0
    again = capsys.readouterr().out
    assert "(sold before under this key)" not in first
    assert again.replace(" (sold before under this key)", "") == first


def test_a_refusal_is_read_to_the_person_and_nothing_is_sold(
    sell_there: Sell, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sell_there("7", "500.555", reventado="x") == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "(VALIDATION_FAILED)" in printed.err
    assert "jugadas[0].amount: at most two decimals are allowed (AMOUNT_TOO_PRECISE)" in printed.err
    assert "jugadas[1].amount" in printed.err
    assert sell_there("7", "500") == 1
    assert capsys.readouterr().err == "banca: the number must have exactly 2 digits (NUMBER_WIDTH_INVALID)\n"


def test_with_json_the_answer_is_printed_as_it_came(sell_there: Sell, capsys: pytest.CaptureFixture[str]) -> None:
    assert sell_there("08", "1.5", json=True) == 0
    assert json.loads(capsys.readouterr().out)["totalAmount"] == "1.50"
    assert sell_there("08", "0", json=True) == 1
    assert json.loads(capsys.readouterr().out)["code"] == "VALIDATION_FAILED"


def test_an_unknown_draw_is_named_as_such(sell_there: Sell) -> None:
    with pytest.raises(Trouble, match="SORTEO_NOT_FOUND"):
        sell_there("07", "500", sorteo="5f0e8c1e-0000-4000-8000-000000000000")


class Obstacle(BaseHTTPRequestHandler):
    """Between a POS and the API: loses the first answer, says 503 the second time, then lets all through."""

    api: str
    keys: list[str]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.keys.append(self.headers["Idempotency-Key"])
        if len(self.keys) == 2:
            self.answer(503, {"Retry-After": "0"}, b"{}")
            return
        connection = http.client.HTTPConnection(self.api, timeout=10)
        connection.request("POST", self.path, body, dict(self.headers.items()))
        response = connection.getresponse()
        answer = response.read()
        connection.close()
        if len(self.keys) > 2:
            self.answer(response.status, {"Idempotent-Replayed": response.getheader("Idempotent-Replayed", "")}, answer)

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""


@contextmanager
def obstructed(api_url: str) -> Iterator[tuple[str, list[str]]]:
    """The API behind an Obstacle: its URL, and the keys that came by."""
    keys: list[str] = []
    handler = type("Handler", (Obstacle,), {"api": urlsplit(api_url).netloc, "keys": keys})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", keys
        server.shutdown()
        thread.join()


def test_a_lost_answer_is_asked_for_again_with_the_same_key(data: Path) -> None:
    demo = sell.read_demo(data)
    pos = Pos(Stack.load(data).api_url, demo["terminalId"], demo["secret"])
    pos.log_in(username=demo["sellerUsername"], password=demo["sellerPassword"])
    ticket = {"sorteoId": demo["sorteoId"], "jugadas": [{"type": "NUMERO", "number": "09", "amount": "5"}]}
    with obstructed(pos.api_url) as (url, keys):
        pos.api_url = url
        answer = pos.post("/api/v1/tickets", ticket, key="lost-answer-1")
    assert answer.status == 201
    assert answer.headers["idempotent-replayed"] == "true"
    assert keys == ["lost-answer-1"] * 3


@pytest.mark.skipif(not all(map(shutil.which, ("bash", "curl", "openssl"))), reason="the tools of the README's sale")
def test_the_sale_of_the_readme_works_when_it_is_pasted_twice(data: Path, tmp_path: Path) -> None:
    script, *_ = re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (tmp_path / ".banca").symlink_to(data)
    run = subprocess.run(
        ["bash", "-eu"], input=script * 2, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120
    )
    told = r"Ticket (T\S+), ACTIVE: total 500\.00, commission \d+\.\d\d, key [0-9a-f]{32}"
    first, second = (re.fullmatch(told, line) for line in run.stdout.splitlines())
    assert first is not None
    assert second is not None
    assert first[1] != second[1]


async def test_when_no_draw_is_open_the_person_is_told_what_makes_one(sell_there: Sell, data: Path) -> None:
    connection = await asyncpg.connect(Stack.load(data).owner_url)
    await connection.execute("UPDATE sorteos SET is_active = false")
    try:
        with pytest.raises(Trouble, match=r"no draw is open for sale: make one with \./banca demo --data"):
            sell_there("07", "500")
    finally:
        await connection.execute("UPDATE sorteos SET is_active = true")
        await connection.close()
