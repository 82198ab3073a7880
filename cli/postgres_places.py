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
from cli.progress import say
from cli.trouble import Trouble

PREFIX = "banca-pg-"
# Names the data directory that a place belongs to.
OWNER_FILE = "data-directory"
# Marks a place of a server without fsync, as tests have: nobody misses it.
THROWAWAY_FILE = "throw-away"
MEND_STATE = "restore it from a backup, or make it anew with ./banca postgres-password"


def place_elsewhere(data: Path) -> Path | None:
    """The directory under /var/tmp where this stack's cluster had to go; None when it is in data."""
    cluster = read_json_object(data / "postgres.json", mend=MEND_STATE).get("cluster")
    place = Path(cluster).parent if cluster else None
    return place if place is not None and is_ours(place) else None


def places_of(data: Path) -> list[Path]:
    """Those with a cluster in them that say that they belong to the directory, whether it knows of them or not."""
    return [place for place in our_places() if owner_of(place) == data and (place / "postgres").is_dir()]


def make_place_elsewhere(data: Path, *, is_throwaway: bool) -> Path:
    """The place it has, or a new one. The caller holds data/postgres.lock."""
    if (place_before := place_elsewhere(data)) is not None:
        return place_before
    remove_abandoned_places()
    place = Path(tempfile.mkdtemp(prefix=PREFIX, dir=SHARED_PLACE))
    give_place(place, data)
    if is_throwaway:
        (place / THROWAWAY_FILE).touch()
    place.chmod(0o711)
    return place


def give_place(place: Path, data: Path) -> None:
    """Say which data directory the place belongs to."""
    (place / OWNER_FILE).write_text(str(data), encoding="utf-8")


def remove_abandoned_places() -> None:
    """Delete throw-away clusters whose data directory was deleted, or has forgotten them. The others are told of."""
    kept = []
    for place in our_places():
        data = owner_of(place)
        if data is None or is_locked(data / "postgres.lock") or processes_in(place / "postgres", "postgres"):
            continue
        if not is_known(place, data):
            if (place / THROWAWAY_FILE).exists():
                shutil.rmtree(place, ignore_errors=True)
            else:
                kept.append(place)
    if kept:
        say(f"{len(kept)} clusters belong to data directories that are gone; delete what nobody misses: {kept[0]} …")


def is_known(place: Path, data: Path) -> bool:
    """Whether the data directory names the place. One whose file is damaged may."""
    try:
        return place_elsewhere(data) == place
    except Trouble:
        return True


def our_places() -> list[Path]:
    return [
        place for place in sorted(SHARED_PLACE.glob(f"{PREFIX}*")) if is_ours(place) and owner_of(place) is not None
    ]


def owner_of(place: Path) -> Path | None:
    """The data directory that it says it belongs to."""
    try:
        return Path((place / OWNER_FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        # Also of one that another start deletes just now.
        return None


def is_ours(place: Path) -> bool:
    """Nobody else may have made it: everybody can write to /var/tmp."""
    if place.parent != SHARED_PLACE or not place.name.startswith(PREFIX):
        return False
    try:
        status = place.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
