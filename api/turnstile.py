"""How many ticket requests of a banca are worked on at once: more wait outside, in order, for a while.

One event loop serves thousands of sockets. Were all that is ready begun at once, the till would get its turn only after
the last of them was parsed and priced; so what is under way is about what the next batches take. Each banca has places
of its own, so that one whose draw is locked keeps nobody else out.

The line is as long as the pace of the last moments serves within the time that one may wait. Who comes later is told so
at once: nothing is gained by letting him wait in vain.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from uuid import UUID

from api.problems import Problem

RETRY_AFTER_S = 1
FULL = Problem(
    503, "TILL_FULL", "More tickets wait than the till takes; nothing was written.", retry_after_s=RETRY_AFTER_S
)
# Of so long a moment is the pace taken; each new one counts for half.
MOMENT_S = 0.25


class Pace:
    """How many get in of those who wait, in a second, lately; infinite until it is known."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began_s = clock()
        self._left = 0
        self.per_s = float("inf")

    def count(self) -> None:
        self._left += 1
        now_s = self._clock()
        elapsed_s = now_s - self._began_s
        if elapsed_s < MOMENT_S:
            return
        measured = self._left / elapsed_s
        self.per_s = measured if self.per_s == float("inf") else (self.per_s + measured) / 2
        self._began_s, self._left = now_s, 0

    def forget(self) -> None:
        """Nobody waited for a while: that says nothing of how many could get in."""
        self._began_s, self._left, self.per_s = self._clock(), 0, float("inf")


class Turnstile:
    def __init__(
        self, *, inside_max: int, waiting_max: int, wait_max_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._inside_max = inside_max
        self._waiting_max = waiting_max
        self._wait_max_s = wait_max_s
        self._inside = 0
        self._pace = Pace(clock)
        # The longest waiting first; the answer is whether it may enter.
        self._waiting: OrderedDict[asyncio.Future[bool], None] = OrderedDict()

    def enter_at_once(self) -> bool:
        """Whether there was a place, and nobody before us; it is taken."""
        if self._waiting or self._inside >= self._inside_max:
            return False
        self._inside += 1
        return True

    async def wait(self) -> bool:
        """For a place, in order of arrival: whether there was one in time, and it is taken."""
        if len(self._waiting) >= self._line_max():
            return False
        if not self._waiting:
            self._pace.forget()
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        self._waiting[turn] = None
        timer = loop.call_later(self._wait_max_s, _give_up, turn)
        try:
            return await turn
        except asyncio.CancelledError:
            # Its turn may have come at the same moment: then it is somebody else's.
            if turn.done() and not turn.cancelled() and turn.result():
                self.leave()
            raise
        finally:
            timer.cancel()
            self._waiting.pop(turn, None)

    def leave(self) -> None:
        """The place goes to whoever waits longest and is still there."""
        while self._waiting:
            turn, _ = self._waiting.popitem(last=False)
            if not turn.done():
                self._pace.count()
                turn.set_result(True)
                return
        self._inside -= 1

    def _line_max(self) -> float:
        """As many as will get in within the time that they may wait; but always a batch's worth."""
        return min(self._waiting_max, max(self._inside_max, self._pace.per_s * self._wait_max_s))


class Turnstiles:
    """One for each banca that has sold. wait_max_s: how long a ticket may wait for its place."""

    def __init__(self, *, inside_max: int, waiting_max: int, wait_max_s: float) -> None:
        self._inside_max = inside_max
        self._waiting_max = waiting_max
        self._wait_max_s = wait_max_s
        self._by_banca: dict[UUID | None, Turnstile] = {}

    def of(self, banca_id: UUID | None) -> Turnstile:
        turnstile = self._by_banca.get(banca_id)
        if turnstile is None:
            turnstile = self._by_banca[banca_id] = Turnstile(
                inside_max=self._inside_max, waiting_max=self._waiting_max, wait_max_s=self._wait_max_s
            )
        return turnstile


def _give_up(turn: asyncio.Future[bool]) -> None:
    if not turn.done():
        turn.set_result(False)
