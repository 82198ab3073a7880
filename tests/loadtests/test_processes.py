"""What is told of processes that come and go."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from loadtests.bench.processes import children_of, command_of


def test_a_process_that_ended_has_no_command() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        deadline_s = time.monotonic() + 10
        # A child that was just made may have no command line for a moment.
        while not command_of(process.pid) and time.monotonic() < deadline_s:
            time.sleep(0.01)
        assert command_of(process.pid)[1:] == ["-c", "input()"]
        process.communicate(b"\n")
    assert command_of(process.pid) == []


def test_a_process_that_nobody_has_waited_for_has_no_command() -> None:
    """Its parent may not have looked yet; /proc still lists it, with an empty command line."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    deadline_s = time.monotonic() + 10
    while process.pid in children_of(os.getpid()) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    command, children = command_of(process.pid), children_of(os.getpid())
    process.wait()
    assert command == []
    assert process.pid not in children
