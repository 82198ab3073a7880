"""The event loop in which a worker's actors run."""

from __future__ import annotations

from collections.abc import Coroutine

from dramatiq.asyncio import get_event_loop_thread


def run_in_loop(coroutine: Coroutine[None, None, None]) -> None:
    """From another thread; returns when it is done."""
    loop_thread = get_event_loop_thread()
    assert loop_thread is not None
    loop_thread.run_coroutine(coroutine)
