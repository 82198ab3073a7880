"""The units of deploy/systemd, as far as they can be checked without a systemd that runs them."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.server import DRAIN_S
from cli.supervisor import STOP_GRACE_S
from core.settings import Settings
from tests.databases import TestDatabase
from tests.stack.processes import wait_until

ROOT = Path(__file__).resolve().parents[1]
UNITS = ROOT / "deploy" / "systemd"
SERVICES = sorted(UNITS.glob("*.service"))
PROCESSES = ("banca-api@.service", "banca-scheduler.service", "banca-relay.service", "banca-worker@.service")
each_service = pytest.mark.parametrize("unit", SERVICES, ids=lambda path: path.name)


def lines_of(unit: Path) -> list[str]:
    return [line for line in unit.read_text().splitlines() if line and not line.startswith("#")]


def value_of(unit: Path, name: str) -> list[str]:
    return [line.partition("=")[2] for line in lines_of(unit) if line.startswith(f"{name}=")]


def test_systemd_finds_nothing_to_complain_of(tmp_path: Path) -> None:
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("no systemd-analyze here to check the units with")
    names = []
    for path in UNITS.iterdir():
        # It looks whether the programs are there.
        text = path.read_text().replace("/opt/banca/.venv/bin/python", sys.executable).replace("/opt/banca", str(ROOT))
        for name in [path.name.replace("@", f"@{number}") for number in (1, 2)] if "@" in path.name else [path.name]:
            (tmp_path / name).write_text(text)
            names.append(name)
        (tmp_path / path.name).write_text(text)
    done = subprocess.run(
        [tool, "verify", "--recursive-errors=no", *(f"./{name}" for name in sorted(names))],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_every_process_of_the_system_has_its_unit() -> None:
    assert {path.name for path in UNITS.iterdir()} == {
        *PROCESSES,
        *("banca.target", "banca-api.socket", "banca-migrate.service", "banca-backup.service", "banca-backup.timer"),
    }


@each_service
def test_a_service_is_confined(unit: Path) -> None:
    assert value_of(unit, "User") == ["banca"]
    for name, value in {
        "NoNewPrivileges": "yes",
        "CapabilityBoundingSet": "",
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
        "PrivateTmp": "yes",
        "MemoryDenyWriteExecute": "yes",
        "UMask": "0077",
    }.items():
        assert value_of(unit, name) == [value], name


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_comes_again_and_has_the_time_to_end(name: str) -> None:
    unit = UNITS / name
    assert value_of(unit, "Restart") == ["always"]
    # Else systemd gives it up after five deaths in ten seconds.
    assert value_of(unit, "StartLimitIntervalSec") == ["0"]
    assert int(value_of(unit, "TimeoutStopSec")[0]) > STOP_GRACE_S > DRAIN_S
    assert "banca-migrate.service" in value_of(unit, "After")[0]


@each_service
def test_only_migrating_and_backing_up_know_the_owners_login(unit: Path) -> None:
    knows = "/etc/banca/owner.env" in value_of(unit, "EnvironmentFile")
    assert knows is (unit.name in {"banca-migrate.service", "banca-backup.service"})


@each_service
def test_what_a_unit_sets_is_a_setting(unit: Path) -> None:
    known = {name.upper() for name in Settings.model_fields} | {"PYTHONUNBUFFERED", "PROMETHEUS_MULTIPROC_DIR"}
    assert {value.partition("=")[0] for value in value_of(unit, "Environment")} <= known


@pytest.fixture
def api_command(database: TestDatabase, tmp_path: Path) -> Iterator[tuple[list[str], dict[str, str]]]:
    """ExecStart of an API process with its environment, at this place instead of /opt/banca."""
    [command] = value_of(UNITS / "banca-api@.service", "ExecStart")
    words = command.replace("/opt/banca/.venv/bin/python", sys.executable).split()
    yield (
        words,
        {
            "PATH": os.defpath,
            "DATABASE_URL": database.api_url,
            "JWT_ACCESS_SECRET": "a" * 32,
            "JWT_REFRESH_SECRET": "r" * 32,
            "TERMINAL_MASTER_KEY": "m" * 32,
            "PROMETHEUS_MULTIPROC_DIR": str(tmp_path),
        },
    )


def test_an_api_process_takes_the_socket_that_systemd_passes(api_command: tuple[list[str], dict[str, str]]) -> None:
    tool = shutil.which("systemd-socket-activate")
    if tool is None:
        pytest.skip("no systemd-socket-activate here to pass a socket with")
    command, environment = api_command
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    settings = [f"--setenv={name}={value}" for name, value in environment.items()]
    process = subprocess.Popen([tool, f"--listen=127.0.0.1:{port}", *settings, *command], cwd=ROOT)
    try:
        # It starts with the first connection, which waits for it.
        wait_until(lambda: answers(port), timeout_s=60)
    finally:
        process.terminate()
        assert process.wait(30) == 0


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=30) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_the_gauges_of_processes_that_are_gone_are_removed(tmp_path: Path) -> None:
    [command] = value_of(UNITS / "banca-api@.service", "ExecStopPost")
    [script] = re.findall(r"^/bin/sh -c '(.*)'$", command)
    # As systemd reads it.
    script = script.replace("$$", "$").replace("%%", "%").replace("/run/banca-api", str(tmp_path))
    gone = subprocess.Popen(["true"])
    gone.wait()
    living = tmp_path / f"gauge_livesum_{os.getpid()}.db"
    counters = tmp_path / f"counter_{gone.pid}.db"
    dead = tmp_path / f"gauge_livesum_{gone.pid}.db"
    for path in (living, counters, dead):
        path.touch()
    subprocess.run(["/bin/sh", "-c", script], check=True, timeout=20)
    assert sorted(tmp_path.iterdir()) == sorted((living, counters))


def test_a_backup_of_the_night_has_a_name_of_its_own_and_old_ones_go(tmp_path: Path) -> None:
    unit = UNITS / "banca-backup.service"
    [command] = value_of(unit, "ExecStart")
    [script] = re.findall(r"^/bin/sh -c '(.*)'$", command)
    script = script.replace("$$", "$").replace("%%", "%").replace("exec /opt/banca/.venv/bin/python", "echo")
    told = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True, timeout=20).stdout
    assert re.fullmatch(r"-P -m cli backup /var/backups/banca/\d{8}T\d{6}Z\n", told)
    [cleaning] = value_of(unit, "ExecStartPost")
    old, new = tmp_path / "old", tmp_path / "new"
    for folder in (old, new):
        folder.mkdir()
        (folder / "file").touch()
    os.utime(old, (0, 0))
    subprocess.run(cleaning.replace("/var/backups/banca", str(tmp_path)).split(), check=True, timeout=20)
    assert list(tmp_path.iterdir()) == [new]
