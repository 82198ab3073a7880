from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from api.app import create_app
from api.lifetimes import CACHE_CLOSE_S, IDENTITY_CLOSE_S, POOL_CLOSE_S, TILL_CLOSE_S
from api.server import DRAIN_S, FIRST_REQUEST_WAIT_S, Runner
from cli.postgres import EmbeddedPostgres
from cli.process import BoundProcess
from cli.process_log import TOLD_LENGTH_MAX
from cli.supervisor import STOP_GRACE_S, STOP_STEPS, Child, Misconfigured, Supervisor
from tests.databases import ask
from tests.running_api import api_settings
from tests.stack.processes import alive, descendants, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")

GONE_WITHIN_S = 3.0
ROOT = Path(__file__).resolve().parents[2]
Spawn = Callable[[str], BoundProcess]
Run = subprocess.Popen[str]


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    """Runs Python text as a bound process, its output in tmp_path/log; ends what is left."""
    spawned: list[BoundProcess] = []

    def run(program: str) -> BoundProcess:
        spawned.append(BoundProcess([sys.executable, "-u", "-c", program], env={}, log=tmp_path / "log"))
        return spawned[-1]

    yield run
    for process in spawned:
        process.stop(())


@pytest.fixture
def doomed(tmp_path: Path) -> Iterator[Run]:
    with start_doomed(tmp_path) as process:
        try:
            yield process
        finally:
            process.kill()
    EmbeddedPostgres(tmp_path).remove()


def start_doomed(data: Path) -> Run:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.stack.doomed_stack", data], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )  # fmt: skip


def wait_for_servers(process: Run) -> tuple[str, Path]:
    """PostgreSQL's URL and its cluster."""
    assert process.stdout is not None
    word, url, cluster = process.stdout.readline().split()
    assert word == "ready"
    return url, Path(cluster)


def wait_for_family(tmp_path: Path) -> None:
    log = tmp_path / "family.log"
    wait_until(lambda: log.exists() and log.read_text().count("here") == 4)


def test_after_kill_9_of_the_supervisor_no_process_of_the_stack_remains(doomed: Run, tmp_path: Path) -> None:
    wait_for_servers(doomed)
    wait_for_family(tmp_path)
    pids = descendants(doomed.pid)
    assert len(pids) >= 4 + 2 + 5 + 3, "the family, the servers, PostgreSQL's own, the watchers"
    doomed.kill()
    wait_until(lambda: not alive(pids), timeout_s=GONE_WITHIN_S)


def test_what_was_committed_before_a_kill_9_is_there_after_the_next_start(doomed: Run, tmp_path: Path) -> None:
    url, _ = wait_for_servers(doomed)
    asyncio.run(ask(url, "SELECT 42 AS answer INTO kept"))
    doomed.kill()
    # At once: what the first one left is still on its way down.
    with start_doomed(tmp_path) as second:
        url, _ = wait_for_servers(second)
        assert asyncio.run(ask(url, "SELECT answer FROM kept")) == 42
        second.terminate()
        assert second.stdout is not None
        assert second.stdout.read() == "stopped\n"
    assert second.returncode == 0


def test_a_server_that_is_killed_is_started_again(doomed: Run) -> None:
    _, cluster = wait_for_servers(doomed)
    assert doomed.stdout is not None
    pid_file = cluster / "postmaster.pid"
    first = int(pid_file.read_text().splitlines()[0])
    os.kill(first, signal.SIGKILL)
    assert re.match(r"postgres ended with SIGKILL(: .+)?; again in 0\.2 s$", doomed.stdout.readline())
    wait_until(lambda: pid_file.exists() and "ready" in pid_file.read_text() and str(first) not in pid_file.read_text())


def test_a_child_that_dies_is_started_again_after_waits_that_double(spawn: Spawn) -> None:
    lines: list[str] = []
    supervisor = Supervisor([[Child("short", lambda: spawn("raise SystemExit(3)"))]], report=lines.append)

    def look() -> bool:
        time.sleep(min(supervisor.tick(), 0.02))
        return len(lines) == 3

    wait_until(look)
    assert lines == [f"short ended with exit code 3; again in {wait_s} s" for wait_s in ("0.2", "0.4", "0.8")]


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("print('so far'); raise SystemExit('no such \\x1b[2Jhost')", ": no such \N{REPLACEMENT CHARACTER}[2Jhost"),
        ("1 / 0", ": ZeroDivisionError: division by zero"),
        (
            'import sys; print(\'{"action": "RELAY_WAITS", "payload": {"reason": "away"}}\'); sys.exit(1)',
            ": RELAY_WAITS: away",
        ),
        (
            'import sys; print(\'{"action": "X", "error": {"type": "OSError", "message": "no"}}\\n\\n\'); sys.exit(1)',
            ": X: OSError: no",
        ),
        ("print('{'); raise SystemExit(1)", ": {"),
        ("print('x' * 10_000); raise SystemExit(1)", f": {'x' * TOLD_LENGTH_MAX}…"),
        ("raise SystemExit(1)", ""),
    ],
)
def test_a_death_is_told_with_the_last_line_that_was_said(spawn: Spawn, program: str, told: str) -> None:
    lines: list[str] = []
    supervisor = Supervisor([[Child("short", lambda: spawn(program))]], report=lines.append)

    def look() -> bool:
        time.sleep(min(supervisor.tick(), 0.02))
        return len(lines) == 1

    wait_until(look)
    assert lines == [f"short ended with exit code 1{told}; again in 0.2 s"]


