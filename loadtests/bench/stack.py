"""The stack that is measured: `./banca up` in a directory of its own, as a child that cannot outlive the benchmark."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Self

from cli.data_directory import THROWAWAY_FILE, throwaway
from cli.process import BoundProcess, Steps
from cli.process_log import log_since
from cli.stack import LOCK_FILE, ROOT, Role, Stack, StackNotRunning
from cli.trouble import Trouble
from loadtests.bench.processes import children_of, command_of, cpu_s

# The stack runs on servers of its own, whatever the environment says; only the broker may be somebody else's.
REPLACED = ("DATABASE_URL", "MIGRATION_DATABASE_URL", "REDIS_URL", "PROMETHEUS_MULTIPROC_DIR")
STOP_STEPS: Steps = ((signal.SIGTERM, 60.0),)
START_TIMEOUT_S = 180.0
POLL_S = 0.05
LOG_FILE = "bench.log"

PROGRAMS: Mapping[str, Callable[[list[str]], bool]] = MappingProxyType(
    {
        "api": lambda command: command[-2:] == ["-m", "api"],
        "scheduler": lambda command: command[-2:] == ["-m", "workers.scheduler"],
        "relay": lambda command: command[-2:] == ["-m", "workers.relay"],
        "worker": lambda command: command[-2:] == ["-m", "workers"],
        "postgres": lambda command: Path(command[0]).name == "postgres",
        # It writes its address behind its name.
        "valkey": lambda command: Path(command[0].split()[0]).name == "valkey-server",
    }
)


class BenchStack:
    """with BenchStack(data) as bench: with bench.running(only="api"): ….

    data: emptied at the end, and deleted when it was not there before. Raises Trouble when something is in it that no
    benchmark made.
    """

    def __init__(self, data: Path, *, api: int) -> None:
        self.data = data.resolve()
        self._api = api
        self._own = [path for path in (self.data, self.data.parent) if not path.exists()]
        self._up: BoundProcess | None = None

    def __enter__(self) -> Self:
        with throwaway(self.data):
            return self

    def __exit__(self, *_: object) -> None:
        with throwaway(self.data):
            pass
        for name in (LOCK_FILE, LOG_FILE, THROWAWAY_FILE):
            (self.data / name).unlink(missing_ok=True)
        with suppress(OSError):
            for directory in self._own:
                directory.rmdir()

    @property
    def stack(self) -> Stack:
        return Stack.load(self.data)

    @contextmanager
    def running(self, *, only: str | None) -> Iterator[Stack]:
        """Start it, once it answers go on, and stop it."""
        command = [sys.executable, "-P", "-m", "cli", "up", "--port", "0", "--api", str(self._api)]
        environment = {name: value for name, value in os.environ.items() if name not in REPLACED}
        self._up = BoundProcess(
            [*command, "--data", str(self.data), *(("--only", only) if only else ())],
            env=environment,
            log=self.data / LOG_FILE,
            directory=ROOT,
            death_signals=(signal.SIGTERM, signal.SIGKILL),
        )
        try:
            yield self._await_ready()
        finally:
            self._up.stop(STOP_STEPS)
            self._up = None

    @contextmanager
    def process(self, module: str, *arguments: str, role: Role, port: int) -> Iterator[None]:
        """Another process on this stack, until the end of the context."""
        environment = self.stack.process_environment(role) | {"PORT": str(port), "HOST": "127.0.0.1"}
        process = BoundProcess(
            [sys.executable, "-P", "-m", module, *arguments],
            env=environment, log=self.data / "log" / f"{module}.log", directory=ROOT,
        )  # fmt: skip
        try:
            yield
        finally:
            process.stop(STOP_STEPS)

    @contextmanager
    def broker_outage(self) -> Iterator[Callable[[], None]]:
        """The broker answers nobody until the function is called, or the context ends.

        The embedded one is frozen. Of a RabbitMQ that is not ours, relay and worker are frozen instead.
        """
        frozen = [pid for name in self._broker() for pid in self.pids(name)]
        signal_all(frozen, signal.SIGSTOP)
        try:
            yield lambda: signal_all(frozen, signal.SIGCONT)
        finally:
            signal_all(frozen, signal.SIGCONT)

    def pids(self, program: str) -> list[int]:
        """The stack's own processes of that program, not what they started in turn."""
        assert self._up is not None, "it runs"
        is_program = PROGRAMS[program]
        return [pid for pid in children_of(self._up.pid) if (command := command_of(pid)) and is_program(command)]

    def cpu_s(self) -> dict[str, float]:
        """What each program took of the processor so far, all its processes and their children together."""
        return {program: sum(cpu_s(pid) for pid in self.pids(program)) for program in PROGRAMS}

    def _broker(self) -> Sequence[str]:
        return ("relay", "worker") if self.stack.amqp_url else ("valkey",)

    def _await_ready(self) -> Stack:
        assert self._up is not None, "it was started"
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline_s:
            if self._up.poll() is not None:
                break
            with suppress(StackNotRunning):
                return self.stack
            time.sleep(POLL_S)
        raise Trouble(f"the stack did not start: {log_since(self.data / LOG_FILE, 0).strip()[-500:]}")


def signal_all(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
