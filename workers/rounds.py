"""Rounds of runners: they look at what is to do, make one step of each, and rest when there was nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from workers.backoff import backoff_s, wait_for_any

# What nobody told of, or what a dead worker left, is found so late at most.
LOOK_EVERY_S = 5.0

Row = TypeVar("Row")


class Rounds:
    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self._news = asyncio.Event()

    def wake(self) -> None:
        """There is something to do."""
        self._news.set()

    async def each(self, rows: Iterable[Row], step: Callable[[Row], Awaitable[int]]) -> int:
        """One step of each; how many were made. After a stop none begins."""
        made = 0
        for row in rows:
            if self.stop.is_set():
                break
            made += await step(row)
        return made

    async def run(
        self,
        run_once: Callable[[], Awaitable[int]],
        *,
        stop: asyncio.Event,
        rest_s: Callable[[float], float],
        fail: Callable[[Exception, int], Awaitable[None]],
    ) -> None:
        """Until stop is set; a step that runs is finished.

        rest_s: how long at most, of so long. fail: is told what went wrong with a whole round, and how often in a row.
        """
        self.stop = stop
        failures = 0
        while not stop.is_set():
            self._news.clear()
            try:
                made = await run_once()
            except Exception as error:
                failures += 1
                await fail(error, failures)
                await self._rest(rest_s(backoff_s(failures)))
                continue
            failures = 0
            if made == 0:
                await self._rest(rest_s(LOOK_EVERY_S))

    async def _rest(self, seconds: float) -> None:
        await wait_for_any((self.stop, self._news), seconds)
