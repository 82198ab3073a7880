"""What a breakage has to do with: the stack, its sellers, a chance of its own, and where it says whom it missed."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass

from core.database import LOST
from core.queries import sql
from loadtests.faults.driver import Driver
from loadtests.faults.stack import FaultStack

# How long a breakage waits for its victim, and for the moment when it works.
VICTIM_AWAITED_S = 3.0
MOMENT_AWAITED_S = 1.0
POLL_S = 0.02


@dataclass
class Scene:
    """chance: of the strike's seed. missed: the round's list of who was not there to be hit."""

    stack: FaultStack
    driver: Driver
    chance: random.Random
    missed: list[str]

    async def victim(self, program: str) -> int | None:
        """The pid of one such process, as soon as there is one."""
        deadline_s = time.monotonic() + VICTIM_AWAITED_S
        while not (pids := self.stack.pids(program)):
            if time.monotonic() > deadline_s:
                self.missed.append(program)
                return None
            await asyncio.sleep(POLL_S)
        return self.chance.choice(pids)

    async def end(self, program: str, number: signal.Signals) -> None:
        """Send one such process the signal."""
        pid = await self.victim(program)
        if pid is not None:
            self.stack.signal(pid, program, number)

    async def until_at_work(self, application: str, *, in_transaction: bool) -> None:
        """Return in the middle of its work, or when the moment has not come for a while."""
        deadline_s = time.monotonic() + MOMENT_AWAITED_S
        with suppress(*LOST):
            async with self.stack.connection() as connection:
                while not await connection.fetchval(sql("faults/at_work"), application, in_transaction):
                    if time.monotonic() > deadline_s:
                        return


Begin = Callable[[Scene], AbstractAsyncContextManager[None]]
