"""How many ticket requests of a banca are worked on at once: more wait outside, in order, a second at most.

One event loop serves thousands of sockets. Were all that is ready begun at once, the till would get its turn only after
the last of them was parsed and priced; so what is under way is about what the next batches take. Each banca has places
of its own, so that one whose draw is locked keeps nobody else out.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from api.problems import refuse

RETRY_AFTER_S = 1
FULL = "More tickets wait than the till takes; nothing was written."


class TurnstileFullError(Exception):
    """Too many wait already, or this one has waited too long; nothing was looked at."""


class Turnstile:
    def __init__(self, *, inside_max: int, waiting_max: int, wait_max_s: float) -> None:
        self._inside_max = inside_max
        self._waiting_max = waiting_max
        self._wait_max_s = wait_max_s
        self._inside = 0
        # The longest waiting first; the answer is whether it may enter.
        self._waiting: OrderedDict[asyncio.Future[bool], None] = OrderedDict()

    @property
    def is_free(self) -> bool:
        return self._inside < self._inside_max and not self._waiting

    @property
    def is_empty(self) -> bool:
        return self._inside == 0 and not self._waiting

    async def enter(self) -> None:
        """In order of arrival. Raises TurnstileFullError."""
        if self.is_free:
            self._inside += 1
            return
        if len(self._waiting) >= self._waiting_max:
            raise TurnstileFullError
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        self._waiting[turn] = None
        timer = loop.call_later(self._wait_max_s, _give_up, turn)
        try:
            if not await turn:
                raise TurnstileFullError
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
                turn.set_result(True)
                return
        self._inside -= 1


class Turnstiles:
    """One for each banca that is selling."""

    def __init__(self, *, inside_max: int, waiting_max: int, wait_max_s: float) -> None:
        self._inside_max = inside_max
        self._waiting_max = waiting_max
        self._wait_max_s = wait_max_s
        self._by_banca: dict[UUID | None, Turnstile] = {}

    @asynccontextmanager
    async def place(self, banca_id: UUID | None) -> AsyncIterator[None]:
        """Raises ProblemError TILL_FULL."""
        turnstile = self._by_banca.get(banca_id)
        if turnstile is None:
            turnstile = self._by_banca[banca_id] = Turnstile(
                inside_max=self._inside_max, waiting_max=self._waiting_max, wait_max_s=self._wait_max_s
            )
        try:
            await turnstile.enter()
        except TurnstileFullError:
            raise refuse(503, "TILL_FULL", FULL, retry_after_s=RETRY_AFTER_S) from None
        try:
            yield
        finally:
            turnstile.leave()
            if turnstile.is_empty and self._by_banca.get(banca_id) is turnstile:
                del self._by_banca[banca_id]


def _give_up(turn: asyncio.Future[bool]) -> None:
    if not turn.done():
        turn.set_result(False)
