"""A flow of requests, closed or open, and the keep-alive connections that carry it."""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from loadtests.load_report import LoadReport
from loadtests.signed_requests import SignedRequest

RECEIVE_BYTES = 262_144
LOOK_EVERY_S = 0.05
# The kernel's wait counts milliseconds. Requests further apart than this are sent on time by looking again and again
# in their last millisecond; closer ones go in groups, a millisecond late at most, and that counts as the server's.
PRECISE_INTERVAL_S = 0.004
TICK_S = 0.001


@dataclass(slots=True)
class Flow:
    """rate_per_s: None for a closed loop. requests: ends the flow when it ends."""

    requests: Iterable[SignedRequest]
    connections: int
    rate_per_s: float | None = None
    report: LoadReport = field(default_factory=LoadReport)


class RunningFlow:
    """A flow and where it is. waiting: requests without an answer yet."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.idle: deque[Connection] = deque()
        self.waiting = 0
        self.is_over = False
        self._requests: Iterator[SignedRequest] = iter(flow.requests)
        self._interval_s = None if flow.rate_per_s is None else 1 / flow.rate_per_s
        self._due_s = self._began_s = self._until_s = 0.0

    @property
    def is_alive(self) -> bool:
        return self.waiting > 0 or (not self.is_over and bool(self.idle))

    def start(self, began_s: float, until_s: float) -> None:
        """began_s, until_s: the window. What is due is due from now on."""
        self._due_s, self._began_s, self._until_s = time.perf_counter(), began_s, until_s
        self.send_due()

    def end(self, window_s: float) -> None:
        """Send nothing more; what is still to be answered is outside the window."""
        report, now_s = self.flow.report, time.perf_counter()
        report.window_s = window_s
        if self._interval_s is not None and not self.is_over:
            report.unsent = max(0, int((min(now_s, self._until_s) - self._due_s) / self._interval_s))
        self.is_over = True

    def wakes_s(self, now_s: float) -> float:
        """When to look at this flow again, at the latest."""
        if self._interval_s is None or not self.idle:
            return now_s + LOOK_EVERY_S
        if self._interval_s < PRECISE_INTERVAL_S:
            return max(self._due_s, now_s + TICK_S)
        # The kernel rounds up: leave its wait a millisecond early.
        return self._due_s - TICK_S if self._due_s - now_s > TICK_S else now_s

    def send_due(self) -> None:
        """To idle connections, as long as there are any and something is due."""
        idle = self.idle
        while idle and not self.is_over:
            now_s = time.perf_counter()
            if self._interval_s is None:
                due_s = now_s
            elif (due_s := self._due_s) <= now_s:
                self._due_s = due_s + self._interval_s
            else:
                return
            request = next(self._requests, None)
            if request is None:
                self.is_over = True
                return
            self.waiting += 1
            idle.popleft().send(request, due_s)

    def answered(self, connection: Connection, request: SignedRequest, due_s: float, answer: bytes, body: int) -> None:
        """body: where it begins in the answer."""
        report, status = self.flow.report, int(answer[9:12])
        now_s = time.perf_counter()
        report.seconds.append(now_s - due_s)
        report.statuses[status] += 1
        self.waiting -= 1
        self.idle.append(connection)
        sold = 0
        if 200 <= status < 300:
            report.acknowledged.extend(request.keys)
            sold = request.tickets if request.tickets == 1 else answer.count(b'"status":201', body)
            report.unsold_in_batches += request.tickets - sold
            report.replayed += answer.find(b"Idempotent-Replayed", 0, body) > 0
        else:
            report.samples.setdefault(status, answer[body:])
            if status in (429, 503) and answer.find(b"Retry-After", 0, body) < 0:
                report.without_retry_after += 1
        if not self.is_over and now_s >= self._began_s:
            report.answers += 1
            report.tickets += sold

    def lost(self, request: SignedRequest) -> None:
        self.waiting -= 1
        self.flow.report.lost.extend(request.keys)


class Connection:
    """Answers carry Content-Length; that is all that is read of their form."""

    __slots__ = ("_due_s", "_flow", "_received", "_request", "_socket", "descriptor")

    def __init__(self, connected: socket.socket, flow: RunningFlow) -> None:
        connected.settimeout(None)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket, self._flow = connected, flow
        self._request: SignedRequest | None = None
        self._due_s = 0.0
        self._received = b""
        self.descriptor = connected.fileno()

    def send(self, request: SignedRequest, due_s: float) -> None:
        self._request, self._due_s = request, due_s
        try:
            self._socket.sendall(request.wire)
        except OSError:
            # The poll reports the loss as well, and what it means for the request is said there.
            return

    def receive(self) -> bool:
        """False when the connection is lost."""
        try:
            data = self._socket.recv(RECEIVE_BYTES)
        except OSError:
            data = b""
        if not data:
            self.give_up()
            return False
        if self._received:
            data = self._received + data
        body = data.find(b"\r\n\r\n") + 4
        at = data.find(b"Content-Length: ", 0, body)
        if body < 4 or len(data) < body + int(data[at + 16 : data.find(b"\r", at)]):
            self._received = data
            return True
        request, self._request, self._received = self._request, None, b""
        if request is None:
            return True
        self._flow.answered(self, request, self._due_s, data, body)
        return True

    def give_up(self) -> None:
        if self._request is not None:
            self._flow.lost(self._request)
            self._request = None
        elif self in self._flow.idle:
            self._flow.idle.remove(self)

    def close(self) -> None:
        self._socket.close()
