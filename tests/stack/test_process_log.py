"""Logs are bounded while the processes run, and no line is lost or torn by it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from cli import process_log
from cli.postgres import EmbeddedPostgres
from cli.process import BoundProcess
from cli.valkey import EmbeddedValkey
from tests.stack.processes import wait_until

# Lines of many lengths, of which each says whose it is, which, and where it ends.
WRITER = """
import sys
name, count = sys.argv[1], int(sys.argv[2])
for number in range(count):
    sys.stdout.write(f"{name} {number} {'x' * (number * 37 % 900)} end\\n")
    sys.stdout.flush()
"""
Write = Callable[[str, int, Path], BoundProcess]


@pytest.fixture
def write() -> Iterator[Write]:
    """A process that writes so many lines into the log."""
    started = []

    def start(name: str, count: int, log: Path) -> BoundProcess:
        process = BoundProcess([sys.executable, "-c", WRITER, name, str(count)], env={}, log=log)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()


def logs(path: Path) -> list[Path]:
    """From the oldest to the one that is written."""
    older = [process_log.numbered(path, number) for number in range(process_log.LOGS_KEPT, 0, -1)]
    return [each for each in (*older, path) if each.exists()]


def lines(path: Path) -> list[str]:
    return [line for each in logs(path) for line in each.read_text().splitlines()]


def numbers(found: list[str], name: str) -> list[int]:
    """Of the writer's lines, in the order of the files. None is torn."""
    mine = [line.split(" ") for line in found if line.startswith(f"{name} ")]
    assert all(len(parts) == 4 and parts[3] == "end" and set(parts[2]) <= {"x"} for parts in mine)
    return [int(parts[1]) for parts in mine]


def test_no_line_is_lost_or_torn_when_a_log_begins_anew_under_several_writers(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_log, "LOG_BYTES_MAX", 150_000)
    monkeypatch.setattr(process_log, "LOGS_KEPT", 100)
    log, count = tmp_path / "log" / "shared.log", 2_000
    processes = [write(name, count, log) for name in "abc"]
    wait_until(lambda: all(process.poll() == 0 for process in processes), timeout_s=60)
    found = lines(log)
    assert [numbers(found, name) for name in "abc"] == [list(range(count))] * 3
    assert len(found) == 3 * count
    assert len(logs(log)) > 5
    assert all(each.stat().st_size <= 150_000 for each in logs(log))


def test_a_log_takes_so_much_at_most_and_keeps_what_is_newest(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_log, "LOG_BYTES_MAX", 100_000)
    log, count = tmp_path / "one.log", 4_000
    process = write("a", count, log)
    wait_until(lambda: process.poll() == 0, timeout_s=60)
    assert len(list(tmp_path.iterdir())) == len(logs(log)) == process_log.LOGS_KEPT + 1
    assert all(each.stat().st_size <= 100_000 for each in logs(log))
    kept = numbers(lines(log), "a")
    assert kept == list(range(kept[0], count))
    assert kept[0] > 0


def test_what_a_process_said_is_in_its_log_once_it_has_ended(write: Write, tmp_path: Path) -> None:
    log = tmp_path / "said.log"
    for _ in range(5):
        before = process_log.log_size_bytes(log)
        process = BoundProcess([sys.executable, "-c", "print('one'); print('and the reason', end='')"], env={}, log=log)
        while process.poll() is None:
            pass
        assert process_log.log_since(log, before) == "one\nand the reason\n"


def test_a_disk_that_is_full_holds_up_nobody(write: Write, tmp_path: Path) -> None:
    log = tmp_path / "full.log"
    log.symlink_to("/dev/full")
    process = write("a", 10_000, log)
    wait_until(lambda: process.poll() == 0, timeout_s=60)


def test_a_line_that_does_not_end_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_log, "LINE_BYTES_MAX", 100_000)
    log = tmp_path / "long.log"
    process = BoundProcess([sys.executable, "-c", "print('x' * 1_000_000)"], env={}, log=log)
    wait_until(lambda: process.poll() == 0, timeout_s=60)
    assert sum(map(len, lines(log))) == 1_000_000
    assert max(map(len, lines(log))) <= 100_000 + process_log.READ_BYTES


async def test_the_servers_logs_are_bounded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_log, "LOG_BYTES_MAX", 100_000)
    with EmbeddedPostgres(tmp_path, settings={"fsync": "off"}) as postgres, EmbeddedValkey(tmp_path) as valkey:
        connection = await asyncpg.connect(postgres.owner_url)
        await connection.execute(
            "DO $$ BEGIN FOR i IN 1 .. 2000 LOOP RAISE LOG 'line % %', i, repeat('x', 200); END LOOP; END $$"
        )
        await connection.close()
        wait_until(lambda: any("line 2000 " in line for line in lines(postgres.log)))
        assert len(logs(postgres.log)) == process_log.LOGS_KEPT + 1
        assert all(each.stat().st_size <= 100_000 for each in logs(postgres.log))
        assert valkey.log.stat().st_size > 0
    postgres.remove()
