"""How the processes end when they cannot work: a code, and lines for people."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from core.settings import SETTING_NAMES, SETTINGS_EXIT_CODE

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = {"api": "api", "scheduler": "workers.scheduler", "relay": "workers.relay", "worker": "workers"}
RIGHT = {
    "DATABASE_URL": "postgresql://nobody:s3cret@127.0.0.1:1/none",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "JWT_ACCESS_SECRET": "a" * 32,
    "JWT_REFRESH_SECRET": "r" * 32,
    "TERMINAL_MASTER_KEY": "m" * 32,
}
# The start of a process on a machine that has much else to do.
END_TIMEOUT_S = 120


def run(program: str, **settings: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name not in SETTING_NAMES}
    return subprocess.run(
        [sys.executable, "-P", "-m", PROGRAMS[program]],
        env={**inherited, **settings}, cwd=ROOT, capture_output=True, text=True, timeout=END_TIMEOUT_S, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_process_with_wrong_settings_says_all_that_are_wrong_and_ends_by_a_code_of_its_own(program: str) -> None:
    done = run(program, **{**RIGHT, "LOG_LEVEL": "verbose", "DATABASE_URL": "mysql://root:s3cret@h/d"})
    assert (done.returncode, done.stdout) == (SETTINGS_EXIT_CODE, "")
    assert done.stderr.splitlines() == [
        f"banca {program}: DATABASE_URL=mysql://root@h/d: must be a URL that begins with postgresql:// or postgres://",
        f"banca {program}: LOG_LEVEL=verbose: must be debug, info, warning or error",
    ]


@pytest.mark.parametrize(("program", "name"), [("api", "TERMINAL_MASTER_KEY"), ("relay", "REDIS_URL")])
def test_a_process_that_lacks_a_setting_says_which(program: str, name: str) -> None:
    done = run(program, **{other: value for other, value in RIGHT.items() if other != name})
    assert (done.returncode, done.stdout) == (SETTINGS_EXIT_CODE, "")
    [line] = done.stderr.splitlines()
    assert line.startswith(f"banca {program}: {name} is not set; it must be ")


def test_a_misspelt_setting_is_warned_of_and_stops_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run("api", **RIGHT, LOG_LEVL="debug", PORT=str(taken.getsockname()[1]), REUSE_PORT="false")
    warning, trouble = done.stderr.splitlines()
    assert warning == "banca api: warning: LOG_LEVL is no setting and is not read; is LOG_LEVEL meant?"
    assert "Address already in use" in trouble
    assert done.returncode == 1


@pytest.mark.parametrize(("program", "name"), [("api", "PORT"), ("worker", "METRICS_PORT"), ("relay", "METRICS_PORT")])
def test_a_port_that_is_taken_is_told_in_a_line(program: str, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run(program, **RIGHT, **{name: port, "REUSE_PORT": "false"})
    assert done.returncode == 1
    line = f"cannot listen on HOST 127.0.0.1, {name} {port}: Address already in use"
    assert done.stderr == f"banca {program}: {line}\n"
    # The log has it too, for those who read nothing else.
    entry = json.loads(done.stdout.splitlines()[-1])
    assert (entry["action"], entry["payload"]) == ("PROCESS_FAILED", {"error": line})


def test_a_process_takes_as_many_open_files_as_it_may_have() -> None:
    """A thousand terminals are more connections than a shell lets a process have at first."""
    program = (
        "import resource; from core.processes import run_process\n"
        "_, most = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, most))\n"
        "run_process('api', lambda _: print(resource.getrlimit(resource.RLIMIT_NOFILE) == (most, most)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env={**os.environ, **RIGHT, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True, timeout=END_TIMEOUT_S,
    )  # fmt: skip
    assert done.stdout == "True\n"


def test_a_defect_has_its_stack_in_the_log_and_a_line_for_the_person() -> None:
    program = (
        "import sys; from core.processes import run_process\n"
        "def work(settings): raise ValueError('two\\nlines')\n"
        "sys.exit(run_process('scheduler', work))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **RIGHT}, cwd=ROOT, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("banca scheduler: ValueError: two lines; its stack")
    assert "Traceback" not in done.stderr
    assert "Traceback" in json.loads(done.stdout.splitlines()[-1])["error"]["stack"]
