"""`./banca load` on a real stack: Locust sells until the draw closes, its history holds, and a lost ticket is found."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from cli.load import require_loopback
from cli.stack import ROOT, Stack
from cli.trouble import Trouble
from loadtests.history import Event, Kind, read_entries
from loadtests.history_check import check_history
from loadtests.plan import PLAN_FILE, Plan, histories
from tests.stack.up import own_environment, running_up

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the embedded servers"),
    pytest.mark.timeout(240),
]

Run = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory of a running stack, its pipeline too."""
    data = tmp_path_factory.mktemp("stack")
    with running_up(data, "--port", "0"):
        yield data


@pytest.fixture(scope="module")
def rush(data: Path) -> Run:
    return load(data, "rush", "-u", "5", "-r", "5", "-t", "5s", "--seed", "7", "--report", str(data / "rush.html"))


def load(data: Path, *options: str) -> Run:
    command = [sys.executable, "-P", "-m", "cli", "load", *options, "--data", str(data)]
    return subprocess.run(
        command, cwd=ROOT, env=own_environment(), capture_output=True, text=True, check=False, timeout=200
    )


def folder_of(run: Run) -> Path:
    [folder] = re.findall(r"^History +(.+)$", run.stdout, re.MULTILINE)
    return Path(folder)


def test_a_short_rush_sells_until_the_closing_and_everything_agrees(data: Path, rush: Run) -> None:
    assert rush.returncode == 0, rush.stdout + rush.stderr
    assert "history: 7 checks, 0 findings" in rush.stdout
    answers = Counter(
        (entry.event, entry.code)
        for entry in read_entries(histories(folder_of(rush)))
        if entry.operation.kind is Kind.SALE
    )
    # The second is told who comes when the draw has closed by itself: a moment later.
    refused = {(Event.REFUSED, "SALES_CUTOFF_REACHED"), (Event.REFUSED, "SORTEO_CLOSED")}
    assert set(answers) - refused == {(Event.INVOKED, ""), (Event.OK, "")}
    assert set(answers) & refused
    assert answers[Event.INVOKED, ""] == sum(answers.values()) / 2
    page = (data / "rush.html").read_text()
    assert {code for _, code in set(answers) & refused} == {code for _, code in refused if f"sale: {code}" in page}


def test_a_runs_plan_holds_secrets_and_is_nobody_elses_to_read(rush: Run) -> None:
    plan = folder_of(rush) / PLAN_FILE
    assert plan.stat().st_mode & 0o777 == 0o600
    assert len(Plan.load(plan).sellers) == 5


async def test_a_ticket_that_is_lost_after_the_run_is_found(data: Path, rush: Run) -> None:
    paths, owner_url = histories(folder_of(rush)), Stack.load(data).owner_url
    assert await check_history(owner_url, paths) == []
    sold = next(entry for entry in read_entries(paths) if entry.event is Event.OK)
    connection = await asyncpg.connect(owner_url)
    await connection.execute("SET session_replication_role = replica")
    assert await connection.execute("DELETE FROM tickets WHERE id = $1", sold.ticket["id"]) == "DELETE 1"
    await connection.close()
    [finding] = await check_history(owner_url, paths)
    assert finding.check == "sales_stored"
    assert sold.operation.key in finding.text
    # And the next run, though its own history is right, ends with 1: the books are not.
    again = load(data, "offline", "-u", "2", "-t", "3s", "--processes", "2")
    assert "history: 7 checks, 0 findings" in again.stdout, again.stdout + again.stderr
    assert again.returncode == 1
    assert f"key {sold.operation.key} of {sold.operation.seller} says SOLD, its ticket does not" in again.stdout


def test_a_scenario_that_does_not_exist_is_named_and_nothing_runs(data: Path) -> None:
    run = load(data, "night")
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == "banca: there is no scenario night: take one of day, rush, offline\n"


def test_load_goes_to_this_machine_only() -> None:
    require_loopback("http://127.0.0.1:8080")
    with pytest.raises(Trouble, match=r"not to sales\.example"):
        require_loopback("https://sales.example:443")
