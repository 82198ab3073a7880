"""A pool's end, bounded: a server that does not answer must not keep a process from ending."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.database import Pool

CLOSE_TIMEOUT_S = 3.0


async def close_pool(pool: Pool) -> None:
    try:
        await asyncio.wait_for(pool.close(), CLOSE_TIMEOUT_S)
    except TimeoutError:
        pool.terminate()
