"""`./banca up` as a process of its own, in a directory whose data outlive it; and its children, to be killed by pid."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cli.demo import prepare
from cli.postgres import EmbeddedPostgres
from cli.stack import ROOT, Stack
from tests.stack.processes import table, wait_until

API_PROCESSES = 2
# Ours decide: the stack must run on servers of its own, and an event that was lost with a worker come again soon.
REPLACED = ("DATABASE_URL", "MIGRATION_DATABASE_URL", "REDIS_URL", "AMQP_URL")
SETTINGS = {"OUTBOX_RESEND_AFTER_S": "2"}
STOP_TIMEOUT_S = 30.0

Command = list[str]
PROGRAMS: Mapping[str, Callable[[Command], bool]] = MappingProxyType(
    {
        "api": lambda command: command[-2:] == ["-m", "api"],
        "relay": lambda command: command[-2:] == ["-m", "workers.relay"],
        "worker": lambda command: command[-2:] == ["-m", "workers"],
        "postgres": lambda command: Path(command[0]).name == "postgres",
        # It writes its address behind its name.
        "valkey": lambda command: Path(command[0].split()[0]).name == "valkey-server",
    }
)


class RunningStack:
    def __init__(self, place: Path) -> None:
        self.data = place / "stack"
        self._log = place / "up.log"
        self.process: subprocess.Popen[str] | None = None

    @property
    def stack(self) -> Stack:
        return Stack.load(self.data)

    def ensure(self) -> None:
        """Start it unless it runs; returns when it answers."""
        if self.process is not None and self.process.poll() is None:
            return
        environment = {name: value for name, value in os.environ.items() if name not in REPLACED} | SETTINGS
        command = [sys.executable, "-P", "-m", "cli", "up", "--port", "0", "--api", str(API_PROCESSES)]
        with self._log.open("a") as log:
            self.process = subprocess.Popen(
                [*command, "--data", self.data], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
            )  # fmt: skip
        assert self.process.stdout is not None
        said = any(line.startswith("Stop with") for line in self.process.stdout)
        assert said, self._log.read_text()
        assert len(self.pids("api")) == API_PROCESSES

    def terminate(self) -> int:
        """SIGTERM, and its exit code."""
        assert self.process is not None
        self.process.terminate()
        self.process.communicate(timeout=STOP_TIMEOUT_S)
        return self.process.returncode

    def remove(self) -> None:
        if self.process is not None and self.process.poll() is None:
            try:
                self.terminate()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.communicate()
        EmbeddedPostgres(self.data).remove()

    def pids(self, program: str) -> set[int]:
        """The stack's own processes of that program, not what they started in turn."""
        assert self.process is not None
        up, is_program = self.process.pid, PROGRAMS[program]
        children = [pid for pid, (parent, state) in table().items() if parent == up and state != "Z"]
        return {pid for pid in children if (command := command_of(pid)) and is_program(command)}

    def kill(self, program: str) -> int:
        """kill -9 one of that program's processes; its pid."""
        pid = min(self.pids(program))
        os.kill(pid, signal.SIGKILL)
        return pid

    def await_restart(self, program: str, *, of: int, timeout_s: float = 15.0) -> None:
        count = API_PROCESSES if program == "api" else 1
        wait_until(lambda: len(self.pids(program) - {of}) == count, timeout_s=timeout_s)

    async def demo(self, *, sellers: int, sorteos: int = 2) -> dict[str, Any]:
        """A banca of its own, so that what is counted in it is the test's doing."""
        return await prepare(
            self.stack,
            sellers=sellers,
            sorteos=sorteos,
            draw_in_s=24 * 3600,
            digits=2,
            new_banca=True,
            token_ttl_s=3600,
        )

    def verify(self) -> tuple[int, str]:
        """`./banca verify`: its exit code and what it found."""
        command = [sys.executable, "-P", "-m", "cli", "verify", "--json", "--data", str(self.data)]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        return run.returncode, run.stdout + run.stderr


def command_of(pid: int) -> Command:
    """Empty when it is gone."""
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_text().rstrip("\0").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []
