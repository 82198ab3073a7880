"""Where a cluster goes that its server could not reach in the data directory: root's stacks in root's home."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path

from cli.postgres_installation import SHARED_PLACE
from cli.private_files import is_locked, read_json_object
from cli.process import processes_in

PREFIX = "banca-pg-"
# Names the data directory that a place belongs to.
OWNER_FILE = "data-directory"


def place_elsewhere(data: Path) -> Path | None:
    """The directory under /var/tmp where this stack's cluster had to go; None when it is in data."""
    cluster = read_json_object(data / "postgres.json").get("cluster")
    place = Path(cluster).parent if cluster else None
    return place if place is not None and is_ours(place) else None


def make_place_elsewhere(data: Path) -> Path:
    """The place it has, or a new one. The caller holds data/postgres.lock."""
    if (place_before := place_elsewhere(data)) is not None:
        return place_before
    remove_abandoned_places()
    place = Path(tempfile.mkdtemp(prefix=PREFIX, dir=SHARED_PLACE))
    (place / OWNER_FILE).write_text(str(data), encoding="utf-8")
    place.chmod(0o711)
    return place


def remove_abandoned_places() -> None:
    """Delete clusters whose data directory was deleted, or has forgotten them."""
    for place in SHARED_PLACE.glob(f"{PREFIX}*"):
        owner = place / OWNER_FILE
        if not is_ours(place) or not owner.is_file():
            continue
        data = Path(owner.read_text(encoding="utf-8"))
        in_use = is_locked(data / "postgres.lock") or processes_in(place / "postgres", "postgres")
        if not in_use and place_elsewhere(data) != place:
            shutil.rmtree(place, ignore_errors=True)


def is_ours(place: Path) -> bool:
    """Nobody else may have made it: everybody can write to /var/tmp."""
    if place.parent != SHARED_PLACE or not place.name.startswith(PREFIX):
        return False
    try:
        status = place.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
