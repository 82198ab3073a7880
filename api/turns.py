"""Work that takes a while and a lot: done by few at once, so that it leaves room for all others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from api.problems import refuse


@asynccontextmanager
async def turn(turns: asyncio.Semaphore, *, wait_s: float, code: str, detail: str) -> AsyncIterator[None]:
    """Raises ProblemError 503 with the code when others take too long."""
    try:
        async with asyncio.timeout(wait_s):
            await turns.acquire()
    except TimeoutError:
        raise refuse(503, code, detail, retry_after_s=1) from None
    try:
        yield
    finally:
        turns.release()
