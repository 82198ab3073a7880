"""The till: every banca's lane, bounded together, closed in order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from core.metrics import TILL_OUTCOMES, TILL_QUEUE_TICKETS
from core.till.lane import Answer, Lane, Waiting
from core.till.order import SaleOrder
from core.till.outcomes import Outcome
from core.till.recorder import Recorder


class PublishBalance(Protocol):
    """Tells readers of a seller's new balance; returns at once."""

    def __call__(self, banca_id: UUID, account_id: UUID, *, balance_cents: int, version: int) -> None: ...


class TillFullError(Exception):
    """More tickets wait than the till takes; nothing was written. Try again after retry_after_s."""

    retry_after_s = 1


class TillClosedError(Exception):
    """The process is shutting down; nothing was written. Another one takes the sale."""

    retry_after_s = 1


class Till:
    def __init__(
        self,
        recorder: Recorder,
        *,
        queue_tickets_max: int,
        batch_tickets_max: int,
        batch_jugadas_max: int,
        publish_balance: PublishBalance,
    ) -> None:
        self._recorder = recorder
        self._queue_tickets_max = queue_tickets_max
        # An eighth is left to the others, so that one banca's rush does not close the till to them.
        self._banca_tickets_max = queue_tickets_max - queue_tickets_max // 8
        self._batch_tickets_max = batch_tickets_max
        self._batch_jugadas_max = batch_jugadas_max
        self._publish_balance = publish_balance
        self._lanes: dict[UUID, Lane] = {}
        self._waiting = 0
        self._open = True

    async def submit_all(self, orders: Sequence[SaleOrder]) -> list[Answer]:
        """Wait for the tickets' outcomes, in the order asked; a caller that goes away cancels nothing.

        Per ticket what was written, or TillFullError, TillClosedError, DatabaseUnavailableError (nothing written),
        OutcomeUnknownError (send the same key again). Several tickets enter together or not at all.
        """
        if not self._open:
            return [TillClosedError() for _ in orders]
        if orders and not self._has_room(orders[0].actor.banca_id, len(orders)):
            return [TillFullError() for _ in orders]
        self._waiting += len(orders)
        TILL_QUEUE_TICKETS.set(self._waiting)
        answers = [self._lane(order.actor.banca_id).put(order) for order in orders]
        return [await answer for answer in answers]

    async def close(self) -> None:
        """Take nothing more, answer all that waits."""
        self._open = False
        await asyncio.gather(*(lane.drain() for lane in list(self._lanes.values())))

    def _has_room(self, banca_id: UUID, tickets: int) -> bool:
        lane = self._lanes.get(banca_id)
        own = (lane.waiting if lane is not None else 0) + tickets
        return own <= self._banca_tickets_max and self._waiting + tickets <= self._queue_tickets_max

    def _lane(self, banca_id: UUID) -> Lane:
        lane = self._lanes.get(banca_id)
        if lane is None:
            self._lanes = {known: lane for known, lane in self._lanes.items() if not lane.idle}
            lane = self._lanes[banca_id] = Lane(
                banca_id,
                self._recorder,
                tickets_max=self._batch_tickets_max,
                jugadas_max=self._batch_jugadas_max,
                on_written=self._written,
                on_left=self._left,
            )
        return lane

    def _left(self, tickets: int) -> None:
        self._waiting -= tickets
        TILL_QUEUE_TICKETS.set(self._waiting)

    def _written(self, banca_id: UUID, batch: list[Waiting], outcomes: list[Outcome]) -> None:
        balances: dict[UUID, tuple[int, int]] = {}
        for waiting, outcome in zip(batch, outcomes, strict=True):
            TILL_OUTCOMES.labels(outcome.verdict.value).inc()
            if outcome.balance is not None:
                balances[waiting.order.priced.vendedor_id] = outcome.balance
        for account_id, (balance_cents, version) in balances.items():
            self._publish_balance(banca_id, account_id, balance_cents=balance_cents, version=version)
