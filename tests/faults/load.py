"""Sellers who sell and now and then cancel, all at once, and who write down what they were told and what they were not."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import aiohttp

from core.security.signature import canonical_request, sign
from tests.api.selling import BATCH, CANCEL, SALE
from tests.pos import new_key

ANSWER_TIMEOUT_S = 8.0
# One sale in so many is cancelled at once.
CANCEL_EVERY = 8
PAUSE_AFTER_TROUBLE_S = 0.05
REPLAYED_AT_ONCE = 200
# Each has a connection: an ordinary user's process may have 1,024 open files, and an outage leaves thousands of keys.
SETTLED_AT_ONCE = 200


@dataclass(frozen=True)
class Attempt:
    """A request that may be sent again as it is, but for its timestamp."""

    seller: Mapping[str, str]
    path: str
    key: str
    body: bytes


@dataclass
class Ledger:
    """What the sellers know. unknown: sent, and no definite answer came; strange: answers that there should not be."""

    sold: dict[str, dict[str, Any]] = field(default_factory=dict)
    cancelled: dict[str, dict[str, Any]] = field(default_factory=dict)
    sales: dict[str, Attempt] = field(default_factory=dict)
    unknown: list[Attempt] = field(default_factory=list)
    strange: list[dict[str, Any]] = field(default_factory=list)
    troubles: int = 0


class Load:
    """async with Load(demo) as load: task = load.start(); …; await load.stop(); await load.settle()"""

    def __init__(self, demo: Mapping[str, Any]) -> None:
        self.demo = demo
        self.ledger = Ledger()
        self._is_over = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S)
        self._session = aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        if self._session is not None:
            await self._session.close()

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._sell_on(seller)) for seller in self.demo["sellers"]]

    async def sold_more(self, count: int, *, timeout_s: float = 30.0) -> None:
        """Until so many more tickets were acknowledged."""
        wanted, deadline_s = len(self.ledger.sold) + count, time.monotonic() + timeout_s
        while len(self.ledger.sold) < wanted:
            await asyncio.sleep(0.01)
            assert time.monotonic() < deadline_s, f"{len(self.ledger.sold)} of {wanted} tickets in {timeout_s} s"

    async def stop(self) -> None:
        """When every seller has its last answer, or knows that none comes."""
        self._is_over.set()
        await asyncio.gather(*self._tasks)
        self._tasks = []

    async def settle(self, *, timeout_s: float = 30.0) -> None:
        """Send all that is unknown again, with the same key, until each has a definite answer."""
        deadline_s = time.monotonic() + timeout_s
        while self.ledger.unknown:
            assert time.monotonic() < deadline_s, f"{len(self.ledger.unknown)} keys without an answer"
            again, self.ledger.unknown = self.ledger.unknown, []
            for some in batched_of(again, SETTLED_AT_ONCE):
                await asyncio.gather(*(self._attempt(attempt) for attempt in some))

    async def replay(self) -> list[dict[str, Any]]:
        """Every sale once more, in batches: the results."""
        results: list[dict[str, Any]] = []
        for seller in self.demo["sellers"]:
            mine = [sale for sale in self.ledger.sales.values() if sale.seller is seller]
            for some in batched_of(mine, REPLAYED_AT_ONCE):
                tickets = [{"idempotencyKey": sale.key, **json.loads(sale.body)} for sale in some]
                answer = await self._send(Attempt(seller, BATCH, new_key(), json.dumps({"tickets": tickets}).encode()))
                assert answer is not None
                assert answer[0] == 200
                results += answer[1]["results"]
        return results

    async def _sell_on(self, seller: Mapping[str, str]) -> None:
        while not self._is_over.is_set():
            sale = Attempt(seller, SALE, new_key(), self._ticket())
            self.ledger.sales[sale.key] = sale
            is_sold = await self._attempt(sale)
            if is_sold and random.randrange(CANCEL_EVERY) == 0:
                is_sold = await self._attempt(
                    Attempt(seller, CANCEL, new_key(), json.dumps({"saleKey": sale.key}).encode())
                )
            if not is_sold:
                # A seller whose connection was lost takes a breath; it is not a wait for anything.
                await asyncio.sleep(PAUSE_AFTER_TROUBLE_S)

    async def _attempt(self, attempt: Attempt) -> bool:
        """Whether a definite answer came; it is in the ledger either way."""
        answer = await self._send(attempt)
        if answer is None:
            self.ledger.troubles += 1
            self.ledger.unknown.append(attempt)
            return False
        status, document = answer
        if status not in (200, 201):
            self.ledger.strange.append(document)
        elif attempt.path == SALE:
            self.ledger.sold[attempt.key] = document
        else:
            self.ledger.cancelled[json.loads(attempt.body)["saleKey"]] = document
        return True

    async def _send(self, attempt: Attempt) -> tuple[int, dict[str, Any]] | None:
        assert self._session is not None, "enter the context first"
        try:
            async with self._session.post(
                self.demo["apiUrl"] + attempt.path, data=attempt.body, headers=signed(attempt)
            ) as response:
                document = json.loads(await response.read())
        except (aiohttp.ClientError, TimeoutError):
            return None
        return None if response.status == 503 else (response.status, document)

    def _ticket(self) -> bytes:
        lines = [
            {"type": "NUMERO", "number": f"{random.randrange(100):02d}", "amount": f"{random.randint(1, 50)}.00"}
            for _ in range(random.randint(1, 3))
        ]
        return json.dumps({"sorteoId": random.choice(self.demo["sorteoIds"]), "jugadas": lines}).encode()


def signed(attempt: Attempt) -> dict[str, str]:
    timestamp = str(int(time.time()))
    canonical = canonical_request(
        terminal=attempt.seller["terminalId"],
        timestamp=timestamp,
        method="POST",
        target=attempt.path,
        idempotency_key=attempt.key,
        body=attempt.body,
    )
    return {
        "Authorization": f"Bearer {attempt.seller['token']}",
        "Content-Type": "application/json",
        "Idempotency-Key": attempt.key,
        "X-Terminal": attempt.seller["terminalId"],
        "X-Timestamp": timestamp,
        "X-Signature": sign(attempt.seller["secret"], canonical),
    }


def batched_of(items: Sequence[Attempt], size: int) -> list[Sequence[Attempt]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
