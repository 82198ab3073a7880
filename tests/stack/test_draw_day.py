"""A draw from its making to its last payment, and the jobs of the night, on `./banca up` and over HTTP alone, as an operator and a seller live it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from cli.pos import Answer, Pos
from cli.stack import Stack
from cli.verify import run as verify
from core.domain.calendar import costa_rica_date
from core.domain.jobs import JobName
from tests.stack.up import running_up

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the embedded servers")

# The demo banca sells until a second after the draw: time enough to sell on a busy machine.
DRAW_IN_S = 10
PATIENCE_S = 60.0
STAKE, PRIZE = 100, 9_000


class Office:
    """Somebody who administers the banca."""

    def __init__(self, pos: Pos) -> None:
        self.pos = pos

    def ask(self, method: str, target: str, document: object = None) -> Answer:
        return self.pos.ask(method, f"/api/v1{target}", document)

    def done(self, method: str, target: str, document: object = None) -> dict[str, Any]:
        answer = self.ask(method, target, document)
        assert answer.is_ok, answer
        return answer.document

    def await_that(self, target: str, member: str, value: object) -> dict[str, Any]:
        deadline_s = time.monotonic() + PATIENCE_S
        while (document := self.done("GET", target))[member] != value:
            assert time.monotonic() < deadline_s, f"{target} is still {document}"
            time.sleep(0.2)
        return document


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    data = tmp_path_factory.mktemp("stack")
    with running_up(data, "--port", "0"):
        yield data


@pytest.fixture
def demo(data: Path) -> dict[str, str]:
    loaded: dict[str, str] = json.loads((data / "demo.json").read_text())
    return loaded


@pytest.fixture
def admin(data: Path, demo: dict[str, str]) -> Office:
    return Office(logged_in(data, demo, "admin"))


@pytest.fixture
def seller(data: Path, demo: dict[str, str]) -> Pos:
    return logged_in(data, demo, "seller")


def logged_in(data: Path, demo: dict[str, str], who: str) -> Pos:
    pos = Pos(Stack.load(data).api_url, demo["terminalId"], demo["secret"])
    pos.log_in(username=demo[f"{who}Username"], password=demo[f"{who}Password"])
    return pos


def sell(seller: Pos, sorteo_id: str, number: str) -> Answer:
    jugada = {"type": "NUMERO", "number": number, "amount": f"{STAKE}.00"}
    return seller.post("/api/v1/tickets", {"sorteoId": sorteo_id, "jugadas": [jugada]}, key=uuid4().hex)


def balance(seller: Pos) -> float:
    return float(seller.get("/api/v1/accounts/me/balance").document["balance"])


def test_a_draw_is_sold_closes_by_itself_and_its_prizes_are_paid_once_and_corrected(
    data: Path, demo: dict[str, str], admin: Office, seller: Pos, capsys: pytest.CaptureFixture[str]
) -> None:
    scheduled_at = datetime.now(UTC) + timedelta(seconds=DRAW_IN_S)
    made = admin.done("POST", "/sorteos", {"loteriaId": demo["loteriaId"], "scheduledAt": scheduled_at.isoformat()})
    sorteo = f"/sorteos/{made['id']}"
    assert admin.done("POST", f"{sorteo}/open")["status"] == "OPEN"
    wrong, right = (sell(seller, made["id"], number).document for number in ("13", "07"))
    before = balance(seller)

    assert admin.ask("POST", f"{sorteo}/evaluate", {"winningNumber": "13"}).document["code"] == "SORTEO_NOT_CLOSED"
    admin.await_that(sorteo, "status", "CLOSED")
    assert sell(seller, made["id"], "07").document["code"] == "SORTEO_CLOSED"

    assert admin.ask("POST", f"{sorteo}/evaluate", {"winningNumber": "13"}).status == 202
    ledger = admin.await_that(f"{sorteo}/evaluation", "state", "DONE")
    assert (ledger["totalIn"], ledger["totalOut"]) == (f"{2 * STAKE}.00", f"{PRIZE}.00")
    assert balance(seller) == before + PRIZE

    payment = {"amountPaid": f"{PRIZE}.00", "method": "cash"}
    key = uuid4().hex
    paid, again = (seller.post(f"/api/v1/tickets/{wrong['id']}/pay", payment, key=key) for _ in range(2))
    assert paid.is_ok
    assert (again.document, again.headers["idempotent-replayed"]) == (paid.document, "true")
    twice = seller.post(f"/api/v1/tickets/{wrong['id']}/pay", payment, key=uuid4().hex)
    assert (twice.status, twice.document["code"]) == (409, "ALREADY_PAID")
    assert balance(seller) == before + PRIZE

    revert = {"reason": "the number was misread"}
    assert admin.ask("POST", f"{sorteo}/revert-evaluation", revert).status == 409
    assert admin.ask("POST", f"{sorteo}/revert-evaluation", {**revert, "force": True}).status == 202
    admin.await_that(f"{sorteo}/evaluation", "state", "REVERTED")
    assert balance(seller) == before
    assert admin.ask("POST", f"{sorteo}/evaluate", {"winningNumber": "07"}).status == 202
    admin.await_that(f"{sorteo}/evaluation", "state", "DONE")
    assert balance(seller) == before + PRIZE
    assert not seller.post(f"/api/v1/tickets/{wrong['id']}/pay", payment, key=uuid4().hex).is_ok
    assert seller.post(f"/api/v1/tickets/{right['id']}/pay", payment, key=uuid4().hex).is_ok

    states = [state["toStatus"] for state in admin.done("GET", f"{sorteo}/states")["data"]]
    assert states[::-1][-5:] == ["OPEN", "CLOSED", "EVALUATED", "CLOSED", "EVALUATED"]
    # Relay and audit follow the commit.
    time.sleep(2)
    assert verify(data=data, json=True) == 0, capsys.readouterr().out


def test_every_job_runs_on_a_real_stack_and_the_month_before_is_closed(
    data: Path, admin: Office, seller: Pos, capsys: pytest.CaptureFixture[str]
) -> None:
    vendedor_id = seller.get("/api/v1/auth/me").document["id"]
    last_day = costa_rica_date(datetime.now(UTC)).replace(day=1) - timedelta(days=1)
    handed_out = {
        "vendedorId": vendedor_id,
        "date": f"{last_day}",
        "amount": "2500.00",
        "type": "payment",
        "method": "cash",
    }
    before = balance(seller)
    assert admin.pos.post("/api/v1/accounts/payment", handed_out, key=uuid4().hex).status == 201
    assert balance(seller) == before - 2_500
    month = f"{last_day:%Y-%m}"
    for job in JobName:
        asked = {"month": month} if job is JobName.MONTHLY_CLOSING else {}
        run = admin.ask("POST", f"/admin/jobs/{job.value}/run", asked)
        assert run.status == 202, run
        admin.await_that(f"/admin/jobs/{job.value}", "count", 1)
    closings = admin.done("GET", f"/accounts/monthly-closings?month={month}&dimension=vendedor")["data"]
    assert [(row["entityId"], row["movement"]) for row in closings] == [(vendedor_id, "2500.00")]
    today = admin.done("GET", f"/accounts/statement?vendedorId={vendedor_id}")["statements"][-1]
    assert today["openingBalance"] == closings[0]["closingBalance"]
    time.sleep(2)
    assert verify(data=data, json=True) == 0, capsys.readouterr().out
