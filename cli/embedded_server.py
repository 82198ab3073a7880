"""What PostgreSQL and Valkey have in common here: a data directory, a port and a password of their own."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from cli.ports import free_port, is_free
from cli.private_files import DirectoryLock, read_json_object, write_private_json
from cli.process import BoundProcess, Steps
from cli.process_log import log_since, log_size_bytes
from cli.trouble import Trouble

PORT_TRIES = 5


class EmbeddedServer(ABC):
    """A server in `data` that does not outlive this process. Start it from the main thread.

    In data: <file_name>.json (port, password), <file_name>.lock, log/<file_name>.log.
    port: None keeps the one it had, and takes another when that is taken.
    """

    name: ClassVar[str]
    file_name: ClassVar[str]
    stop_steps: ClassVar[Steps]
    start_timeout_s: ClassVar[float]
    port_taken_words: ClassVar[str]
    # What a person is to do when its file in data is damaged.
    mend_state: ClassVar[str]

    def __init__(self, data: Path, *, port: int | None = None) -> None:
        self.data = data.resolve()
        self.log = self.data / "log" / f"{self.file_name}.log"
        self.port = 0
        self.process: BoundProcess | None = None
        self._wanted_port = port
        self._password = ""
        self._state_file = self.data / f"{self.file_name}.json"
        self._lock = DirectoryLock(
            self.data / f"{self.file_name}.lock", taken=f"{self.name} already runs in {self.data}"
        )  # fmt: skip

    def start(self) -> None:
        """Make what is missing, start the server and wait until it answers. Raises Trouble when it cannot."""
        make_data_directory(self.data)
        self._lock.acquire()
        try:
            self._restore(read_json_object(self._state_file, mend=self.mend_state))
            self._prepare()
            self._run_on_some_port()
        except BaseException:
            self.stop()
            raise

    def stop(self, *, hurry: Callable[[], bool] = lambda: False) -> None:
        """Shut down, harder when that takes too long. No effect when it does not run."""
        if self.process is not None:
            self.process.stop(self.stop_steps, hurry=hurry)
            self.process = None
        self._lock.release()

    @abstractmethod
    def launch(self) -> BoundProcess:
        """Start the process on the port it has, without waiting; ends leftovers of earlier ones first."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether this server, not another on the same port, takes connections."""

    @abstractmethod
    def _prepare(self) -> None:
        """Make data and password when there are none."""

    def _state(self) -> dict[str, Any]:
        """What the next start must know."""
        return {"port": self.port, "password": self._password}

    def _restore(self, state: dict[str, Any]) -> None:
        """state: what was saved at the last start; empty at the first."""
        self.port = state.get("port", 0)
        self._password = state.get("password", "")

    def _save(self) -> None:
        write_private_json(self._state_file, self._state())

    def _run_on_some_port(self) -> None:
        for _ in range(PORT_TRIES):
            self.port = self._choose_port()
            if self._run():
                return
        raise Trouble(f"no port for {self.name} in {PORT_TRIES} tries, see {self.log}")

    def _choose_port(self) -> int:
        if self._wanted_port:
            if not is_free(self._wanted_port):
                raise Trouble(f"port {self._wanted_port} is in use; {self.name} needs another")
            return self._wanted_port
        return self.port if self.port and is_free(self.port) else free_port()

    def _run(self) -> bool:
        """Launch and wait. False when another took the port in the meantime."""
        log_start = log_size_bytes(self.log)
        self.process = process = self.launch()
        deadline_s = time.monotonic() + self.start_timeout_s
        while not self.is_ready():
            if process.poll() is not None:
                said = log_since(self.log, log_start)
                if self.port_taken_words in said and not self._wanted_port:
                    return False
                raise Trouble(f"{self.name} did not start: {reason(said)}; see {self.log}")
            if time.monotonic() > deadline_s:
                raise Trouble(f"{self.name} was not ready in {self.start_timeout_s:.0f} s, see {self.log}")
            time.sleep(0.01)
        self._save()
        return True

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def make_data_directory(data: Path) -> None:
    """As root others may pass through, because PostgreSQL runs as somebody else; the files are private."""
    data.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)


def reason(said: str) -> str:
    """The line of a server's log that says why it ended."""
    lines = [line for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if any(word in line for word in ("FATAL", "PANIC", "rror"))]
    return (telling or lines or ["it said nothing"])[-1].strip()
