"""The directory of a stack: who may use it, how what is in it is set aside, and how a throw-away one is emptied."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cli.disk_space import START_BYTES, existing_part, require_room, size_bytes
from cli.embedded_server import make_data_directory
from cli.postgres import EmbeddedPostgres, listed
from cli.postgres_places import give_place, place_elsewhere, places_of
from cli.private_files import DirectoryLock
from cli.process import end_orphans
from cli.stack import LOCK_FILE, SECRETS_FILE, STACK_FILE
from cli.trouble import Trouble

DEMO_FILE = "demo.json"
MEND_DEMO = "restore it from a backup, or delete it: the next `up` adds another admin and seller to the demo banca"
METRICS_DIRECTORY = "metrics"
# There while `./banca restore` fills the directory.
RESTORING_FILE = "restoring"
# All that a stack writes there, its locks and the cluster aside; nothing else is ever touched.
CONTENTS = (
    *("valkey", "valkey.json"),
    *(STACK_FILE, SECRETS_FILE, DEMO_FILE, RESTORING_FILE, METRICS_DIRECTORY, "log"),
)
CLUSTER = ("postgres", "postgres.json")
LOCKS = ("postgres.lock", "valkey.lock")
ASIDE_PREFIX = "old-"
# In a directory that its maker may empty: a benchmark's.
THROWAWAY_FILE = "throw-away"


@dataclass(frozen=True, slots=True)
class Aside:
    """Where what was in a data directory is now. It is a data directory itself: `up --data` runs it.

    elsewhere: where its cluster is, when that was not in the data directory; it stays there.
    """

    directory: Path
    elsewhere: tuple[Path, ...]

    def __str__(self) -> str:
        bytes_all = sum(map(size_bytes, (self.directory, *self.elsewhere)))
        return f"{', '.join(map(str, (self.directory, *self.elsewhere)))} ({bytes_all / 1e6:.0f} MB)"


def lock(data: Path, *, fresh: bool) -> DirectoryLock:
    """For the one `up` of a data directory, made when it is missing; to be used as a context.

    Raises Trouble when fresh and the directory is not a stack's, and before anything is written where nothing can be.
    """
    if fresh and data.exists() and any(data.iterdir()) and not (data / LOCK_FILE).exists():
        raise Trouble(f"{data} is not empty and no stack's: --fresh will not touch it")
    if not fresh and (data / RESTORING_FILE).exists():
        raise Trouble(f"a restore into {data} is under way, or was cut off: then delete the folder and restore again")
    require_usable(data)
    make_data_directory(data)
    return DirectoryLock(
        data / LOCK_FILE, taken=f"a stack already runs in {data}: stop it first, or take another --data"
    )


@contextmanager
def throwaway(data: Path) -> Iterator[None]:
    """Locked, and empty. Raises Trouble when the directory has something that was not made in this way."""
    mark = data / THROWAWAY_FILE
    if (
        data.exists()
        and not mark.exists()
        and (there := [path.name for path in data.iterdir() if path.name != LOCK_FILE])
    ):
        raise Trouble(f"{data} has {listed(sorted(there))}, and was not made to be thrown away: take another --data")
    with lock(data, fresh=False):
        mark.touch()
        empty(data)
        yield


def require_usable(data: Path) -> None:
    """Raises Trouble when a stack of ours could not live there; nothing is written."""
    there = existing_part(data)
    with suppress(FileNotFoundError):
        owner = (data / LOCK_FILE).stat().st_uid
        if owner != os.geteuid():
            raise Trouble(
                f"the stack in {data} is of user {user_name(owner)}: run it as that user, or take another --data"
            )
    if not os.access(there, os.W_OK | os.X_OK):
        is_readonly = os.statvfs(there).f_flag & os.ST_RDONLY
        why = "its disk is read-only" if is_readonly else f"it belongs to user {user_name(there.stat().st_uid)}"
        raise Trouble(f"{there} cannot be written to, {why}: take another --data")
    require_room(data, START_BYTES)


def user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def set_aside(data: Path) -> Aside | None:
    """Move everything that stacks left there into a directory of its own in it. The caller holds the lock.

    Returns where it is now; None when there was nothing. Nothing is deleted.
    """
    # After a kill -9 they may still be on their way down.
    EmbeddedPostgres(data).end_leftovers()
    end_orphans(data / "valkey", "valkey-server", ())
    found = [path for name in (*CONTENTS, *CLUSTER) if os.path.lexists(path := data / name)]
    if not found:
        return None
    elsewhere = set(places_of(data))
    with suppress(Trouble):  # a damaged postgres.json, which is set aside like a whole one
        elsewhere |= {place} if (place := place_elsewhere(data)) is not None else set()
    directory = fresh_name(data)
    directory.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700)
    for path in found:
        try:
            path.rename(directory / path.name)
        except OSError as error:
            raise Trouble(
                f"{path} cannot be moved ({error.strerror}); what was beside it is in {directory}, nothing is deleted"
            ) from error
    (directory / LOCK_FILE).touch(mode=0o600)
    for place in elsewhere:
        give_place(place, directory)
    return Aside(directory, tuple(sorted(elsewhere)))


def fresh_name(data: Path) -> Path:
    name = f"{ASIDE_PREFIX}{datetime.now(UTC):%Y%m%d-%H%M%S}"
    names = (data / name, *(data / f"{name}-{number}" for number in range(2, 100)))
    return next(path for path in names if not os.path.lexists(path))


def empty(data: Path) -> None:
    """Delete everything that stacks left there: of a throw-away one. The caller holds the lock."""
    EmbeddedPostgres(data).remove()
    # After a kill -9 it may still be on its way down.
    end_orphans(data / "valkey", "valkey-server", ())
    for path in (data / name for name in (*CONTENTS, *LOCKS)):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
