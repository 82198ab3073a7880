"""How many ticket requests are worked on at once: more wait outside, in order, and when too many wait, they are told.

One event loop serves thousands of sockets. Were all that is ready begun at once, the till would get its turn only after
the last of them was parsed and priced; so what is under way is about what the next batch takes. A request that waits
has cost its parsing as HTTP and nothing else, and one that is refused not much more.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from aiohttp import web

from api.problems import refuse

Endpoint = Callable[[web.Request], Awaitable[web.StreamResponse]]
RETRY_AFTER_S = 1


class TurnstileFullError(Exception):
    """Too many wait already; nothing was looked at."""


class Turnstile:
    def __init__(self, *, inside_max: int, waiting_max: int, wait_max_s: float) -> None:
        """wait_max_s: who waited longer is told so; its caller has better things to do, and the line stays short."""
        self._inside_max = inside_max
        self._waiting_max = waiting_max
        self._wait_max_s = wait_max_s
        self._inside = 0
        # With the moment from which on it is too late; the answer is whether it may enter.
        self._waiting: deque[tuple[asyncio.Future[bool], float]] = deque()

    @property
    def is_free(self) -> bool:
        return self._inside < self._inside_max and not self._waiting

    def enter(self) -> None:
        """Only when it is free."""
        self._inside += 1

    async def wait_to_enter(self) -> None:
        """In order of arrival. Raises TurnstileFullError."""
        if self.is_free:
            self.enter()
            return
        if len(self._waiting) >= self._waiting_max:
            raise TurnstileFullError
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        self._waiting.append((turn, loop.time() + self._wait_max_s))
        try:
            if not await turn:
                raise TurnstileFullError
        except asyncio.CancelledError:
            # Its turn may have come at the same moment: then it is somebody else's.
            if turn.done() and not turn.cancelled() and turn.result():
                self.leave()
            raise

    def leave(self) -> None:
        """The place goes to whoever waits longest and is still there."""
        now_s = asyncio.get_running_loop().time()
        while self._waiting:
            turn, too_late_s = self._waiting.popleft()
            if turn.done():
                continue
            turn.set_result(now_s < too_late_s)
            if turn.result():
                return
        self._inside -= 1


def through(turnstile: Turnstile, endpoint: Endpoint) -> Endpoint:
    """The endpoint behind the turnstile. It answers 503 TILL_FULL when it is full."""

    async def turned(request: web.Request) -> web.StreamResponse:
        if turnstile.is_free:
            turnstile.enter()
        else:
            try:
                await turnstile.wait_to_enter()
            except TurnstileFullError:
                detail = "More tickets wait than the till takes; nothing was written."
                raise refuse(503, "TILL_FULL", detail, retry_after_s=RETRY_AFTER_S) from None
        try:
            return await endpoint(request)
        finally:
            turnstile.leave()

    return turned
