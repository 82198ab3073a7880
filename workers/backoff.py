"""How long to wait after trouble: doubling, bounded, with full jitter above the half."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

FIRST_S = 0.1
LONGEST_S = 5.0
DOUBLINGS_MAX = 10


def backoff_s(failures: int) -> float:
    """failures: in a row, from 1."""
    ceiling_s = min(LONGEST_S, FIRST_S * (1 << min(failures - 1, DOUBLINGS_MAX)))
    return ceiling_s * random.uniform(0.5, 1.0)  # noqa: S311 - it spreads load, it guards nothing


async def wait(stop: asyncio.Event, seconds: float) -> None:
    """Return after so many seconds, or as soon as stop is set."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


async def wait_for_any(events: Sequence[asyncio.Event], seconds: float) -> None:
    """Return after so many seconds, or as soon as one of the events is set."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    await asyncio.wait(waits, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
    for waiting in waits:
        waiting.cancel()
    await asyncio.wait(waits)
