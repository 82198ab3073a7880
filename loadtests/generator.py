"""A lean closed-loop load generator: keep-alive connections that send the next request when the last was answered.

Any answer but 2xx counts as a failure and is shown. Traffic goes to loopback only.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

from loadtests.signed_requests import SignedRequest

CONNECT_TIMEOUT_S = 5.0
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(slots=True)
class LoadReport:
    """seconds: each answered request's time. acknowledged: keys whose request was answered 2xx; unknown: the rest sent."""

    elapsed_s: float = 0.0
    tickets: int = 0
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    acknowledged: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    samples: dict[int, bytes] = field(default_factory=dict)

    @property
    def tickets_per_s(self) -> float:
        return self.tickets / self.elapsed_s if self.elapsed_s else 0.0

    def percentile_ms(self, share: float) -> float:
        ranked = sorted(self.seconds)
        return 1000 * ranked[min(len(ranked) - 1, int(share * len(ranked)))] if ranked else 0.0


class _Connection(asyncio.Protocol):
    """One keep-alive connection. Answers carry Content-Length; that is all that is read of them."""

    def __init__(self, requests: Iterator[SignedRequest], report: LoadReport, until_s: float) -> None:
        self._requests, self._report, self._until_s = requests, report, until_s
        self._buffer = b""
        self._current: SignedRequest | None = None
        self._sent_s = 0.0
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._send_next()

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        at = self._buffer.find(b"Content-Length: ", 0, head_end)
        length = int(self._buffer[at + 16 : self._buffer.find(b"\r", at)])
        if len(self._buffer) < head_end + 4 + length:
            return
        self._answered(int(self._buffer[9:12]), self._buffer[head_end + 4 :])
        self._buffer = b""
        self._send_next()

    def connection_lost(self, _: Exception | None) -> None:
        if self._current is not None:
            self._report.unknown.extend(self._current.keys)
        if not self.finished.done():
            self.finished.set_result(None)

    def _answered(self, status: int, body: bytes) -> None:
        assert self._current is not None
        report = self._report
        report.seconds.append(time.perf_counter() - self._sent_s)
        report.statuses[status] += 1
        if 200 <= status < 300:
            report.tickets += self._current.tickets
            report.acknowledged.extend(self._current.keys)
        else:
            report.unknown.extend(self._current.keys)
            report.samples.setdefault(status, body)
        self._current = None

    def _send_next(self) -> None:
        request = next(self._requests, None) if time.perf_counter() < self._until_s else None
        if request is None:
            self._transport.close()
            return
        self._current = request
        self._sent_s = time.perf_counter()
        self._transport.write(request.wire)


async def run_load(
    host: str, port: int, requests: Sequence[SignedRequest], *, connections: int, seconds: float
) -> LoadReport:
    """Send until the requests or the seconds run out. Raises ValueError for an address that is not loopback."""
    if host not in LOOPBACK:
        raise ValueError(f"load goes to loopback only, not to {host}")
    report, loop = LoadReport(), asyncio.get_running_loop()
    waiting = iter(requests)
    began_s = time.perf_counter()
    opened = []
    for _ in range(connections):
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            _, connection = await loop.create_connection(
                lambda: _Connection(waiting, report, began_s + seconds), host, port
            )
        opened.append(connection.finished)
    async with asyncio.timeout(seconds + 60):
        await asyncio.gather(*opened)
    report.elapsed_s = time.perf_counter() - began_s
    return report
