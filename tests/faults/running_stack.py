"""`./banca up` as a process of its own, in a directory whose data outlive it; and its children, to be killed by pid."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from cli.demo import prepare
from cli.postgres import EmbeddedPostgres
from cli.stack import ROOT, Stack
from loadtests.bench.processes import children_of, command_of
from loadtests.bench.stack import PROGRAMS
from tests.stack.processes import wait_until
from tests.stack.up import Run, says_ready, start_up

API_PROCESSES = 2
# An event that was lost with a worker must come again soon.
SETTINGS = {"OUTBOX_RESEND_AFTER_S": "2"}
STOP_TIMEOUT_S = 30.0


class RunningStack:
    def __init__(self, place: Path) -> None:
        self.data = place / "stack"
        self._log = place / "up.log"
        self.process: Run | None = None

    @property
    def stack(self) -> Stack:
        return Stack.load(self.data)

    def ensure(self) -> None:
        """Start it unless it runs; returns when it answers."""
        if self.process is not None and self.process.poll() is None:
            return
        options = ("--port", "0", "--api", str(API_PROCESSES))
        with self._log.open("a") as log:
            self.process = start_up(self.data, *options, stderr=log, settings=SETTINGS)
        assert says_ready(self.process), self._log.read_text()
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
        is_program = PROGRAMS[program]
        return {pid for pid in children_of(self.process.pid) if (command := command_of(pid)) and is_program(command)}

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
