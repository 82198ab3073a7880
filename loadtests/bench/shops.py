"""Whom a row sells for: a demo banca of its own, and a stock of signed requests that were made before the clock starts."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from cli.demo import prepare
from cli.stack import Stack
from loadtests.signed_requests import SignedRequest, Workload

SELLERS = 200
DRAW_IN_S = 24 * 3600
TOKEN_TTL_S = 24 * 3600
# The API takes a signature for five minutes.
SIGNATURE_KEPT_S = 200.0
SIGNED_AT_ONCE = 20


def make_demo(stack: Stack, *, sellers: int = SELLERS, sorteos: int = 1) -> dict[str, Any]:
    """A banca of its own, so that nothing of another row stands in its counters."""
    return asyncio.run(
        prepare(
            stack,
            sellers=sellers,
            sorteos=sorteos,
            draw_in_s=DRAW_IN_S,
            digits=2,
            new_banca=True,
            token_ttl_s=TOKEN_TTL_S,
        )
    )


class Stock:
    """Requests that were never sent. rate_per_s: how many a second the last load took; before, a bold guess."""

    def __init__(self, make: Callable[[int], list[SignedRequest]], *, rate_per_s: float) -> None:
        self._make = make
        self._ready: deque[SignedRequest] = deque()
        self._made_s = 0.0
        self.rate_per_s = rate_per_s

    @classmethod
    def of_sales(cls, workload: Workload) -> Stock:
        return cls(workload.sales, rate_per_s=10_000)

    @classmethod
    def of_batches(cls, workload: Workload, *, tickets: int) -> Stock:
        return cls(lambda count: workload.batches(count, tickets=tickets), rate_per_s=500)

    def prepare(self, seconds: float) -> Iterator[SignedRequest]:
        """Enough for so long, at twice the rate. What is not taken stays for the next load."""
        return self.prepare_count(int(2 * self.rate_per_s * seconds) + 200)

    def prepare_count(self, count: int) -> Iterator[SignedRequest]:
        if time.monotonic() - self._made_s > SIGNATURE_KEPT_S:
            self._ready.clear()
        if not self._ready:
            self._made_s = time.monotonic()
        self._ready.extend(self._make(max(0, count - len(self._ready))))
        return self._taken()

    def endless(self) -> Iterator[SignedRequest]:
        """Signed as they are taken: for loads whose length nobody knows and whose speed is not measured."""
        while True:
            yield from self._make(SIGNED_AT_ONCE)

    def _taken(self) -> Iterator[SignedRequest]:
        while self._ready:
            yield self._ready.popleft()
