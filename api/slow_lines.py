"""How slowly a client may send: a line that is slow is served, one that trickles or is silent is not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from aiohttp import StreamReader

from core.settings import Settings

# What is read and thrown away of a refused body, in bodies of the largest size that is accepted. A client that writes
# first and reads then sees the refusal of anything up to this.
DISCARDED_BODIES_MAX = 4


@dataclass(frozen=True, slots=True)
class LeastRate:
    """bytes_per_s: what must come on average over silence_max_s, which is also the longest pause."""

    bytes_per_s: float
    silence_max_s: float

    async def chunks(self, content: StreamReader) -> AsyncGenerator[bytes, None]:
        """The parts of a body as they arrive. Raises TimeoutError when they come more slowly."""
        patience = Patience(self)
        async with asyncio.timeout(None) as limit:
            loop = asyncio.get_running_loop()
            limit.reschedule(loop.time() + patience.left_s())
            while chunk := await content.readany():
                patience.count(len(chunk))
                limit.reschedule(loop.time() + patience.left_s())
                yield chunk


class Patience:
    """A leaky bucket of seconds: time empties it, each byte fills it by its share, and it holds silence_max_s."""

    def __init__(self, rate: LeastRate, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._left_s = rate.silence_max_s
        self._since_s = clock()

    def left_s(self) -> float:
        """How long nothing may come from now on; not more than 0 when the sender was too slow."""
        return self._left_s - (self._clock() - self._since_s)

    def count(self, length: int) -> None:
        left_s = self.left_s()
        self._since_s = self._clock()
        self._left_s = min(self._rate.silence_max_s, left_s + length / self._rate.bytes_per_s)


@dataclass(frozen=True, slots=True)
class Discarding:
    """How much is read of a body that was refused before it had arrived.

    Closing a connection whose input is unread resets it, and the reset destroys the answer that the client has not
    read yet: whoever writes first and reads then would not learn why it was refused.
    """

    rate: LeastRate
    bytes_max: int
    time_max_s: float


def least_rate(settings: Settings) -> LeastRate:
    return LeastRate(settings.body_bytes_per_s_min, settings.body_silence_max_s)


def discarding(settings: Settings) -> Discarding:
    rate = least_rate(settings)
    return Discarding(
        rate=rate,
        bytes_max=DISCARDED_BODIES_MAX * settings.body_batch_bytes_max,
        # As long as the largest body may take that is accepted.
        time_max_s=settings.body_batch_bytes_max / rate.bytes_per_s + rate.silence_max_s,
    )
