"""A child process, with all its descendants, that cannot outlive this process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from cli.process_log import LogPipe
from cli.trouble import Trouble

Steps = Sequence[tuple[signal.Signals, float]]
LEASH = Path(__file__).with_name("leash.py")
KILL_WAIT_S = 5.0
HURRIED_GRACE_S = 0.5

# Its input is a pipe that only the supervisor holds: a line dismisses it, the end of the pipe means the
# supervisor is gone. Then the group gets the given signals, 0.7 s apart, until none of it is left.
WATCHER = """
read -r _ && exit 0
group=$1; shift
while kill -s "$1" -- "-$group" 2>/dev/null && shift && [ $# -gt 0 ]; do
  for _ in 1 2 3 4 5 6 7; do
    sleep 0.1
    kill -s 0 -- "-$group" 2>/dev/null || exit 0
  done
done
"""


class BoundProcess:
    """A command in a process group of its own that ends when this process does, kill -9 included.

    Two things see to it: the kernel signals the command when this process dies (Linux), and a watcher
    outside the group kills the rest of the group, grandchildren too.

    death_signals: what the watcher sends, in order; the kernel sends the first.
    log: where its output goes, as LogFile has it; several may have the same.
    identity: as in leash.py. listeners: sockets that the command gets as systemd would pass them. Raises
    RuntimeError outside the main thread: the kernel's signal is bound
    to the thread that forks, and would come when that thread ends.
    """

    def __init__(
        self,
        command: Sequence[str | os.PathLike[str]],
        *,
        env: Mapping[str, str],
        log: Path,
        directory: Path = Path("/"),
        identity: str = "self",
        death_signals: Sequence[signal.Signals] = (signal.SIGKILL,),
        listeners: Sequence[socket.socket] = (),
    ) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("a bound process must be started from the main thread")
        self._log = LogPipe(log)
        try:
            self._process = subprocess.Popen(
                [*leash(identity, death_signals[0]), *command],
                env={
                    **env,
                    "LEASH_DIRECTORY": str(directory),
                    "LEASH_LISTENERS": ",".join(str(each.fileno()) for each in listeners),
                },
                pass_fds=[each.fileno() for each in listeners],
                stdin=subprocess.DEVNULL,
                stdout=self._log.output,
                stderr=self._log.output,
                start_new_session=True,
            )
        except BaseException:
            self._log.abandon()
            raise
        self._log.start()
        self.pid = self._process.pid
        self._watcher: subprocess.Popen[bytes] | None = watch(self.pid, death_signals)

    def poll(self) -> int | None:
        """The exit code once the command has ended (negative: the signal), else None."""
        code = self._process.poll()
        if code is not None and self._watcher is not None:
            self._end_group()
        return code

    def last_lines(self) -> list[str]:
        """What it said last, so far; all of it once poll() has told that it ended."""
        return self._log.last_lines()

    def send(self, signal_number: signal.Signals) -> None:
        """To the command alone: what it started is its own business."""
        self._process.send_signal(signal_number)

    def stop(self, steps: Steps, *, hurry: Callable[[], bool] = lambda: False) -> None:
        stop_all([self], steps, hurry=hurry)

    def kill(self) -> None:
        """The command and all its descendants, at once."""
        self._kill_group()
        self._process.wait(KILL_WAIT_S)
        self.poll()

    def _end_group(self) -> None:
        self._kill_group()
        assert self._watcher is not None
        # Writes the line that dismisses the watcher, closes the pipe and waits.
        self._watcher.communicate(b"\n", timeout=KILL_WAIT_S)
        self._watcher = None
        self._log.await_end(KILL_WAIT_S)

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)


def stop_all(processes: Iterable[BoundProcess], steps: Steps, *, hurry: Callable[[], bool] = lambda: False) -> None:
    """Send each signal to those still alive and give them so many seconds; in the end kill what is left.

    hurry: asked while waiting; once it is true every step gets HURRIED_GRACE_S at most.
    """
    alive = [process for process in processes if process.poll() is None]
    for signal_number, grace_s in steps:
        for process in alive:
            process.send(signal_number)
        started_s = time.monotonic()
        while alive and time.monotonic() - started_s < (min(grace_s, HURRIED_GRACE_S) if hurry() else grace_s):
            time.sleep(0.01)
            alive = [process for process in alive if process.poll() is None]
    for process in alive:
        process.kill()


def leash(identity: str, death_signal: signal.Signals) -> list[str]:
    return [sys.executable, "-I", "-S", str(LEASH), str(int(death_signal)), str(os.getpid()), identity]


def watch(group: int, signals: Sequence[signal.Signals]) -> subprocess.Popen[bytes]:
    names = [item.name.removeprefix("SIG") for item in signals]
    return subprocess.Popen(
        ["/bin/sh", "-c", WATCHER, "watcher", str(group), *names],
        env={"PATH": os.defpath},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def processes_in(directory: Path, program: str) -> list[int]:
    """Living processes of that program whose working directory this is (Linux; elsewhere none)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*") if sys.platform == "linux" else ():
        with suppress(OSError):
            name = (entry / "comm").read_text(encoding="utf-8").strip()
            if name == program and (entry / "cwd").readlink() == directory:
                found.append(int(entry.name))
    return found


def end_orphans(directory: Path, program: str, steps: Steps) -> None:
    """End what a supervisor that died left behind in this directory; the caller holds its lock."""
    for signal_number, grace_s in (*steps, (signal.SIGKILL, KILL_WAIT_S)):
        deadline_s = time.monotonic() + grace_s
        for pid in processes_in(directory, program):
            with suppress(ProcessLookupError):
                os.kill(pid, signal_number)
        while processes_in(directory, program):
            if time.monotonic() > deadline_s:
                break
            time.sleep(0.05)
        else:
            return
    raise Trouble(f"{program} still runs in {directory} and cannot be ended")
