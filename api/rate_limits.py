"""How often somebody may ask, per process: token buckets, as many as there is room for."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

from api.problems import ProblemError, refuse

KEYS_MAX = 50_000
# A shop's sellers share an address, and behind a proxy that is not trusted all of them do.
ADDRESS_LOGINS_FACTOR = 10


class TokenBuckets:
    """burst tokens at once, refilled at rate_per_s; a key that was not seen for long starts full again."""

    def __init__(
        self, *, rate_per_s: float, burst: int, keys_max: int = KEYS_MAX, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate_per_s = rate_per_s
        self._burst = float(burst)
        self._keys_max = keys_max
        self._clock = clock
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, key: Hashable, tokens: int = 1) -> float:
        """0.0 when taken; else the seconds to wait until there are enough."""
        now = self._clock()
        left, since = self._buckets.get(key, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._rate_per_s)
        # More than a full bucket is taken from a full one: a big batch is not refused for ever.
        wanted = min(float(tokens), self._burst)
        wait_s = 0.0 if left >= wanted else (wanted - left) / self._rate_per_s
        self._buckets[key] = (left - wanted if wait_s == 0.0 else left, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._keys_max:
            self._buckets.popitem(last=False)
        return wait_s

    def missing_s(self, key: Hashable) -> float:
        """How long until a token can be taken; 0.0: now. Nothing is taken."""
        left, since = self._buckets.get(key, (self._burst, self._clock()))
        left += (self._clock() - since) * self._rate_per_s
        return 0.0 if left >= 1 else (1 - left) / self._rate_per_s

    def give_back(self, key: Hashable, tokens: int = 1) -> None:
        """For what was taken and then not counted."""
        kept = self._buckets.get(key)
        if kept is not None:
            self._buckets[key] = (min(self._burst, kept[0] + tokens), kept[1])

    def require(self, key: Hashable, tokens: int = 1) -> None:
        """Raises ProblemError RATE_LIMITED."""
        wait_s = self.take(key, tokens)
        if wait_s > 0:
            raise refuse(
                429, "RATE_LIMITED", "Too many requests; wait before the next one.", retry_after_s=math.ceil(wait_s)
            )


class LoginBuckets:
    """per_min logins of one user name from one address; and ADDRESS_LOGINS_FACTOR times as many failures of an address."""

    def __init__(self, *, per_min: int, clock: Callable[[], float] = time.monotonic) -> None:
        failures_per_min = per_min * ADDRESS_LOGINS_FACTOR
        self._names = TokenBuckets(rate_per_s=per_min / 60, burst=per_min, clock=clock)
        # Taken from by the queue of logins, which slows an address that has used them up.
        self.failures = TokenBuckets(rate_per_s=failures_per_min / 60, burst=failures_per_min, clock=clock)

    @contextmanager
    def name(self, *, username: str, address: str | None) -> Iterator[None]:
        """Around a login of that name; what ends without a verdict (503, 429) costs nothing.

        Raises ProblemError RATE_LIMITED. Names differ by more than case.
        """
        key = (username.lower(), address)
        self._names.require(key)
        try:
            yield
        except ProblemError as error:
            if error.problem.status in (429, 503):
                self._names.give_back(key)
            raise
        except Exception:
            self._names.give_back(key)
            raise
