"""A lean load generator: keep-alive connections, requests made beforehand, one thread, no layers of an event loop.

Closed loop: a connection sends its next request when the last one was answered. Open loop: requests are due at a
fixed rate, and an answer's time counts from the instant its request was due, so that a slow server does not hide by
being asked less often. Traffic goes to loopback only.
"""

from __future__ import annotations

import gc
import select
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Self

from loadtests.flow import LOOK_EVERY_S, TICK_S, Connection, Flow, RunningFlow

LOOPBACK = ("127.0.0.1", "localhost", "::1")
CONNECT_TIMEOUT_S = 5.0
# After the window so long is waited for the answers that are still due.
ANSWERS_WITHIN_S = 30.0
EVENTS_MAX = 512
# A closed loop of many connections takes the answers of a millisecond together: woken by each of them, the generator
# would cost the machine twice as much, and it is not what is measured.
REST_CONNECTIONS_MIN = 16


def run_load(
    address: tuple[str, int],
    flows: Sequence[Flow],
    *,
    seconds: float,
    lead_in_s: float = 0.0,
    stop: threading.Event | None = None,
) -> None:
    """Run the flows side by side until the seconds are over or stop is set; their reports hold what came of it.

    lead_in_s: the flows run for so long before the window begins.
    Raises ValueError for an address that is not loopback, OSError when nobody listens.
    """
    if address[0] not in LOOPBACK:
        raise ValueError(f"load goes to loopback only, not to {address[0]}")
    with _Generator(address, flows) as generator, _without_collections():
        generator.run(lead_in_s, seconds, stop or threading.Event())


class _Generator:
    def __init__(self, address: tuple[str, int], flows: Sequence[Flow]) -> None:
        self._poll = select.epoll()
        self._connections: dict[int, Connection] = {}
        self._flows = [RunningFlow(flow) for flow in flows]
        for running in self._flows:
            for _ in range(running.flow.connections):
                self._open(address, running)
        is_closed = all(flow.rate_per_s is None for flow in flows)
        self._rest_s = TICK_S if is_closed and len(self._connections) >= REST_CONNECTIONS_MIN else 0.0

    def run(self, lead_in_s: float, seconds: float, stop: threading.Event) -> None:
        cpu_began_s = time.thread_time()
        began_s = time.perf_counter() + lead_in_s
        ends_s = began_s + seconds
        for running in self._flows:
            running.start(began_s, ends_s)
        while (now_s := time.perf_counter()) < ends_s and not stop.is_set():
            time.sleep(self._rest_s)
            if not self._turn(min(ends_s, *(running.wakes_s(now_s) for running in self._flows)) - now_s):
                break
        window_s = max(0.0, time.perf_counter() - began_s)
        for running in self._flows:
            running.end(window_s)
        while time.perf_counter() < ends_s + ANSWERS_WITHIN_S and any(running.waiting for running in self._flows):
            self._turn(LOOK_EVERY_S)
        for connection in self._connections.values():
            connection.give_up()
        for running in self._flows:
            running.flow.report.cpu_s = time.thread_time() - cpu_began_s

    def _turn(self, wait_s: float) -> bool:
        """Take what was answered and send what is due. False when there is nobody left to send."""
        for descriptor, _ in self._poll.poll(0 if wait_s < TICK_S else wait_s, EVENTS_MAX):
            connection = self._connections[descriptor]
            if not connection.receive():
                self._poll.unregister(descriptor)
                del self._connections[descriptor]
                connection.close()
        for running in self._flows:
            running.send_due()
        return any(running.is_alive for running in self._flows)

    def _open(self, address: tuple[str, int], running: RunningFlow) -> None:
        connection = Connection(socket.create_connection(address, CONNECT_TIMEOUT_S), running)
        self._connections[connection.descriptor] = connection
        self._poll.register(connection.descriptor, select.EPOLLIN)
        running.idle.append(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._connections.values():
            connection.close()
        self._poll.close()


@contextmanager
def _without_collections() -> Iterator[None]:
    """Requests by the hundred thousand are not garbage; looking through them would be the generator's largest cost."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
