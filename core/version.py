"""Which release this is, and which commit where it runs from a clone."""

from __future__ import annotations

import os
import subprocess
import tomllib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DISTRIBUTION = "banca"
GIT_TIMEOUT_S = 5.0
UNKNOWN = "unknown"


@cache
def version_text() -> str:
    """As "0.1.0 (6a6197b)"; without what is in parentheses where nothing says which commit it is."""
    return f"{release()} ({commit})" if (commit := revision()) else release()


@cache
def release() -> str:
    """The version of the package: as installed, else (in an image) as the project file or the image says."""
    project = ROOT / "pyproject.toml"
    if project.is_file():
        return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return os.environ.get("BANCA_VERSION") or UNKNOWN


@cache
def revision() -> str | None:
    """What git calls the commit that is checked out here, "-dirty" when files were changed since; None: no clone."""
    if not (ROOT / ".git").exists():
        return None
    try:
        done = subprocess.run(  # noqa: S603 - fixed words
            ["git", "-C", str(ROOT), "describe", "--always", "--tags", "--dirty"],  # noqa: S607 - the person's git
            capture_output=True, text=True, timeout=GIT_TIMEOUT_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
