"""Values that are read when asked for and kept while they are young enough."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from time import monotonic
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Fresh(Generic[Key, Value]):
    """A bounded cache with one read at a time per key. What a read raises goes to all who wait for it."""

    def __init__(self, read: Callable[[Key], Awaitable[Value]], *, entries_max: int) -> None:
        self._read = read
        self._entries_max = entries_max
        self._entries: OrderedDict[Key, tuple[float, Value]] = OrderedDict()
        self._reads: dict[Key, asyncio.Task[Value]] = {}
        self._tasks: set[asyncio.Task[Value]] = set()

    async def get(self, key: Key, *, max_age_s: float) -> Value:
        """The value as it was at most max_age_s ago."""
        entry = self._entries.get(key)
        if entry is not None and monotonic() - entry[0] <= max_age_s:
            return entry[1]
        # One caller that hangs up does not take the value from the others.
        return await asyncio.shield(self.begin(key))

    def begin(self, key: Key) -> asyncio.Task[Value]:
        """The read under way, or a new one; it needs nobody to wait for it. To be awaited under a shield."""
        read = self._reads.get(key)
        if read is None:
            read = self._reads[key] = asyncio.create_task(self._refresh(key))
            self._tasks.add(read)
            read.add_done_callback(self._end)
        return read

    def is_reading(self, key: Key) -> bool:
        """Whether begin would join a read that is under way."""
        return key in self._reads

    def kept(self, key: Key) -> Value | None:
        """The value if it is kept, however old; nothing is read."""
        entry = self._entries.get(key)
        return None if entry is None else entry[1]

    def peek(self, key: Key, *, max_age_s: float) -> Value | None:
        """The value if it is kept and young enough; nothing is read."""
        entry = self._entries.get(key)
        return None if entry is None or monotonic() - entry[0] > max_age_s else entry[1]

    def age_s(self, key: Key) -> float:
        """How long ago the value was read; infinite when it is not kept."""
        entry = self._entries.get(key)
        return float("inf") if entry is None else monotonic() - entry[0]

    def forget(self, key: Key) -> None:
        """The next get reads again, even if a read is under way: that one may have seen the past."""
        self._entries.pop(key, None)
        self._reads.pop(key, None)

    def clear(self) -> None:
        """As forget, for all keys."""
        self._entries.clear()
        self._reads.clear()

    def amend(self, key: Key, value: Value) -> None:
        """What is kept, if anything is, becomes this value, and no younger for it."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries[key] = (entry[0], value)

    async def close(self) -> None:
        for read in self._tasks:
            read.cancel()
        for read in list(self._tasks):
            with suppress(asyncio.CancelledError, Exception):
                await read

    async def _refresh(self, key: Key) -> Value:
        started = monotonic()
        task = asyncio.current_task()
        try:
            value = await self._read(key)
            if self._reads.get(key) is task:
                self._entries[key] = (started, value)
                self._entries.move_to_end(key)
                if len(self._entries) > self._entries_max:
                    self._entries.popitem(last=False)
            return value
        finally:
            if self._reads.get(key) is task:
                del self._reads[key]

    def _end(self, read: asyncio.Task[Value]) -> None:
        self._tasks.discard(read)
        # Whoever waited has the error; with nobody left to wait it must not be reported as lost.
        if not read.cancelled():
            read.exception()
