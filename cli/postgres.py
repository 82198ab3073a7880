"""PostgreSQL as a child of this process: own port, own password, full durability."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from cli.embedded_server import EmbeddedServer
from cli.ports import LOOPBACK
from cli.postgres_installation import ENVIRONMENT, Installation, can_reach, find_installation
from cli.postgres_places import make_place_elsewhere, place_elsewhere
from cli.process import BoundProcess, Steps, end_orphans
from cli.trouble import Trouble

SETTINGS: Final[Mapping[str, str]] = {
    "shared_buffers": "256MB",
    "max_connections": "100",
    "max_wal_size": "4GB",
    # So much is used again rather than made: a commit that has to make 16 MB of it waits 20 to 40 ms.
    "min_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "off",
    "random_page_cost": "1.1",
    # Compiling a plan costs more than these short statements take.
    "jit": "off",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_preload_libraries": "pg_stat_statements",
    "log_line_prefix": "%m [%p] ",
    "log_timezone": "UTC",
}
DATABASE = "banca"
# One collation everywhere, so that an index built here orders like one built elsewhere.
LOCALE = ("-E", "UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
ORPHAN_STEPS: Steps = ((signal.SIGINT, 5.0), (signal.SIGQUIT, 3.0))
DEATH_SIGNALS = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)
# In postmaster.pid: the line where the server says how it is, counted from 0.
STATUS_LINE = 7


class EmbeddedPostgres(EmbeddedServer):
    """A PostgreSQL server on TCP at 127.0.0.1 with a database `banca`; see EmbeddedServer.

    The cluster is in data/postgres, unless the server's user cannot get there (root's home): then it
    is in a directory under /var/tmp that postgres.json names.

    settings: on top of SETTINGS. With fsync off, making the cluster skips its fsyncs too.
    """

    name = "PostgreSQL"
    file_name = "postgres"
    # Fast shutdown writes a checkpoint; immediate shutdown leaves that to the next start's recovery.
    stop_steps = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0))
    # A start may have to replay max_wal_size after a kill.
    start_timeout_s = 120.0
    port_taken_words = "Address already in use"

    def __init__(self, data: Path, *, port: int | None = None, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(data, port=port)
        self._settings = {**SETTINGS, **(settings or {})}
        self.cluster = self.data / "postgres"
        self._installation: Installation | None = None

    @property
    def owner_url(self) -> str:
        """For the superuser `banca` of the database `banca`; no query string."""
        return f"postgresql://banca:{self._password}@{LOOPBACK}:{self.port}/{DATABASE}"

    def launch(self) -> BoundProcess:
        assert self._installation is not None, "start() comes first"
        end_orphans(self.cluster, "postgres", ORPHAN_STEPS)
        # Without it the number in the file, taken by another process since, would stop the start; that
        # no leftover uses the cluster's shared memory is checked by the server itself.
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)
        options = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            **self._settings,
        }
        self.process = BoundProcess(
            [
                self._installation.bin / "postgres",  # the full path: it finds its files from there
                *("-D", self.cluster),
                *(part for name, value in options.items() for part in ("-c", f"{name}={value}")),
            ],
            env=ENVIRONMENT,
            log=self.log,
            identity=self._installation.identity.argument,
            death_signals=DEATH_SIGNALS,
        )
        return self.process

    def remove(self) -> None:
        """Delete the cluster for good, wherever it is. Raises Trouble when another process runs it."""
        self.stop()
        if not self.data.exists():
            return
        with self._lock:
            elsewhere = place_elsewhere(self.data)
            cluster = (elsewhere or self.data) / "postgres"
            # After a kill -9 it may still be on its way down.
            end_orphans(cluster, "postgres", ORPHAN_STEPS)
            for path in (cluster, cluster.with_name("postgres.new"), *([elsewhere] if elsewhere else [])):
                remove_tree(path)
            self._state_file.unlink(missing_ok=True)

    def is_ready(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            return False
        try:
            lines = (self.cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > STATUS_LINE and lines[0] == str(self.process.pid) and lines[STATUS_LINE].strip() == "ready"

    def _prepare(self) -> None:
        if (self.cluster / "PG_VERSION").exists():
            if not self._password:
                raise Trouble(
                    f"{self.cluster} has data, but its password ({self._state_file}) is gone; --fresh starts anew"
                )
            self._installation = find_installation(self.cluster.stat().st_uid)
        else:
            self._installation = find_installation()
            self._create_cluster(self._installation)

    def _create_cluster(self, installation: Installation) -> None:
        """Make the cluster under another name first, so that one cut off half way is never used."""
        place = self.data if can_reach(installation.identity, self.data) else make_place_elsewhere(self.data)
        draft = place / "postgres.new"
        self.cluster = place / "postgres"
        for leftover in (self.cluster, draft):
            remove_tree(leftover)
        draft.mkdir(mode=0o700)
        give(draft, installation)
        self._fill(draft, installation)
        # The password before the cluster: a cluster whose password is lost is of no use.
        self._save()
        draft.rename(self.cluster)

    def _fill(self, draft: Path, installation: Installation) -> None:
        """Make the cluster in an empty directory that its server's user owns, and set its password."""
        password_file = draft.with_name("postgres.password")
        self._password = secrets.token_hex(16)
        try:
            password_file.unlink(missing_ok=True)
            password_file.touch(mode=0o600)
            password_file.write_text(f"{self._password}\n", encoding="ascii")
            give(password_file, installation)
            sync = () if self._settings["fsync"] == "on" else ("--no-sync",)
            access = ("-U", "banca", "-A", "scram-sha-256", "--pwfile", password_file)
            installation.run("initdb", "-D", draft, *access, *LOCALE, *sync)
        finally:
            password_file.unlink(missing_ok=True)
        installation.run("postgres", "--single", "-D", draft, "postgres", text=f"CREATE DATABASE {DATABASE};\n")

    def _restore(self, state: dict[str, Any]) -> None:
        super()._restore(state)
        self.cluster = Path(state.get("cluster", self.cluster))

    def _state(self) -> dict[str, Any]:
        return {**super()._state(), **({} if self.cluster.parent == self.data else {"cluster": str(self.cluster)})}


def remove_tree(path: Path) -> None:
    with suppress(FileNotFoundError):
        shutil.rmtree(path)


def give(path: Path, installation: Installation) -> None:
    """To the user that the server runs as; in a namespace that is who we are."""
    if not installation.identity.namespace and installation.identity.uid != os.geteuid():
        os.chown(path, installation.identity.uid, installation.identity.gid)
