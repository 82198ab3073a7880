"""The rows that measure time, and what happens when more is asked than can be done: each function is one round."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import islice

from cli.trouble import Trouble
from loadtests.bench.bench import Bench
from loadtests.bench.rows import stock_of
from loadtests.bench.samples import Sample
from loadtests.bench.shops import Stock, make_demo
from loadtests.flow import Flow
from loadtests.signed_requests import Workload

STEADY_RATE_PER_S = 100.0
STEADY_CONNECTIONS = 32
# More than the till lets wait, so that it refuses.
OVERLOAD_CONNECTIONS = 4_500
OVERLOAD = 2.0
# To take all those connections in, and to fill the till.
OVERLOAD_LEAD_IN_S = 4.0
# Too many at once: the till is full.
UNAVAILABLE = frozenset({503})
PACED_CONNECTIONS = 512
# Bancas that sell a ticket at a time, so that each ticket is an event.
SMALL_BANCAS = 12
DRAIN_TIMEOUT_S = 900.0
FILL_TIMEOUT_S = 900.0
POLL_S = 0.1
# Asking what is left costs the server as much as recording hundreds of events: it may take this share of the time.
POLL_SHARE = 0.1
# Of what waits: the drain's pace is measured while so much is left.
MIDDLE = (0.1, 0.9)
EVENTS_OF_THE_GOAL = 100_000


def p8(bench: Bench) -> list[Sample]:
    stock, seconds = stock_of(bench, "hot"), bench.plan.seconds
    steady = bench.pace(
        stock.prepare_count(int(STEADY_RATE_PER_S * seconds) + 100),
        rate_per_s=STEADY_RATE_PER_S,
        connections=STEADY_CONNECTIONS,
        seconds=seconds,
    )
    bench.fail("not sent", steady.unsent)
    alone = bench.run([Flow(stock.prepare_count(int(2_000 * seconds)), 1)], seconds=seconds)
    return [
        Sample("P8", steady.percentile_ms(0.99), notes={"p50 ms": steady.percentile_ms(0.5)}),
        Sample("P8-alone", alone.percentile_ms(0.5), notes={"p99 ms": alone.percentile_ms(0.99)}),
    ]


def p9(bench: Bench) -> list[Sample]:
    """Overload is measured once it stands: when the connections are taken in and the till is full."""
    stock, seconds = stock_of(bench, "hot"), bench.plan.seconds
    peak = _some(bench.sell(stock).tickets_per_s)
    offered = OVERLOAD * peak
    requests = stock.prepare_count(int(offered * (seconds + max(seconds, OVERLOAD_LEAD_IN_S))) + 1_000)
    load = bench.pace(
        requests,
        rate_per_s=offered,
        connections=OVERLOAD_CONNECTIONS,
        seconds=seconds,
        lead_in_s=max(seconds, OVERLOAD_LEAD_IN_S),
        expected=UNAVAILABLE,
    )
    refused = load.statuses[503] / max(1, len(load.seconds))
    notes = {"offered/s": offered, "refused %": 100 * refused, "p99 ms": load.percentile_ms(0.99)}
    return [Sample("P9", load.tickets_per_s, peak, notes=notes)]


def p10(bench: Bench) -> list[Sample]:
    peak = _peak(bench)
    return [
        _audit_delay(bench, "P10", rate_per_s=peak / 2),
        _audit_delay(bench, "P10-full", rate_per_s=peak),
    ]


def _audit_delay(bench: Bench, id_: str, *, rate_per_s: float) -> Sample:
    demo = make_demo(bench.stack)
    stock = Stock.of_sales(Workload(demo))
    bench.pace(
        stock.prepare_count(int(rate_per_s * bench.plan.seconds) + 100),
        rate_per_s=rate_per_s,
        connections=PACED_CONNECTIONS,
        seconds=bench.plan.seconds,
    )
    catch_up_s = bench.settle()
    delay = bench.ask("audit_delay", demo["bancaId"])[0]
    notes = {"offered/s": rate_per_s, "p50 s": delay["p50_s"], "s to catch up": catch_up_s}
    return Sample(id_, delay["p99_s"], notes=notes)


def p11(bench: Bench) -> list[Sample]:
    """Events that are missing to the goal's number are added at the pace of the drain's middle."""
    peak = _peak(bench)
    half = stock_of(bench, "hot")
    with bench.servers.broker_outage() as heal:
        events = _fill_the_outbox(bench)
        last = bench.ask("last_event")[0]["id"]
        drained = _Drain(bench, last, heal)
        flow = Flow(half.endless(), PACED_CONNECTIONS, peak / 2)
        drained.start()
        bench.run([flow], seconds=DRAIN_TIMEOUT_S, stop=drained.is_over)
        drained.join()
    bench.settle()
    if drained.ended_s is None:
        raise Trouble(f"not drained in {DRAIN_TIMEOUT_S:.0f} s")
    value = drained.ended_s + (EVENTS_OF_THE_GOAL - events) * drained.s_per_event
    notes = {"events": float(events), "s in all": drained.ended_s, "load/s": peak / 2}
    return [Sample("P11", value, notes=notes)]


class _Drain(threading.Thread):
    """Heals the broker and watches the outbox, beside the load.

    seen: how much was left, and after how many seconds. ended_s: None when it did not end in time.
    """

    def __init__(self, bench: Bench, last_event: int, heal: Callable[[], None]) -> None:
        super().__init__(name="drain", daemon=True)
        self._bench, self._last_event, self._heal = bench, last_event, heal
        self.is_over = threading.Event()
        self.seen: list[tuple[float, int]] = []
        self.ended_s: float | None = None

    @property
    def s_per_event(self) -> float:
        """In the middle: without the broker's return, and without a last message that waits for its retry."""
        least, most = (share * self.seen[0][1] for share in MIDDLE)
        middle = [sight for sight in self.seen if least <= sight[1] <= most]
        # A drain too quick for two looks is taken as a whole.
        sights = middle if len({left for _, left in middle}) > 1 else self.seen
        (begin_s, before), (end_s, after) = sights[0], sights[-1]
        return (end_s - begin_s) / (before - after)

    def run(self) -> None:
        try:
            self.seen.append((0.0, self._bench.undone_events(self._last_event)))
            self._watch()
        finally:
            self.is_over.set()

    def _watch(self) -> None:
        began_s = time.monotonic()
        self._heal()
        while (now_s := time.monotonic() - began_s) < DRAIN_TIMEOUT_S:
            left = self._bench.undone_events(self._last_event)
            self.seen.append((now_s, left))
            if left == 0:
                self.ended_s = now_s
                return
            asked_s = time.monotonic() - began_s - now_s
            time.sleep(max(POLL_S, asked_s / POLL_SHARE - asked_s))


def _fill_the_outbox(bench: Bench) -> int:
    """Sell tickets of which each is a batch, and so an event; how many."""
    before = bench.ask("last_event")[0]["id"]
    shops = bench.once("small", lambda: [Workload(make_demo(bench.stack, sellers=4)) for _ in range(SMALL_BANCAS)])
    each = bench.plan.events // SMALL_BANCAS + 1
    flows = [Flow(islice(Stock.of_sales(shop).endless(), each), 1) for shop in shops]
    bench.run(flows, seconds=FILL_TIMEOUT_S)
    made: int = bench.ask("last_event")[0]["id"] - before
    return made


def _peak(bench: Bench) -> float:
    peak = bench.sell(stock_of(bench, "hot"))
    bench.settle()
    return _some(peak.tickets_per_s)


def _some(tickets_per_s: float) -> float:
    if tickets_per_s <= 0:
        raise Trouble("nothing was sold, so there is no peak to take a share of")
    return tickets_per_s
