"""The POS client against a server that misbehaves: whatever happens, a key is sold once and its outcome is known."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from loadtests.history import Event, History, read_entries, unsettled
from loadtests.pos import Done, NotTaken, OutcomeUnknown, Patience, Pos, Refused
from loadtests.session import Credentials
from loadtests.wire import PlainWire
from tests.loadtests.wayward_api import SELLER, WaywardApi

ROOT = Path(__file__).resolve().parents[2]
TICKET = {"sorteoId": "11111111-2222-4333-8444-555555555555", "jugadas": [{"number": "07", "amount": "500.00"}]}
QUICK = Patience(tries_max=4, wait_min_s=0.01, wait_max_s=0.02)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with History(tmp_path / "history-1.jsonl") as opened:
        yield opened


def pos_at(url: str, history: History, *, seller: Credentials = SELLER, patience: Patience = QUICK) -> Pos:
    return Pos(seller, PlainWire(url, timeout_s=5), history, patience)


def events(history: History) -> list[tuple[Event, str]]:
    return [(entry.event, entry.code) for entry in read_entries([history.path])]


async def sell(pos: Pos, ticket: dict[str, Any] = TICKET) -> Any:
    return await asyncio.to_thread(pos.sell, ticket)


@pytest.mark.parametrize(
    ("behaviours", "replayed"),
    [
        ([], False),
        (["503 TILL_FULL", "503 SHUTTING_DOWN"], False),
        (["429 0", "429 0", "429 0"], False),
        (["drop before"], False),
        (["drop after"], True),
        (["drop after", "503 DATABASE_UNAVAILABLE", "drop before"], True),
        (["502", "drop after"], True),
        (["503 OUTCOME_UNKNOWN"], False),
        (["expired", "503 TILL_FULL"], False),
    ],
)
async def test_a_sale_is_asked_for_with_its_key_until_the_outcome_is_known(
    history: History, behaviours: list[str], replayed: bool
) -> None:
    async with WaywardApi(behaviours) as api:
        outcome = await sell(pos_at(api.url, history))
        assert isinstance(outcome, Done)
        assert outcome.is_replayed is replayed
        assert list(api.sold) == [outcome.operation.key]
        assert outcome.document == api.sold[outcome.operation.key]
        assert api.keys == [outcome.operation.key] * (len(behaviours) + 1)
        assert len({attempt.body for attempt in api.attempts}) == 1
        assert events(history) == [(Event.INVOKED, ""), (Event.OK, "")]


@pytest.mark.parametrize("trouble", ["drop after", "503 OUTCOME_UNKNOWN", "502", "503 NEVER_HEARD_OF"])
async def test_when_nobody_knows_that_is_said_and_the_same_key_learns_it_later(history: History, trouble: str) -> None:
    behaviours = [trouble, *["503 TILL_FULL"] * (QUICK.tries_max - 1)]
    async with WaywardApi(behaviours) as api:
        pos = pos_at(api.url, history)
        with pytest.raises(OutcomeUnknown) as raised:
            await sell(pos)
        [operation] = raised.value.operations
        assert pos.unresolved == {operation.key: operation}
        assert [left.key for left in unsettled([history.path])] == [operation.key]
        assert len(api.attempts) == QUICK.tries_max
        [outcome] = await asyncio.to_thread(pos.resolve)
        assert isinstance(outcome, Done)
        assert set(api.keys) == {operation.key} == set(api.sold)
        assert outcome.is_replayed is (trouble == "drop after")
    assert pos.unresolved == {}
    assert unsettled([history.path]) == []


async def test_what_was_in_doubt_once_stays_in_doubt_until_there_is_an_answer(history: History) -> None:
    refusals = ["503 TILL_FULL"] * QUICK.tries_max
    async with WaywardApi(["drop after", *refusals[1:], *refusals]) as api:
        pos = pos_at(api.url, history)
        for work in (lambda: pos.sell(TICKET), pos.resolve):
            with pytest.raises(OutcomeUnknown):
                await asyncio.to_thread(work)
        assert len(api.sold) == 1
    assert len(pos.unresolved) == 1


async def test_what_no_attempt_can_have_sold_is_not_in_doubt(history: History) -> None:
    async with WaywardApi(["503 TILL_FULL"] * QUICK.tries_max) as api:
        pos = pos_at(api.url, history)
        with pytest.raises(NotTaken):
            await sell(pos)
    assert pos.unresolved == {}
    assert events(history) == [(Event.INVOKED, ""), (Event.REFUSED, "TILL_FULL")]
    with pytest.raises(NotTaken):
        # Nobody listens there any more.
        await sell(pos)
    assert events(history)[2:] == [(Event.INVOKED, ""), (Event.REFUSED, "UNREACHABLE")]


async def test_a_refusal_is_an_answer_and_is_not_asked_again(history: History) -> None:
    async with WaywardApi(["409 SALES_CUTOFF_REACHED"]) as api:
        outcome = await sell(pos_at(api.url, history))
        assert isinstance(outcome, Refused)
        assert (outcome.status, outcome.code) == (409, "SALES_CUTOFF_REACHED")
        assert len(api.attempts) == 1
    assert events(history) == [(Event.INVOKED, ""), (Event.REFUSED, "SALES_CUTOFF_REACHED")]


async def test_nobody_comes_before_retry_after_is_over_or_at_all_when_it_is_too_long(history: History) -> None:
    async with WaywardApi(["429 1"]) as api:
        assert isinstance(await sell(pos_at(api.url, history)), Done)
        first, second = api.attempts
        assert second.at_s - first.at_s >= 1.0
    async with WaywardApi(["429 3600"]) as api:
        with pytest.raises(NotTaken):
            await sell(pos_at(api.url, history))
        assert len(api.attempts) == 1


def test_waits_double_with_jitter_and_stay_bounded() -> None:
    class Least(Random):
        def uniform(self, a: float, b: float) -> float:
            return min(a, b)

    class Most(Random):
        def uniform(self, a: float, b: float) -> float:
            return max(a, b)

    patience = Patience(wait_min_s=1.0, wait_max_s=8.0)
    tries = range(1, 7)
    assert [patience.wait_s(n, None, Most()) for n in tries] == [1, 2, 4, 8, 8, 8]
    assert [patience.wait_s(n, 5.0, Least()) for n in tries] == [5.5, 6, 7, 9, 9, 9]


async def test_without_a_token_the_pos_logs_in_and_an_expired_one_is_refreshed(history: History) -> None:
    newcomer = Credentials(SELLER.vendedor_id, SELLER.username, SELLER.terminal_id, SELLER.password, SELLER.secret)
    async with WaywardApi(["", "expired"]) as api:
        pos = pos_at(api.url, history, seller=newcomer)
        first, second = await sell(pos), await sell(pos)
        assert (api.logins, api.refreshes) == (1, 1)
        assert [attempt.token for attempt in api.attempts] == ["token-login-1", "token-login-1", "token-refresh-1"]
        assert api.keys == [first.operation.key, second.operation.key, second.operation.key]


async def test_of_a_batch_only_what_has_no_answer_is_sent_again(history: History) -> None:
    async with WaywardApi(["drop after", "some 503"]) as api:
        pos = pos_at(api.url, history)
        sales = [pos.sale_of(TICKET) for _ in range(5)]
        outcomes = await asyncio.to_thread(pos.sync, sales)
        sent = [
            [ticket["idempotencyKey"] for ticket in orjson.loads(attempt.body)["tickets"]] for attempt in api.attempts
        ]
        keys = [sale.key for sale in sales]
        assert sent == [keys, keys, keys[1::2]]
        assert [outcome.operation.key for outcome in outcomes] == keys == list(api.sold)
        assert all(isinstance(outcome, Done) and outcome.is_replayed for outcome in outcomes)
        again = await asyncio.to_thread(lambda: pos.sync(sales, again=True))
        assert [outcome.document for outcome in again if isinstance(outcome, Done)] == [api.sold[key] for key in keys]


LOCUSTS = """
import sys
from pathlib import Path
from types import SimpleNamespace
from locust.contrib.fasthttp import FastHttpSession
from loadtests.history import History
from loadtests.pos import Patience, Pos
from loadtests.seller import FastWire
from tests.loadtests.wayward_api import SELLER
_, url, path = sys.argv
rows = []
event = SimpleNamespace(fire=lambda **meta: rows.append(f"{meta['name']} {meta['exception'] or 'ok'}"))
wire = FastWire(FastHttpSession(url, event, None, network_timeout=5, connection_timeout=5))
pos = Pos(SELLER, wire, History(Path(path)), Patience(wait_min_s=0.01, wait_max_s=0.02))
outcome = pos.sell({"sorteoId": "x", "jugadas": []})
print(outcome.operation.key, outcome.is_replayed, rows, sep="\\n")
refused = pos.sell({"sorteoId": "x", "jugadas": []})
print(refused.code, rows[-1], sep="\\n")
"""


async def test_over_locusts_client_it_is_the_same(history: History) -> None:
    async with WaywardApi(["drop after", "503 TILL_FULL", "429 1", "", "409 SALES_CUTOFF_REACHED"]) as api:
        run = await asyncio.to_thread(run_python, LOCUSTS, api.url, str(history.path))
        key, replayed, rows, code, last_row = run.stdout.splitlines()
        assert api.keys[:4] == [key] * 4
        assert api.attempts[3].at_s - api.attempts[2].at_s >= 1.0
    assert replayed == "True"
    assert rows == "['sale HTTPConnectionClosed', 'sale 503 TILL_FULL', 'sale 429 RATE_LIMITED', 'sale ok']"
    assert (code, last_row) == ("SALES_CUTOFF_REACHED", "sale: SALES_CUTOFF_REACHED ok")


def test_gevent_stays_in_locusts_process() -> None:
    code = "import sys, cli.load, loadtests.pos, tests.conftest; print('gevent' in sys.modules)"
    assert run_python(code).stdout.strip() == "False"


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
