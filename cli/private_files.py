"""Files that hold secrets: readable by their owner only, and never seen half written."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cli.trouble import Trouble


def write_private_json(path: Path, value: object) -> None:
    write_private_text(path, json.dumps(value, indent=2) + "\n")


def write_private_text(path: Path, text: str) -> None:
    """Replace the file in one step; mkstemp gives mode 0600."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_json_object(path: Path, *, mend: str) -> dict[str, Any]:
    """The object in the file; empty when there is no such file.

    mend: what a person is to do with a damaged one.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise Trouble(f"{path} is damaged ({error}): {mend}") from error
    if not isinstance(value, dict):
        raise Trouble(f"{path} is damaged (no JSON object): {mend}")
    return value


class DirectoryLock:
    """A lock that the kernel drops when its process dies, however it dies."""

    def __init__(self, path: Path, *, taken: str) -> None:
        self._path = path
        self._taken = taken
        self._handle: int | None = None

    def acquire(self) -> None:
        """Raises Trouble with the text `taken` when another holds it."""
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(handle)
            raise Trouble(self._taken) from error
        self._handle = handle
        # For those who want to know who holds it; a full disk is no reason not to hold it.
        with suppress(OSError):
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def is_locked(path: Path) -> bool:
    """Whether a living process holds the lock."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def holder_of(path: Path) -> int | None:
    """The process that holds the lock; None: nobody does, or it did not say."""
    if not is_locked(path):
        return None
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
