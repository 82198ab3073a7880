"""What a command says while it works, on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def step(verb: str, what: str) -> Iterator[None]:
    """Say what was done and how long it took."""
    started_s = time.monotonic()
    yield
    say(f"{verb} {what} ({time.monotonic() - started_s:.2f} s)")


def say(line: str) -> None:
    """Progress, for the person who watches; nobody watching is no reason to fall over."""
    try:
        sys.stderr.write(f"banca: {line}\n")
        sys.stderr.flush()
    except OSError:
        return


def warn_of_misspelt() -> None:
    """A line for each variable of the environment that looks like a setting and is none."""
    from core.settings import misspelt_settings

    for line in misspelt_settings():
        say(f"warning: {line}")
