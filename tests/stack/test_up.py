from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.postgres import EmbeddedPostgres
from cli.stack import Stack, StackNotRunning
from tests.stack.processes import alive, descendants, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")

REPLACED_BY = ("DATABASE_URL", "MIGRATION_DATABASE_URL", "REDIS_URL", "AMQP_URL")
Run = subprocess.Popen[str]


def start(data: Path, *options: str) -> Run:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "cli", "up", "--data", data, "--only", "relay,worker", *options],
        env={name: value for name, value in os.environ.items() if name not in REPLACED_BY},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Run]:
    with start(tmp_path) as process:
        try:
            assert process.stdout is not None
            assert any(line.startswith("Stop with") for line in process.stdout)
            yield process
        finally:
            process.kill()
    EmbeddedPostgres(tmp_path).remove()


def test_a_stack_refuses_a_second_one_and_leaves_nothing_after_a_signal(up: Run, tmp_path: Path) -> None:
    assert Stack.load(tmp_path).pid == up.pid
    pids = descendants(up.pid)
    with start(tmp_path, "--fresh") as second:
        _, complaint = second.communicate()
    assert second.returncode == 1
    assert "already runs" in complaint
    assert complaint.count("\n") == 1
    up.terminate()
    assert up.wait(20) == 0
    assert not alive(pids)
    with pytest.raises(StackNotRunning):
        Stack.load(tmp_path)


def test_after_kill_9_of_up_nothing_of_it_remains(up: Run) -> None:
    pids = descendants(up.pid)
    up.kill()
    wait_until(lambda: not alive(pids), timeout_s=3)
