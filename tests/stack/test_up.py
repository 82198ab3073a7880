from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cli.data_directory import METRICS_DIRECTORY
from cli.ports import free_port, is_free
from cli.postgres import EmbeddedPostgres
from cli.stack import Stack, StackNotRunning
from core.settings import MigrationSettings, Settings, StackSettings
from tests.stack.processes import alive, descendants, wait_until
from tests.stack.up import Run, running_up, says_ready, start_up

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")

WITHOUT_API = ("--only", "relay,worker")


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Run]:
    with running_up(tmp_path, *WITHOUT_API) as process:
        yield process


def test_a_stack_refuses_a_second_one_and_leaves_nothing_after_a_signal(up: Run, tmp_path: Path) -> None:
    assert Stack.load(tmp_path).pid == up.pid
    pids = descendants(up.pid)
    with start_up(tmp_path, *WITHOUT_API, "--fresh", stderr=subprocess.PIPE) as second:
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


def test_a_setting_that_is_empty_is_unset_for_up_and_all_its_processes(tmp_path: Path) -> None:
    """A RabbitMQ that is named by an empty address is none: events go through Valkey, and arrive."""
    empty = {name.upper(): "" for of in (Settings, MigrationSettings, StackSettings) for name in of.model_fields}
    empty |= {"PROMETHEUS_MULTIPROC_DIR": "", "BANCA_PG_BIN": " ", "METRICS_PORT": " "}
    with start_up(tmp_path, "--only", "api,relay,worker", "--api", "1", "--port", "0", settings=empty) as up:
        try:
            assert says_ready(up)
            stack = Stack.load(tmp_path)
            assert stack.amqp_url is None
            assert urlsplit(stack.api_url).hostname == "127.0.0.1"
            checks = json.loads(get(f"{stack.api_url}/health"))["checks"]
            assert {name: check["status"] for name, check in checks.items()}["broker"] == "up"
            assert "http_requests_total" in get(f"{stack.api_url}/metrics")
            wait_until(lambda: "RELAY_STARTED" in (tmp_path / "log" / "relay.log").read_text())
            assert "RedisTransport" in (tmp_path / "log" / "relay.log").read_text()
            wait_until(lambda: "WORKER_STARTED" in (tmp_path / "log" / "worker.log").read_text())
            # Nor does a start that goes well warn of anything.
            said = [json.loads(line) for name in ("api", "relay", "worker") for line in lines(tmp_path, name)]
            assert [line for line in said if line["level"] != "info"] == []
        finally:
            up.terminate()
            assert up.wait(30) == 0
    EmbeddedPostgres(tmp_path).remove()


def lines(data: Path, name: str) -> list[str]:
    return (data / "log" / f"{name}.log").read_text().splitlines()


def get(url: str) -> str:
    # A connection of its own for each: the kernel chooses the process.
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own http URL
        return str(answer.read().decode())


def test_each_process_without_an_api_has_a_metrics_port_of_its_own(tmp_path: Path) -> None:
    first = next(port for port in iter(free_port, None) if all(map(is_free, range(port, port + 3))))
    with start_up(tmp_path, "--only", "scheduler,relay,worker", settings={"METRICS_PORT": str(first)}) as up:
        try:
            assert says_ready(up)
            named = ("scheduler_moves_total", "relay_events_total", "audit_events_total")
            for port, name in zip(range(first, first + 3), named, strict=True):
                wait_until(partial(shows, port, name), timeout_s=60)
        finally:
            up.terminate()
            assert up.wait(30) == 0
    EmbeddedPostgres(tmp_path).remove()


def shows(port: int, name: str) -> bool:
    try:
        return f"\n{name}" in get(f"http://127.0.0.1:{port}/metrics")
    except OSError:
        return False


def sample(metrics: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (.+)$", metrics, re.MULTILINE)
    return float(found[1]) if found else 0.0


def counting(metrics: Path) -> set[int]:
    """The processes whose gauges count."""
    return {int(path.stem.rpartition("_")[2]) for path in metrics.glob("gauge_livesum_*.db")}


def test_two_api_processes_count_together_and_the_dead_ones_gauges_go(tmp_path: Path) -> None:
    """Requests are counted whichever process answered them, and whichever is asked."""
    stale = tmp_path / METRICS_DIRECTORY / "counter_1.db"
    stale.parent.mkdir()
    stale.touch()
    lives = 'http_requests_total{method="GET",route="/health/live",status="200"}'
    with start_up(tmp_path, "--only", "api", "--api", "2", "--port", "0") as up:
        try:
            assert says_ready(up)
            assert not stale.exists()
            url = Stack.load(tmp_path).api_url
            wait_until(lambda: len(counting(stale.parent)) == 2)
            for _ in range(20):
                get(f"{url}/health/live")
            assert {sample(get(f"{url}/metrics"), lives) for _ in range(10)} == {20}
            # One socket, which the supervisor keeps: what waits there is for whichever process accepts it.
            kept = {each.readlink() for each in Path(f"/proc/{up.pid}/fd").iterdir()}
            shared = {Path(f"/proc/{pid}/fd/3").readlink() for pid in counting(stale.parent)}
            assert len(shared) == 1
            assert shared < kept
            first = min(counting(stale.parent))
            os.kill(first, signal.SIGKILL)
            wait_until(lambda: len(counting(stale.parent) - {first}) == 2)
            assert first not in counting(stale.parent)
            assert sample(get(f"{url}/metrics"), lives) == 20
        finally:
            up.terminate()
            up.wait(30)
    EmbeddedPostgres(tmp_path).remove()
