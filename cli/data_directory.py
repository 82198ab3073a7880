"""The directory of a stack: who may use it, and how it is emptied."""

from __future__ import annotations

import shutil
from pathlib import Path

from cli.embedded_server import make_data_directory
from cli.postgres import EmbeddedPostgres
from cli.private_files import DirectoryLock
from cli.process import end_orphans
from cli.stack import LOCK_FILE, SECRETS_FILE, STACK_FILE
from cli.trouble import Trouble

DEMO_FILE = "demo.json"
METRICS_DIRECTORY = "metrics"
# There while `./banca restore` fills the directory.
RESTORING_FILE = "restoring"
# All that a stack writes there, its lock and the cluster aside; nothing else is ever deleted.
CONTENTS = (
    *("postgres.lock", "valkey", "valkey.json", "valkey.lock"),
    *(STACK_FILE, SECRETS_FILE, DEMO_FILE, RESTORING_FILE, METRICS_DIRECTORY, "log"),
)


def lock(data: Path, *, fresh: bool) -> DirectoryLock:
    """For the one `up` of a data directory, made when it is missing; to be used as a context.

    Raises Trouble when fresh and the directory is not a stack's.
    """
    if fresh and data.exists() and any(data.iterdir()) and not (data / LOCK_FILE).exists():
        raise Trouble(f"{data} is not empty and no stack's: --fresh will not touch it")
    if not fresh and (data / RESTORING_FILE).exists():
        raise Trouble(f"a restore into {data} is under way, or was cut off: then delete the folder and restore again")
    make_data_directory(data)
    return DirectoryLock(
        data / LOCK_FILE, taken=f"a stack already runs in {data}: stop it first, or take another --data"
    )


def empty(data: Path) -> None:
    """Delete everything that stacks left there. The caller holds the lock."""
    EmbeddedPostgres(data).remove()
    # After a kill -9 it may still be on its way down.
    end_orphans(data / "valkey", "valkey-server", ())
    for path in (data / name for name in CONTENTS):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
