"""How often somebody may ask, per process: token buckets, as many as there is room for."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

from api.problems import refuse

KEYS_MAX = 50_000
# A shop's sellers share an address; whoever tries many names from one must still come to an end.
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

    def require(self, key: Hashable, tokens: int = 1) -> None:
        """Raises ProblemError RATE_LIMITED."""
        wait_s = self.take(key, tokens)
        if wait_s > 0:
            raise refuse(
                429, "RATE_LIMITED", "Too many requests; wait before the next one.", retry_after_s=math.ceil(wait_s)
            )


class LoginBuckets:
    """per_min of one user name from one address, and ADDRESS_LOGINS_FACTOR times as many from that address."""

    def __init__(self, *, per_min: int, clock: Callable[[], float] = time.monotonic) -> None:
        address_per_min = per_min * ADDRESS_LOGINS_FACTOR
        self._names = TokenBuckets(rate_per_s=per_min / 60, burst=per_min, clock=clock)
        self._addresses = TokenBuckets(rate_per_s=address_per_min / 60, burst=address_per_min, clock=clock)

    def require(self, *, username: str, address: str | None) -> None:
        """Raises ProblemError RATE_LIMITED. Names differ by more than case."""
        # The name first: a till that hammers one name does not use up its neighbours' logins.
        self._names.require((username.lower(), address))
        self._addresses.require(address)
