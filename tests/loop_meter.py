"""How much processor time passes between two awaits of the event loop, in units of a known computation."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

COUNTED_TO = 1_000_000


def unit_s() -> float:
    """Processor time of counting to a million in Python here and now: some hundredths of a second."""
    started = time.thread_time()
    counted = 0
    while counted < COUNTED_TO:
        counted += 1
    return time.thread_time() - started


@dataclass
class LoopMeter:
    """longest: the processor seconds of the callback that held the loop longest, and what it was."""

    longest_s: float = 0.0
    longest: str = ""
    excluded: set[asyncio.Task[object] | None] = field(default_factory=set)

    def take(self, callback: object, seconds: float) -> None:
        owner = getattr(callback, "__self__", None)
        if seconds > self.longest_s and owner not in self.excluded:
            coroutine = owner.get_coro() if isinstance(owner, asyncio.Task) else None
            self.longest_s = seconds
            self.longest = getattr(coroutine, "__qualname__", None) or repr(callback)


@contextmanager
def metered_loop() -> Iterator[LoopMeter]:
    """Of everything that runs in this loop but the task that asks, whose time is the test's own.

    Collections of garbage, which may come in any callback, are left out; the processes' own are tamed (core/garbage.py).
    """
    meter, run = LoopMeter(excluded={asyncio.current_task()}), asyncio.Handle._run

    def metered(handle: asyncio.Handle) -> None:
        callback, started = handle._callback, time.thread_time()  # type: ignore[attr-defined] # asyncio's own
        run(handle)
        meter.take(callback, time.thread_time() - started)

    gc.disable()
    asyncio.Handle._run = metered  # type: ignore[method-assign, assignment] # what runs every callback
    try:
        yield meter
    finally:
        asyncio.Handle._run = run  # type: ignore[method-assign] # as it was
        gc.enable()