def test_a_child_whose_settings_are_wrong_ends_the_start_with_all_that_it_said(spawn: Spawn) -> None:
    said = "import sys; sys.stderr.write('LOG_LEVEL=x: must be y\\nPORT=0x: must be z\\n'); sys.exit(78)"
    supervisor = Supervisor([[Child("api-1", lambda: spawn(said))]], report=print)

    def look() -> bool:
        time.sleep(min(supervisor.tick(), 0.02))
        return False

    with pytest.raises(Misconfigured) as raised:
        wait_until(look)
    assert str(raised.value).splitlines() == [
        "api-1 does not start:", "  LOG_LEVEL=x: must be y", "  PORT=0x: must be z",
    ]  # fmt: skip
    assert raised.value.exit_code == 78


def test_a_child_that_was_well_and_then_has_wrong_settings_is_started_again(
    spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret's file that somebody changed must not end the processes that still sell."""
    monkeypatch.setattr("cli.supervisor.HEALTHY_AFTER_S", 0.0)
    lines: list[str] = []
    supervisor = Supervisor([[Child("api", lambda: spawn("raise SystemExit(78)"))]], report=lines.append)

    def look() -> bool:
        time.sleep(min(supervisor.tick(), 0.02))
        return len(lines) == 2

    wait_until(look)
    assert lines[0] == "api ended with exit code 78; again in 0.2 s"


def test_a_command_that_dies_takes_its_descendants_with_it(spawn: Spawn, tmp_path: Path) -> None:
    # Each its line in one write: two that print at once may mix what they print.
    process = spawn("import os, time; os.fork(); os.write(1, b'%d\\n' % os.getpid()); time.sleep(99)")
    wait_until(lambda: len((tmp_path / "log").read_text().split()) == 2)
    pids = set(map(int, (tmp_path / "log").read_text().split()))
    os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: process.poll() is not None)
    assert process.poll() == -signal.SIGKILL
    wait_until(lambda: not alive(pids))


def test_the_supervisor_waits_longer_than_the_api_takes_to_stop() -> None:
    # aiohttp waits its time twice: for the answer, then for the handler whose body it cut off.
    runner = Runner(create_app(api_settings(database_url="postgresql://nowhere")))
    assert runner._shutdown_timeout * 2 == DRAIN_S
    closing_s = TILL_CLOSE_S + IDENTITY_CLOSE_S + CACHE_CLOSE_S + POOL_CLOSE_S
    assert FIRST_REQUEST_WAIT_S + DRAIN_S + closing_s < STOP_GRACE_S
    assert STOP_STEPS == ((signal.SIGTERM, STOP_GRACE_S),)


def test_stopping_goes_group_by_group_and_kills_what_does_not_listen(spawn: Spawn, tmp_path: Path) -> None:
    polite = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(print('bye', {name!r}))); print('up'); signal.pause()"
    deaf = "import signal, time; signal.signal(signal.SIGTERM, lambda *_: print('deaf')); print('up')\nwhile True: time.sleep(1)"
    programs = [polite.format(name="api"), deaf, polite.format(name="worker")]
    groups = [[Child(str(index), partial(spawn, text))] for index, text in enumerate(programs)]
    supervisor = Supervisor(groups, report=print)
    supervisor.tick()
    wait_until(lambda: (tmp_path / "log").read_text().count("up") == 3)
    supervisor.stop(hurry=lambda: True)
    assert (tmp_path / "log").read_text().split("\n")[3:] == ["bye api", "deaf", "bye worker", ""]


def test_a_bound_process_is_refused_outside_the_main_thread(spawn: Spawn) -> None:
    raised: list[BaseException] = []

    def start() -> None:
        try:
            spawn("")
        except RuntimeError as error:
            raised.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert len(raised) == 1
