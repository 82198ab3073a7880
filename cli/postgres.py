"""PostgreSQL as a child of this process: own port, own password, full durability."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from cli.disk_space import NEW_STACK_BYTES, START_BYTES, require_room
from cli.embedded_server import EmbeddedServer
from cli.ports import LOOPBACK
from cli.postgres_installation import ENVIRONMENT, SHARED_PLACE, Installation, can_reach, find_installation
from cli.postgres_places import MEND_STATE, make_place_elsewhere, place_elsewhere, places_of
from cli.private_files import read_json_object
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
# Without one of them a server does not start, or the data are not whole.
ESSENTIAL = ("PG_VERSION", "global/pg_control", "base", "pg_wal", "pg_xact", "postgresql.conf", "pg_hba.conf")
# A cluster is made in a directory of this beginning that has the mark. Nothing else that is found is ever deleted.
DRAFT_PREFIX = "postgres.new-"
DRAFT_MARK = "made-by-banca"
SHOWN_MAX = 4
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
    mend_state = MEND_STATE

    def __init__(self, data: Path, *, port: int | None = None, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(data, port=port)
        self._settings = {**SETTINGS, **(settings or {})}
        self.cluster = self.data / "postgres"
        # Whether there has been a cluster, by what the last start wrote down.
        self._is_made = False
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
        """Delete the cluster for good, wherever it is: of a stack that is thrown away.

        Raises Trouble when another process runs it.
        """
        self.stop()
        if not self.data.exists():
            return
        with self._lock:
            elsewhere = place_elsewhere(self.data)
            place = elsewhere or self.data
            # After a kill -9 it may still be on its way down.
            end_orphans(place / "postgres", "postgres", ORPHAN_STEPS)
            remove_drafts(place)
            for path in (place / "postgres", *([elsewhere] if elsewhere else [])):
                remove_tree(path)
            self._state_file.unlink(missing_ok=True)

    def end_leftovers(self) -> None:
        """End a server that a supervisor which died left behind. Raises Trouble when another process runs it."""
        with self._lock:
            with suppress(Trouble):
                self._restore(read_json_object(self._state_file, mend=""))
            for cluster in {
                self.cluster,
                self.data / "postgres",
                *(place / "postgres" for place in places_of(self.data)),
            }:
                end_orphans(cluster, "postgres", ORPHAN_STEPS)

    def renew_password(self) -> None:
        """Give the superuser a new password, and write postgres.json anew: when that is lost or damaged.

        Nothing else in the cluster changes. Raises Trouble when there is no cluster, or another process runs it.
        """
        with self._lock:
            with suppress(Trouble):
                self._restore(read_json_object(self._state_file, mend=""))
            if not has_content(self.cluster):
                match places_of(self.data):
                    case [place]:
                        self.cluster = place / "postgres"
                    case []:
                        raise Trouble(f"{self.data} has no cluster of PostgreSQL: nothing was changed")
                    case places:
                        raise Trouble(
                            f"several clusters say that they belong to {self.data}: {listed(places)}. Move away all but one"
                        )
            installation = self._find_installation_of_cluster()
            end_orphans(self.cluster, "postgres", ORPHAN_STEPS)
            (self.cluster / "postmaster.pid").unlink(missing_ok=True)
            # The one in a damaged file may be any.
            self.port = 0
            self._password = secrets.token_hex(16)
            statement = f"ALTER ROLE banca PASSWORD '{self._password}';\n"
            installation.run("postgres", "--single", "-D", self.cluster, "postgres", text=statement)
            self._is_made = True
            self._save()

    def is_ready(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            return False
        try:
            lines = (self.cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > STATUS_LINE and lines[0] == str(self.process.pid) and lines[STATUS_LINE].strip() == "ready"

    def _prepare(self) -> None:
        if has_content(self.cluster):
            self._installation = self._find_installation_of_cluster()
            if not self._password:
                raise Trouble(
                    f"{self.cluster} has data, but {self._state_file} with its password is gone: restore that file from a"
                    f" backup, or make a new password with ./banca postgres-password --data {self.data}"
                )
            require_room(self.cluster, START_BYTES)
            return
        if self._is_made:
            raise Trouble(
                f"{self._state_file} tells of a cluster in {self.cluster}, and none is there: restore it from a backup, or"
                " begin with an empty database with --fresh"
            )
        if places := places_of(self.data):
            raise Trouble(
                f"{listed(places)} has this stack's data, but {self._state_file} that names it is gone: restore that file"
                f" from a backup, or make it anew with ./banca postgres-password --data {self.data}"
            )
        self._installation = find_installation()
        self._create_cluster(self._installation)

    def _find_installation_of_cluster(self) -> Installation:
        """The binaries that can run the cluster. Raises Trouble when it is not whole, or of another version."""
        missing = [name for name in ESSENTIAL if not (self.cluster / name).exists()]
        if missing:
            found = sorted(path.name for path in self.cluster.iterdir()) if self.cluster.is_dir() else ["no directory"]
            raise Trouble(
                f"{self.cluster} is no whole cluster of PostgreSQL: it has {listed(found)}, and lacks {listed(missing)}."
                " Nothing was touched: restore it from a backup, or set it aside and begin with an empty database with --fresh"
            )
        installation = find_installation(self.cluster.stat().st_uid)
        version = (self.cluster / "PG_VERSION").read_text(encoding="ascii", errors="replace").strip()
        if version != installation.major:
            raise Trouble(
                f"{self.cluster} is of PostgreSQL {version[:20]}, and the programs in {installation.bin} are of"
                f" {installation.major}: set BANCA_PG_BIN to the programs of {version[:20]}, or upgrade the data with pg_upgrade"
            )
        return installation

    def _create_cluster(self, installation: Installation) -> None:
        """Make the cluster in another directory first, so that one cut off half way is never used."""
        place = self.data
        if not can_reach(installation.identity, self.data):
            require_room(SHARED_PLACE, NEW_STACK_BYTES)
            place = make_place_elsewhere(self.data, is_throwaway=self._settings["fsync"] == "off")
        require_room(place, NEW_STACK_BYTES)
        self.cluster = place / "postgres"
        remove_drafts(place)
        workshop = Path(tempfile.mkdtemp(prefix=DRAFT_PREFIX, dir=place))
        try:
            (workshop / DRAFT_MARK).touch()
            workshop.chmod(0o711)
            draft = workshop / "postgres"
            draft.mkdir(mode=0o700)
            give(draft, installation)
            self._fill(draft, installation)
            # The password before the cluster: a cluster whose password is lost is of no use.
            self._save()
            # Over an empty directory only.
            draft.rename(self.cluster)
        finally:
            remove_tree(workshop)
        self._is_made = True
        self._save()

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
        # Before it was written down, the file was written when the cluster was there.
        self._is_made = state.get("made", bool(self._password))

    def _state(self) -> dict[str, Any]:
        elsewhere = {} if self.cluster.parent == self.data else {"cluster": str(self.cluster)}
        return {**super()._state(), "made": self._is_made, **elsewhere}


def has_content(directory: Path) -> bool:
    """Whether anything is there; what is no directory counts, too."""
    try:
        return any(directory.iterdir())
    except FileNotFoundError:
        # A link to a disk that is not mounted is something.
        return directory.is_symlink()
    except NotADirectoryError:
        return True


def listed(names: Sequence[object]) -> str:
    shown = ", ".join(map(str, names[:SHOWN_MAX]))
    return shown if len(names) <= SHOWN_MAX else f"{shown} and {len(names) - SHOWN_MAX} more"


def remove_drafts(place: Path) -> None:
    """Clusters that a start which was cut off did not finish: only what is marked as such."""
    for workshop in place.glob(f"{DRAFT_PREFIX}*"):
        if (workshop / DRAFT_MARK).is_file() and not workshop.is_symlink():
            remove_tree(workshop)


def remove_tree(path: Path) -> None:
    with suppress(FileNotFoundError):
        shutil.rmtree(path)


def give(path: Path, installation: Installation) -> None:
    """To the user that the server runs as; in a namespace that is who we are."""
    if not installation.identity.namespace and installation.identity.uid != os.geteuid():
        os.chown(path, installation.identity.uid, installation.identity.gid)
