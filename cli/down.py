"""`./banca down`: stop the `up` of a data directory, and wait until it is gone."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from cli.data_directory import RESTORING_FILE
from cli.private_files import holder_of, is_locked
from cli.progress import say, step
from cli.stack import LOCK_FILE, Stack
from cli.trouble import Trouble

LOOK_EVERY_S = 0.05


def run(*, data: Path, timeout_s: float) -> int:
    """Ask once, and be patient: requests are answered, batches written, a checkpoint made."""
    data = data.resolve()
    if not is_locked(data / LOCK_FILE):
        say(f"no stack runs in {data}")
        return 0
    if (data / RESTORING_FILE).exists():
        raise Trouble(f"a restore into {data} is under way: it ends by itself")
    # Also of one that is still starting, which has no stack.json yet.
    pid = holder_of(data / LOCK_FILE) or Stack.load(data).pid
    with step("stopped", f"the stack in {data}, process {pid}"):
        os.kill(pid, signal.SIGTERM)
        deadline_s = time.monotonic() + timeout_s
        while is_locked(data / LOCK_FILE):
            if time.monotonic() > deadline_s:
                raise Trouble(
                    f"process {pid} is still stopping after {timeout_s:g} s; kill -TERM {pid} again stops it at once"
                )
            time.sleep(LOOK_EVERY_S)
    return 0
