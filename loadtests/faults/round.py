"""A round: many POS, a schedule that breaks things, the healing, every key once more, and what must be true then."""

from __future__ import annotations

import asyncio
import http.client
import random
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Self

from cli.readiness import get_status
from loadtests.faults.answers import Answers
from loadtests.faults.breakages import BREAKAGES
from loadtests.faults.checker import Finding, stored_findings
from loadtests.faults.driver import Driver
from loadtests.faults.logs import Logs
from loadtests.faults.replays import replay
from loadtests.faults.scene import Scene
from loadtests.faults.schedule import OPERATIONS, Strike
from loadtests.faults.shop import open_shop
from loadtests.faults.stack import FaultStack
from loadtests.history import History

# Operations are slow while everything is broken; what the schedule has not come to by then is left out.
LOAD_MAX_S = 20.0
BREAKAGE_MAX_S = 3.0
HEALED_WITHIN_S = 20.0
POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class RoundReport:
    """struck: in the order in which they began. told: what the POS saw of it."""

    seed: int
    struck: tuple[str, ...]
    told: str
    seconds: float
    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        found = f"{len(self.findings)} findings" if self.findings else "nothing found"
        return f"seed {self.seed}  {self.seconds:.1f} s  {', '.join(self.struck)}  |  {self.told}  |  {found}"


class Round:
    """async with Round(…) as a_round: report = await a_round.run(); check() may be asked again until it is left."""

    def __init__(
        self, stack: FaultStack, seed: int, strikes: Sequence[Strike], *, operations: int = OPERATIONS
    ) -> None:
        self.stack, self.seed, self.strikes, self.operations = stack, seed, strikes, operations
        self.answers = Answers()
        self.struck: list[str] = []
        self.missed: list[str] = []
        self._closing = ExitStack()

    async def __aenter__(self) -> Self:
        self.logs = Logs(self.stack.programs.data / "log")
        path = self.stack.folder / f"history-{self.seed}.jsonl"
        self.history = self._closing.enter_context(History(path))
        # What is asked with other content under a known key is no part of the history.
        self._aside = self._closing.enter_context(History(path.with_suffix(".aside.jsonl")))
        shop = await open_shop(self.stack.stack)
        self.driver = Driver(self.stack.http.url, shop, history=self.history, answers=self.answers, seed=self.seed)
        self._closing.callback(self.driver.close)
        return self

    async def __aexit__(self, *_: object) -> None:
        # In a thread: the POS that still wait for answers wait for our proxies.
        await asyncio.to_thread(self._closing.close)

    async def run(self) -> RoundReport:
        began_s = time.monotonic()
        await self._break()
        findings = await self._heal() + await self.check()
        told = self.answers.told(operations=self.driver.operations)
        if self.missed:
            told += f"; not there to be hit: {', '.join(self.missed)}"
        return RoundReport(self.seed, tuple(self.struck), told, time.monotonic() - began_s, tuple(findings))

    async def check(self) -> list[Finding]:
        """Everything that must be true of a healed stack."""
        findings = [Finding("replays", text) for text in await replay(self.driver, self.answers, self._aside)]
        findings += [Finding("answers", text) for text in self.answers.findings]
        self.answers.findings = []
        findings += await stored_findings(self.stack, [self.history.path])
        return findings + [Finding("logs", text) for text in self.logs.defects()]

    async def _break(self) -> None:
        until_s = time.monotonic() + LOAD_MAX_S
        self.driver.start()
        try:
            async with asyncio.TaskGroup() as group:
                for strike in self.strikes:
                    group.create_task(self._strike(strike, until_s))
                await self.driver.reach(self.operations, until_s=until_s)
        finally:
            await self.driver.stop()

    async def _strike(self, strike: Strike, until_s: float) -> None:
        if not await self.driver.reach(strike.at, until_s=until_s):
            return
        self.struck.append(str(strike))
        scene = Scene(self.stack, self.driver, random.Random(strike.seed), self.missed)
        async with BREAKAGES[strike.breakage].begin(scene):
            await self.driver.reach(strike.at + strike.lasts, until_s=time.monotonic() + BREAKAGE_MAX_S)

    async def _heal(self) -> list[Finding]:
        """When everybody is back and the API says that it is ready; then what is unknown is asked for."""
        await self.stack.mend()
        deadline_s = time.monotonic() + HEALED_WITHIN_S
        findings = []
        while missing := self.stack.missing() or ([] if await self._is_ready() else ["/health/ready"]):
            if time.monotonic() > deadline_s:
                findings = [Finding("healed", f"not back after {HEALED_WITHIN_S:.0f} s: {', '.join(missing)}")]
                break
            await asyncio.sleep(POLL_S)
        await self.driver.settle()
        return findings

    async def _is_ready(self) -> bool:
        with suppress(OSError, http.client.HTTPException):
            return await asyncio.to_thread(get_status, self.stack.stack.api_url, "/health/ready") == 200
        return False
