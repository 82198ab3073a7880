"""Where a round happens: the stack, its sellers, and what the breakages say of themselves."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field

import asyncpg

from core.queries import sql
from loadtests.faults.driver import Driver
from loadtests.faults.stack import FaultStack

# How long a breakage waits for its victim, and for the moment when it works.
VICTIM_AWAITED_S = 3.0
MOMENT_AWAITED_S = 1.0
POLL_S = 0.02
# What a PostgreSQL that is being broken makes of us.
UNREACHABLE = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


@dataclass
class Scene:
    """missed: who was not there to be hit."""

    stack: FaultStack
    driver: Driver
    missed: list[str] = field(default_factory=list)

    async def victim(self, program: str, chance: random.Random) -> int | None:
        """The pid of one such process, as soon as there is one."""
        deadline_s = time.monotonic() + VICTIM_AWAITED_S
        while not (pids := self.stack.pids(program)):
            if time.monotonic() > deadline_s:
                self.missed.append(program)
                return None
            await asyncio.sleep(POLL_S)
        return chance.choice(pids)

    async def end(self, program: str, chance: random.Random, number: signal.Signals) -> None:
        """Send one such process the signal."""
        pid = await self.victim(program, chance)
        if pid is not None:
            self.stack.signal(pid, program, number)

    async def until_at_work(self, application: str, *, in_transaction: bool) -> None:
        """Return in the middle of its work, or when the moment has not come for a while."""
        deadline_s = time.monotonic() + MOMENT_AWAITED_S
        with suppress(*UNREACHABLE):
            async with self.stack.connection() as connection:
                while not await connection.fetchval(sql("faults/at_work"), application, in_transaction):
                    if time.monotonic() > deadline_s:
                        return


Begin = Callable[[Scene, random.Random], AbstractAsyncContextManager[None]]
