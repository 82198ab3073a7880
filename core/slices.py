"""Long work of the event loop in slices: what waits for the loop waits for one slice, not for the whole."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import TypeVar

Result = TypeVar("Result")


async def in_slices(steps: Generator[None, None, Result]) -> Result:
    """What the steps end with. Between two of them the loop does everything else that is ready."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result
        await asyncio.sleep(0)


class Pace:
    """Gives the loop back each time that so much was done. each: in whatever `did` counts."""

    def __init__(self, each: int) -> None:
        self._each = each
        self._done = 0

    async def did(self, much: int) -> None:
        self._done += much
        if self._done >= self._each:
            self._done = 0
            await asyncio.sleep(0)
