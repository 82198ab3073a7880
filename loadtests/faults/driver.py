"""Many POS at once, two to a seller: they sell, sync, cancel, ask again, and write down what they were told."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from loadtests.faults.answers import Answers
from loadtests.faults.shop import Shop
from loadtests.faults.wire import WatchedWire
from loadtests.history import History, Kind, Operation
from loadtests.pos import NotTaken, OutcomeUnknown, Patience, Pos, new_key
from loadtests.session import Credentials
from loadtests.tickets import ticket_for

POS_PER_SELLER = 2
BATCH_TICKETS_MAX = 8
# Who waits long for an answer to one key breaks little; what stays unknown is asked for later.
PATIENCE = Patience(tries_max=3, wait_min_s=0.05, wait_max_s=0.4, retry_after_max_s=2.0)
# After the healing: until there is an answer.
SETTLING = Patience(tries_max=8, wait_min_s=0.05, wait_max_s=0.5)
POLL_S = 0.01

Made = TypeVar("Made")


@dataclass
class Seller:
    """What both her POS know: operations that were begun, perhaps at this moment."""

    credentials: Credentials
    begun: list[Operation] = field(default_factory=list)

    def sales(self) -> list[Operation]:
        return [operation for operation in self.begun if operation.kind is Kind.SALE]


class Driver:
    """start(); … await stop(); await settle(). operations: how many ended, however they did."""

    def __init__(self, api_url: str, shop: Shop, *, history: History, answers: Answers, seed: int) -> None:
        self.shop, self.operations = shop, 0
        self.sellers = [Seller(Credentials.of(seller, logs_in=False)) for seller in shop.sellers]
        self.terminals = [
            Terminal(
                self,
                seller,
                number,
                WatchedWire(api_url, seller.credentials.vendedor_id, answers, f"{seed} {place} {number}"),
                history,
            )
            for place, seller in enumerate(self.sellers)
            for number in range(POS_PER_SELLER)
        ]
        self._pool = ThreadPoolExecutor(len(self.terminals), thread_name_prefix="pos")
        self._running: list[Future[None]] = []
        self._lock = threading.Lock()
        self.is_over = False

    def start(self) -> None:
        self._running = [self._pool.submit(terminal.work) for terminal in self.terminals]

    async def reach(self, operations: int, *, until_s: float) -> bool:
        """Whether so many were done in time. until_s: on the monotonic clock. Raises what a POS raised."""
        while self.operations < operations:
            for future in self._running:
                if future.done():
                    future.result()
            if time.monotonic() > until_s:
                return False
            await asyncio.sleep(POLL_S)
        return True

    async def stop(self) -> None:
        """When each POS has ended its last operation. Raises what a POS raised."""
        self.is_over = True
        await asyncio.gather(*(asyncio.wrap_future(future) for future in self._running))
        self._running = []

    async def settle(self) -> None:
        """Ask again for all that is unknown; what stays so the history shows."""
        await self.each(Terminal.settle)

    async def each(self, work: Callable[[Terminal], Made]) -> list[Made]:
        """work(terminal), of all POS at once."""
        loop = asyncio.get_running_loop()
        return await asyncio.gather(*(loop.run_in_executor(self._pool, work, terminal) for terminal in self.terminals))

    def vanish(self, odds: float) -> None:
        for terminal in self.terminals:
            terminal.wire.vanish_odds = odds

    def close(self) -> None:
        self.is_over = True
        self._pool.shutdown(wait=True)

    def count(self) -> None:
        with self._lock:
            self.operations += 1


class Terminal:
    """One POS, in a thread of its own. number: of its seller's POS_PER_SELLER."""

    def __init__(self, driver: Driver, seller: Seller, number: int, wire: WatchedWire, history: History) -> None:
        self._driver, self._chance = driver, wire.chance
        self.seller, self.number, self.wire = seller, number, wire
        self.pos = Pos(seller.credentials, wire, history, PATIENCE, wire.chance)

    def work(self) -> None:
        while not self._driver.is_over:
            with suppress(OutcomeUnknown, NotTaken):
                self._work_once()
            self._driver.count()

    def settle(self) -> None:
        self.pos.patience = SETTLING
        for operation in list(self.pos.unresolved.values()):
            with suppress(OutcomeUnknown, NotTaken):
                self.pos.perform(operation, again=True)

    def _work_once(self) -> None:
        roll, sales = self._chance.random(), self.seller.sales()
        if self.pos.unresolved and roll < 0.5:
            self._clear_up(self._chance.choice(list(self.pos.unresolved.values())))
        elif not sales or roll < 0.65:
            self.pos.perform(self._begin())
        elif roll < 0.78:
            self.pos.sync([self._begin() for _ in range(self._chance.randint(2, BATCH_TICKETS_MAX))])
        elif roll < 0.88:
            self._cancel(self._chance.choice(sales))
        else:
            # Perhaps while the other POS still waits for its answer.
            self.pos.perform(self._chance.choice(self.seller.begun), again=True)

    def _clear_up(self, unknown: Operation) -> None:
        """Ask again, or undo it unseen."""
        if unknown.kind is Kind.SALE and self._chance.random() < 0.3:
            self._cancel(unknown)
        else:
            self.pos.perform(unknown, again=True)

    def _begin(self) -> Operation:
        shop = self._driver.shop
        ticket = ticket_for(self._chance.choice(shop.draw_ids), shop.multiplier_id, self._chance)
        sale = self.pos.sale_of(ticket)
        self.seller.begun.append(sale)
        return sale

    def _cancel(self, sale: Operation) -> None:
        cancel = Operation(Kind.CANCEL, sale.seller, new_key(), {"saleKey": sale.key})
        self.seller.begun.append(cancel)
        self.pos.perform(cancel)
