from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
from processes import alive, descendants, wait_until

from cli.process import BoundProcess
from cli.supervisor import Child, Supervisor

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")

GONE_WITHIN_S = 3.0
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
    program = Path(__file__).with_name("doomed.py")
    with subprocess.Popen([sys.executable, program, tmp_path], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_family(process: Run, tmp_path: Path) -> str:
    """Until the servers answer and all four of the family run; PostgreSQL's URL."""
    assert process.stdout is not None
    word, url = process.stdout.readline().split()
    assert word == "ready"
    log = tmp_path / "family.log"
    wait_until(lambda: log.exists() and log.read_text().count("here") == 4)
    return url


def test_after_kill_9_of_the_supervisor_no_process_of_the_stack_remains(doomed: Run, tmp_path: Path) -> None:
    wait_for_family(doomed, tmp_path)
    pids = descendants(doomed.pid)
    assert len(pids) >= 4 + 2 + 5 + 3, "the family, the servers, PostgreSQL's own, the watchers"
    doomed.kill()
    wait_until(lambda: not alive(pids), timeout_s=GONE_WITHIN_S)


async def test_what_was_committed_before_a_kill_9_is_there_after_the_next_start(doomed: Run, tmp_path: Path) -> None:
    connection = await asyncpg.connect(wait_for_family(doomed, tmp_path), timeout=5)
    await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    doomed.kill()
    connection.terminate()
    program = Path(__file__).with_name("doomed.py")
    # At once: what the first one left is still on its way down.
    with subprocess.Popen([sys.executable, program, tmp_path], stdout=subprocess.PIPE, text=True) as second:
        assert second.stdout is not None
        word, url = second.stdout.readline().split()
        assert word == "ready"
        connection = await asyncpg.connect(url, timeout=5)
        assert await connection.fetchval("SELECT answer FROM kept") == 42
        await connection.close()
        second.terminate()
        assert second.stdout.read() == "stopped\n"
    assert second.returncode == 0


def test_a_server_and_a_child_that_are_killed_are_started_again(doomed: Run, tmp_path: Path) -> None:
    wait_for_family(doomed, tmp_path)
    assert doomed.stdout is not None
    pid_file = tmp_path / "postgres" / "postmaster.pid"
    first = int(pid_file.read_text().splitlines()[0])
    os.kill(first, signal.SIGKILL)
    assert doomed.stdout.readline().startswith("postgres ended with SIGKILL; again in 0.2 s")
    wait_until(lambda: pid_file.exists() and "ready" in pid_file.read_text() and str(first) not in pid_file.read_text())


def test_a_child_that_dies_is_started_again_after_waits_that_double(spawn: Spawn) -> None:
    lines: list[str] = []
    supervisor = Supervisor([[Child("short", lambda: spawn("raise SystemExit(3)"))]], report=lines.append)

    def look() -> bool:
        time.sleep(min(supervisor.tick(), 0.02))
        return len(lines) == 3

    wait_until(look)
    assert lines == [f"short ended with exit code 3; again in {wait_s} s" for wait_s in ("0.2", "0.4", "0.8")]


def test_a_command_that_dies_takes_its_descendants_with_it(spawn: Spawn, tmp_path: Path) -> None:
    process = spawn("import os, time; print(os.getpid() if os.fork() else os.getpid()); time.sleep(99)")
    wait_until(lambda: len((tmp_path / "log").read_text().split()) == 2)
    pids = set(map(int, (tmp_path / "log").read_text().split()))
    os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: process.poll() is not None)
    assert process.poll() == -signal.SIGKILL
    wait_until(lambda: not alive(pids))


def test_stopping_goes_group_by_group_and_kills_what_does_not_listen(spawn: Spawn, tmp_path: Path) -> None:
    polite = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(print('bye', {name!r}))); print('up'); signal.pause()"
    deaf = "import signal, time; signal.signal(signal.SIGTERM, lambda *_: print('deaf')); print('up')\nwhile True: time.sleep(1)"
    programs = [polite.format(name="api"), deaf, polite.format(name="worker")]
    groups = [[Child(str(index), lambda text=text: spawn(text))] for index, text in enumerate(programs)]  # type: ignore[misc]  # the default binds the loop's value
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
