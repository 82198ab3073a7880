"""Work that takes a while and a lot: done by few at once, so that it leaves room for all others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from api.problems import ProblemError


@asynccontextmanager
async def turn(turns: asyncio.Semaphore, *, wait_s: float, busy: ProblemError) -> AsyncIterator[None]:
    """busy: what it raises when others take too long."""
    try:
        async with asyncio.timeout(wait_s):
            await turns.acquire()
    except TimeoutError:
        raise busy from None
    try:
        yield
    finally:
        turns.release()
