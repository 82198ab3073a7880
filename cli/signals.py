from __future__ import annotations

import os
import select
import signal
from types import FrameType, TracebackType
from typing import Self

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """SIGINT, SIGTERM and SIGHUP as requests to stop; the end of a child wakes wait().

    Until patient() is called the first request raises KeyboardInterrupt where the program is: a start
    is left at once. From then on requests are only counted. One of these per process, in its main thread.
    """

    def __init__(self) -> None:
        self.requests = 0
        self._raises = True
        self._previous: dict[signal.Signals, signal._HANDLER] = {}
        self._read_end, self._write_end = os.pipe()
        for end in (self._read_end, self._write_end):
            os.set_blocking(end, False)

    def patient(self) -> None:
        self._raises = False

    def hurried(self) -> bool:
        """Whether somebody asked more than once."""
        return self.requests > 1

    def wait(self, timeout_s: float) -> None:
        """Return when a signal has come since the last call, or the time is up."""
        # Event loops take the wakeup descriptor for themselves and leave none behind.
        signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)
        if self.requests == 0:
            select.select([self._read_end], [], [], timeout_s)
        try:
            while os.read(self._read_end, 4096):
                pass
        except BlockingIOError:
            return

    def __enter__(self) -> Self:
        for number in (*STOPPING, signal.SIGCHLD):
            # nohup's wish is kept; an ignored SIGINT only means that a shell started us in the background.
            if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue
            handler = self._wake if number == signal.SIGCHLD else self._stop
            self._previous[number] = signal.signal(number, handler)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(-1)
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        os.close(self._read_end)
        os.close(self._write_end)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.requests += 1
        if self._raises:
            self._raises = False
            raise KeyboardInterrupt

    def _wake(self, _number: int, _frame: FrameType | None) -> None:
        """Only a Python handler makes the signal write to the wakeup descriptor."""
