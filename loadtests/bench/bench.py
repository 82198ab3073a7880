"""What the rows measure with: the stack, the yardstick, loads and their costs."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from cli.ports import free_port
from cli.readiness import get_status
from cli.stack import Role, Stack
from cli.trouble import Trouble
from loadtests.bench.plan import Plan
from loadtests.bench.queries import ask
from loadtests.bench.shops import Stock, make_demo
from loadtests.bench.stack import BenchStack
from loadtests.bench.yardstick import Yardstick
from loadtests.flow import Flow
from loadtests.generator import run_load
from loadtests.load_report import NOTHING_EXPECTED, LoadReport
from loadtests.signed_requests import SignedRequest, Workload

READY_TIMEOUT_S = 30.0
SETTLE_TIMEOUT_S = 300.0
POLL_S = 0.1

Address = tuple[str, int]
T = TypeVar("T")


class Bench:
    """One per stage of the stack. failures: of the row that is being measured, by what went wrong."""

    def __init__(self, servers: BenchStack, stack: Stack, plan: Plan, yardstick: Yardstick) -> None:
        self.servers, self.stack, self.plan = servers, stack, plan
        self.failures: Counter[str] = Counter()
        # What was said with each status that was not expected, once.
        self.said: dict[str, str] = {}
        self.generator_us: list[float] = []
        self._yardstick = yardstick
        self._made: dict[str, Any] = {}
        ask(stack.owner_url, "measure_statements")

    def b(self) -> float:
        """The yardstick B, now, in transactions a second. Raises Trouble without a pgbench."""
        return self._yardstick.measure(self.stack.owner_url, self.plan.yardstick_s)

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What a row makes in its first round and uses in all of them."""
        if name not in self._made:
            self._made[name] = make()
        made: T = self._made[name]
        return made

    def demo(self, name: str, **sizes: int) -> Mapping[str, Any]:
        return self.once(f"demo {name}", lambda: make_demo(self.stack, **sizes))

    def fail(self, what: str, count: int) -> None:
        if count:
            self.failures[what] += count

    def forget(self) -> None:
        """What the last row made."""
        self._made.clear()
        self.failures.clear()
        self.said.clear()
        self.generator_us.clear()

    def ask(self, query: str, *arguments: Any) -> list[Any]:
        return ask(self.stack.owner_url, query, *arguments)

    def sell(
        self,
        stock: Stock,
        *,
        address: Address | None = None,
        connections: int | None = None,
        seconds: float | None = None,
        expected: frozenset[int] = NOTHING_EXPECTED,
    ) -> LoadReport:
        """A closed loop over a stock, which learns the rate from it."""
        seconds = seconds or self.plan.seconds
        flow = Flow(stock.prepare(seconds), connections or self.plan.connections)
        report = self.run([flow], seconds=seconds, address=address, expected=expected)
        stock.rate_per_s = max(report.answers_per_s, 50.0)
        return report

    def warm_up(self, stock: Stock, **options: Any) -> None:
        """Once per row and stock, before its first round."""
        self.once(f"warm {id(stock)}", lambda: self.sell(stock, seconds=self.plan.warm_up_s, **options))

    def pace(
        self, requests: Iterable[SignedRequest], *, rate_per_s: float, connections: int, seconds: float,
        lead_in_s: float = 0.0, expected: frozenset[int] = NOTHING_EXPECTED,
    ) -> LoadReport:  # fmt: skip
        """An open loop."""
        return self.run(
            [Flow(requests, connections, rate_per_s)], seconds=seconds, lead_in_s=lead_in_s, expected=expected
        )

    def run(
        self,
        flows: Sequence[Flow],
        *,
        seconds: float,
        lead_in_s: float = 0.0,
        address: Address | None = None,
        expected: frozenset[int] = NOTHING_EXPECTED,
        stop: threading.Event | None = None,
    ) -> LoadReport:
        """The first flow's report; failures of all of them are kept for the row."""
        run_load(address or self.address, flows, seconds=seconds, lead_in_s=lead_in_s, stop=stop)
        for flow in flows:
            failures = flow.report.failures(expected)
            self.failures.update(failures)
            bodies = {str(status): body.decode(errors="replace") for status, body in flow.report.samples.items()}
            self.said = {status: body for status, body in bodies.items() if status in failures} | self.said
        first = flows[0]
        is_batch = len(first.report.acknowledged) > len(first.report.seconds)
        if len(flows) == 1 and first.rate_per_s is None and first.connections >= self.plan.connections and not is_batch:
            self.generator_us.append(first.report.cpu_us_per_request)
        return first.report

    @property
    def address(self) -> Address:
        return Workload({"apiUrl": self.stack.api_url}).address

    @contextmanager
    def handler(self, name: str, *, role: Role) -> Iterator[Address]:
        """A bench-only API on a port of its own."""
        port = free_port()
        with self.servers.process("loadtests.bench.handlers", name, role=role, port=port):
            deadline_s = time.monotonic() + READY_TIMEOUT_S
            while not _is_ready(port):
                if time.monotonic() > deadline_s:
                    raise Trouble(f"handler {name} did not start; see {self.servers.data / 'log'}")
                time.sleep(POLL_S)
            yield "127.0.0.1", port

    def costing(self, sell: Callable[[], LoadReport]) -> tuple[LoadReport, dict[str, float]]:
        """A load, and what it cost per ticket: µs of processor by part, statements, bytes of WAL."""
        counted, cpu_s = self.ask("statements_and_wal")[0], self.servers.cpu_s()
        report = sell()
        cpu_after_s, counted_after = self.servers.cpu_s(), self.ask("statements_and_wal")[0]
        tickets = len(report.acknowledged) or 1
        batches = counted_after["batches"] - counted["batches"]
        costs = {f"{part} µs": 1e6 * (cpu_after_s[part] - cpu_s[part]) / tickets for part in cpu_s}
        return report, {
            **{part: figure for part, figure in costs.items() if figure >= 0.5},
            "generator µs": 1e6 * report.cpu_s / tickets,
            "statements": (counted_after["calls"] - counted["calls"]) / tickets,
            "WAL bytes": (counted_after["wal_bytes"] - counted["wal_bytes"]) / tickets,
            "tickets a batch": tickets / batches if batches else 0.0,
        }

    def undone_events(self, last: int | None = None) -> int:
        """Events that the audit has not recorded, up to the given one, or all."""
        if last is None:
            last = self.ask("last_event")[0]["id"]
        events: int = self.ask("undone_events", last)[0]["events"]
        return events

    def settle(self) -> float:
        """Wait until the pipeline has done everything; the seconds that took. Raises Trouble when it does not end."""
        began_s = time.monotonic()
        while self.undone_events():
            if time.monotonic() - began_s > SETTLE_TIMEOUT_S:
                raise Trouble(f"{self.undone_events()} events are not recorded {SETTLE_TIMEOUT_S:.0f} s after the load")
            time.sleep(POLL_S)
        return time.monotonic() - began_s


def _is_ready(port: int) -> bool:
    try:
        return get_status(f"http://127.0.0.1:{port}", "/health/ready") == 200
    except OSError:
        return False
