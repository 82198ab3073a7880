"""Children that are started again when they die."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence

from cli.process import BoundProcess, Steps, stop_all
from cli.process_log import told_line
from cli.trouble import Trouble
from core.settings import SETTINGS_EXIT_CODE

BACKOFF_MIN_S = 0.2
BACKOFF_MAX_S = 5.0
# A child that lived so long was well: its next death starts at the shortest wait again.
HEALTHY_AFTER_S = 10.0
# A child's end wakes the supervisor by signal; this bounds what a lost signal costs.
TICK_MAX_S = 1.0
# Longer than the API takes when everything that it waits for hangs (api/server.py, api/lifetimes.py).
STOP_GRACE_S = 20.0
STOP_STEPS: Steps = ((signal.SIGTERM, STOP_GRACE_S),)


class Misconfigured(Trouble):
    """A child's settings are wrong: started again it would end the same way."""

    exit_code = SETTINGS_EXIT_CODE


class Child:
    """One process, and how to start it again. on_death: told the id of each process that ended by itself."""

    def __init__(
        self,
        name: str,
        spawn: Callable[[], BoundProcess],
        *,
        process: BoundProcess | None = None,
        on_death: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.name = name
        self.process = process
        self.on_death = on_death
        self._spawn = spawn
        self._started_s = time.monotonic()
        self._delay_s = 0.0
        self._has_been_healthy = False
        self.due_s = self._started_s

    def start(self) -> None:
        self._started_s = time.monotonic()
        self.process = self._spawn()

    @property
    def has_been_healthy(self) -> bool:
        """Whether any process of it has lived long enough."""
        return self._has_been_healthy or (self.process is not None and self._is_old())

    def put_off(self) -> float:
        """Forget the process and set when to start again; the seconds until then."""
        now_s = time.monotonic()
        self._has_been_healthy = self.has_been_healthy
        if self._is_old() or self._delay_s == 0.0:
            self._delay_s = BACKOFF_MIN_S
        else:
            self._delay_s = min(self._delay_s * 2, BACKOFF_MAX_S)
        self.process = None
        self.due_s = now_s + self._delay_s
        return self._delay_s

    def _is_old(self) -> bool:
        return time.monotonic() - self._started_s >= HEALTHY_AFTER_S


class Supervisor:
    """Keeps children alive; each call to tick() does what is due and returns.

    children: start and stop in this order, those of one group stop together.
    servers: already started; started again when they die, stopped by whoever started them.
    report: gets one line per death, with the last line of its log.
    """

    def __init__(
        self, groups: Sequence[Sequence[Child]], *, servers: Sequence[Child] = (), report: Callable[[str], None]
    ) -> None:
        self._groups = groups
        self._watched = [*servers, *(child for group in groups for child in group)]
        self._report = report

    def tick(self) -> float:
        """Look after every child once. Returns the seconds until the next look is due, at most.

        Raises Misconfigured for a child that says, before it ever was healthy, that its settings are wrong.
        """
        for child in self._watched:
            self._look_after(child)
        now_s = time.monotonic()
        waits_s = [child.due_s - now_s for child in self._watched if child.process is None]
        return max(0.0, min([*waits_s, TICK_MAX_S]))

    def stop(self, *, hurry: Callable[[], bool] = lambda: False) -> None:
        for group in self._groups:
            stop_all([child.process for child in group if child.process is not None], STOP_STEPS, hurry=hurry)

    def _look_after(self, child: Child) -> None:
        if child.process is not None:
            code = child.process.poll()
            if code is not None:
                child.on_death(child.process.pid)
                self._report_death(child, code, child.process.last_lines())
        elif child.due_s <= time.monotonic():
            try:
                child.start()
            except (OSError, Trouble) as error:
                self._report(f"{child.name} did not start ({error}); again in {child.put_off():.1f} s")

    def _report_death(self, child: Child, code: int, said: Sequence[str]) -> None:
        if code == SETTINGS_EXIT_CODE and not child.has_been_healthy:
            child.put_off()
            raise Misconfigured(
                "\n".join([f"{child.name} does not start:", *(f"  {told_line(line)}" for line in said)])
            )
        last = f": {told_line(said[-1])}" if said else ""
        self._report(f"{child.name} ended with {describe(code)}{last}; again in {child.put_off():.1f} s")


def describe(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
