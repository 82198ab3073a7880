"""Whose password is verified next: in turn by address, then by name, a few at once, and the others wait a while.

Verifying takes processor time on purpose, and a crowd logs in at once in the morning. Each address has its turn, and
of an address each name, so that a hundred connections of one keep out no other. A line moves in order of arrival, so
that names that somebody invents delay the others of their address by their own number, and do not shut them out.

An address that fails too often is slowed to the rate that it is allowed, and its line waits longer; nothing of it tells
names that exist from names that do not, because only the verdict counts, which is the answer anyway. What was right, and
what was not decided, costs the address nothing: all sellers may come from one.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from api.problems import refuse
from api.rate_limits import TokenBuckets
from core.security.passwords import PasswordsBusyError

# About as long as 300 logins take on two processors (docs/load.md), shorter than clients' patience.
WAIT_MAX_S = 15.0
# Of all addresses together. Each is an open request.
WAITING_MAX = 1_000
# Those who were refused come back over at least so long.
SPREAD_MIN_S = 3


class Turn:
    """failed(): the address pays for it."""

    def __init__(self) -> None:
        self.has_failed = False

    def failed(self) -> None:
        self.has_failed = True


class Waiter:
    def __init__(self, is_gone: Callable[[], bool]) -> None:
        self.is_gone = is_gone
        self.admitted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()


class Line:
    """Who waits at one address: each name in turn, of one name in order of arrival."""

    def __init__(self) -> None:
        self._names: OrderedDict[str, deque[Waiter]] = OrderedDict()
        self.length = 0

    def add(self, name: str, waiter: Waiter) -> None:
        self._names.setdefault(name, deque()).append(waiter)
        self.length += 1

    def take(self) -> Waiter | None:
        """The next one who still waits; those who are not there any more are forgotten."""
        while self._names:
            name, waiters = self._names.popitem(last=False)
            waiter = waiters.popleft()
            self.length -= 1
            if waiters:
                self._names[name] = waiters
            if not waiter.admitted.done() and not waiter.is_gone():
                return waiter
            _end(waiter, admitted=False)
        return None

    def remove(self, name: str, waiter: Waiter) -> None:
        """Forget one who does not wait any more, if its turn has not come."""
        waiters = self._names.get(name)
        if waiters is not None and waiter in waiters:
            waiters.remove(waiter)
            self.length -= 1
            if not waiters:
                del self._names[name]

    def drop_newest(self) -> None:
        """Refuse the last arrival of the name that came last."""
        name = next(reversed(self._names))
        waiters = self._names[name]
        _end(waiters.pop(), admitted=False)
        self.length -= 1
        if not waiters:
            del self._names[name]


class LoginQueue:
    """turns: how many at once. failures: what an address may fail; None: no limit."""

    def __init__(
        self,
        *,
        turns: int,
        failures: TokenBuckets | None,
        wait_max_s: float = WAIT_MAX_S,
        waiting_max: int = WAITING_MAX,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._turns = turns
        self._failures = failures
        self._wait_max_s = wait_max_s
        self._waiting_max = waiting_max
        self._clock = clock
        self._running = 0
        # The address whose turn is next comes first.
        self._lines: OrderedDict[str | None, Line] = OrderedDict()
        self._waiting = 0
        # Seconds between two who get in, lately.
        self._pace_s = 0.05
        self._wake: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def turn(
        self, *, name: str, address: str | None, is_gone: Callable[[], bool] = lambda: False
    ) -> AsyncIterator[Turn]:
        """Wait for one's turn, and hold it.

        is_gone: whether there is nobody any more to answer.
        Raises PasswordsBusyError when it takes too long; ProblemError RATE_LIMITED when that is the address's own doing.
        """
        await self._enter(name.lower(), address, is_gone)
        turn, began_s = Turn(), self._clock()
        try:
            yield turn
        finally:
            self._pace_s += ((self._clock() - began_s) / self._turns - self._pace_s) / 8
            if self._failures is not None and not turn.has_failed:
                self._failures.give_back(address)
            self._running -= 1
            self._admit()

    async def _enter(self, name: str, address: str | None, is_gone: Callable[[], bool]) -> None:
        self._make_room(address)
        waiter = Waiter(is_gone)
        self._lines.setdefault(address, Line()).add(name, waiter)
        self._waiting += 1
        self._admit()
        try:
            async with asyncio.timeout(self._wait_max_s):
                is_admitted = await asyncio.shield(waiter.admitted)
        except TimeoutError:
            is_admitted = False
        except asyncio.CancelledError:
            if waiter.admitted.done() and waiter.admitted.result():
                self._leave_unused(address)
            raise
        finally:
            _end(waiter, admitted=False)
            self._forget(name, address, waiter)
        if is_admitted or waiter.admitted.result():
            return
        wait_s = 0.0 if self._failures is None else self._failures.missing_s(address)
        if wait_s > 0:
            raise refuse(
                429,
                "RATE_LIMITED",
                "Too many logins of this address failed; wait before the next one.",
                retry_after_s=self._spread(wait_s),
            )
        raise self._busy()

    def _forget(self, name: str, address: str | None, waiter: Waiter) -> None:
        line = self._lines.get(address)
        if line is None:
            return
        before = line.length
        line.remove(name, waiter)
        self._waiting -= before - line.length
        if not line.length:
            del self._lines[address]

    def _make_room(self, address: str | None) -> None:
        """Raises PasswordsBusyError where all places are taken, unless another address has more than its share of them."""
        if self._waiting < self._waiting_max:
            return
        longest = max(self._lines.values(), key=lambda line: line.length)
        own = self._lines.get(address)
        if longest.length <= (0 if own is None else own.length) + 1:
            raise self._busy()
        longest.drop_newest()
        self._waiting -= 1

    def _admit(self) -> None:
        """Let in whose turn it is, while there is room."""
        while self._running < self._turns and self._waiting:
            waiter = self._next()
            if waiter is None:
                return
            self._running += 1
            waiter.admitted.set_result(True)

    def _next(self) -> Waiter | None:
        """Of the addresses that may, in turn; None when none may now, and then it is tried again as soon as one may."""
        missing_s = math.inf
        for address in list(self._lines):
            line = self._lines[address]
            wait_s = 0.0 if self._failures is None else self._failures.take(address)
            if wait_s > 0:
                missing_s = min(missing_s, wait_s)
                continue
            before = line.length
            waiter = line.take()
            self._waiting -= before - line.length
            if line.length:
                self._lines.move_to_end(address)
            else:
                del self._lines[address]
            if waiter is not None:
                return waiter
            if self._failures is not None:
                self._failures.give_back(address)
        if missing_s < math.inf and (self._wake is None or self._wake.cancelled()):
            self._wake = asyncio.get_running_loop().call_later(missing_s, self._woken)
        return None

    def _woken(self) -> None:
        self._wake = None
        self._admit()

    def _leave_unused(self, address: str | None) -> None:
        if self._failures is not None:
            self._failures.give_back(address)
        self._running -= 1
        self._admit()

    def _busy(self) -> PasswordsBusyError:
        return PasswordsBusyError(retry_after_s=self._spread(self._waiting * self._pace_s))

    def _spread(self, seconds: float) -> int:
        """A moment between now and then, so that those who are refused at once do not come back at once."""
        return random.randint(1, max(SPREAD_MIN_S, math.ceil(seconds)))  # noqa: S311 - spread, not secrecy


def _end(waiter: Waiter, *, admitted: bool) -> None:
    if not waiter.admitted.done():
        waiter.admitted.set_result(admitted)
