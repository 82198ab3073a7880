"""How long what is ready waits for the event loop, measured in every process: long work without an await holds all else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client import Histogram

from core.logging import Log

LOOK_EVERY_S = 0.1
# The log names what the histogram cannot: when.
TOLD_FROM_S = 1.0

LOOP_LAG_SECONDS = Histogram(
    "event_loop_lag_seconds",
    "How late the event loop came to a timer; what holds it keeps every request of the process waiting",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)

log = Log("loop")


async def watch_loop() -> None:
    """Ask again and again for a timer, and see how late it comes. Until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LOOK_EVERY_S
        await asyncio.sleep(LOOK_EVERY_S)
        lag_s = max(0.0, loop.time() - due)
        LOOP_LAG_SECONDS.observe(lag_s)
        if lag_s >= TOLD_FROM_S:
            log.warning("LOOP_HELD", seconds=round(lag_s, 3))


@asynccontextmanager
async def watched_loop() -> AsyncIterator[None]:
    """The loop is watched meanwhile."""
    watching = asyncio.create_task(watch_loop(), name="loop lag")
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.wait([watching])
