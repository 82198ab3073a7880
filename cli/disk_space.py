"""Whether there is room for what is about to be written, asked before anything is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from cli.trouble import Trouble

# A new cluster takes 40 MB, its log of changes two segments of 16 MB at once and soon more.
NEW_STACK_BYTES = 256_000_000
# A server that starts writes a segment of its log, and all of them their own logs.
START_BYTES = 48_000_000


def require_room(directory: Path, needed_bytes: int) -> None:
    """Raises Trouble when the disk of the directory has less than that. directory: need not be there yet."""
    free_bytes = shutil.disk_usage(existing_part(directory)).free
    if free_bytes < needed_bytes:
        raise Trouble(
            f"the disk of {directory} is full: {free_bytes / 1e6:.0f} MB are free, and a start needs"
            f" {needed_bytes / 1e6:.0f} MB; nothing was written"
        )


def existing_part(directory: Path) -> Path:
    """The directory, or the nearest above it that is there."""
    return next(path for path in (directory, *directory.parents) if path.exists())


def size_bytes(path: Path) -> int:
    """What the file, or all in the directory, takes on the disk."""
    total = path.lstat().st_blocks * 512
    for folder, _, names in os.walk(path):
        inside = [Path(folder), *(Path(folder, name) for name in names)]
        total += sum(each.lstat().st_blocks * 512 for each in inside if each != path)
    return total
