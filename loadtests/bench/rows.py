"""The rows that measure throughput: each function is one round."""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle
from typing import Any

from cli.stack import Role
from loadtests.bench.bench import Bench
from loadtests.bench.samples import Sample
from loadtests.bench.shops import Stock
from loadtests.flow import Flow
from loadtests.load_report import LoadReport
from loadtests.signed_requests import Workload

BATCH_TICKETS = 50
# As many tickets in flight as single requests have.
BATCH_CONNECTIONS = 8
WIDE_SELLERS, WIDE_DRAWS = 1_000, 100
SOLD_OUT = tuple(range(90, 100))
SOLD_OUT_CENTS = 10_000
SOLD_OUT_SHARE = 0.2
# No ticket of a benchmark comes near it.
HIGH_CENTS = 10**13
HAMMERING_CONNECTIONS = 8
CONFLICT = frozenset({409})


def stock_of(bench: Bench, name: str, workload: Workload | None = None) -> Stock:
    """Of single tickets on the demo of that name, unless told; warm."""
    stock = bench.once(f"stock {name}", lambda: Stock.of_sales(workload or Workload(bench.demo(name))))
    bench.warm_up(stock, expected=CONFLICT)
    return stock


def p1(bench: Bench) -> list[Sample]:
    stock = stock_of(bench, "hot")
    yardstick = bench.b()
    load, costs = bench.costing(lambda: bench.sell(stock))
    return [Sample("P1", load.tickets_per_s, yardstick, costs, _latencies(load))]


def p2(bench: Bench) -> list[Sample]:
    """What the pipeline is behind when the load ends is done before pgbench runs again."""
    stock = stock_of(bench, "hot")
    bench.settle()
    yardstick = bench.b()
    load, costs = bench.costing(lambda: bench.sell(stock))
    notes = {**_latencies(load), "events behind at the end": float(bench.undone_events())}
    return [Sample("P2", load.tickets_per_s, yardstick, costs, {**notes, "s to catch up": bench.settle()})]


def p3(bench: Bench) -> list[Sample]:
    stock = bench.once("batches", lambda: Stock.of_batches(Workload(bench.demo("hot")), tickets=BATCH_TICKETS))
    bench.warm_up(stock, connections=BATCH_CONNECTIONS)
    yardstick = bench.b()
    load, costs = bench.costing(lambda: bench.sell(stock, connections=BATCH_CONNECTIONS))
    return [Sample("P3", load.tickets_per_s, yardstick, costs, _latencies(load))]


def p4(bench: Bench) -> list[Sample]:
    wide = bench.demo("wide", sellers=WIDE_SELLERS, sorteos=WIDE_DRAWS)
    one = {**wide, "sellers": wide["sellers"][:1], "sorteoIds": wide["sorteoIds"][:1]}
    spread = stock_of(bench, "wide")
    hot = stock_of(bench, "one number", Workload(one, numbers=1))
    yardstick = bench.sell(spread).tickets_per_s
    return [Sample("P4", bench.sell(hot).tickets_per_s, yardstick)]


def p5(bench: Bench) -> list[Sample]:
    """Against both of the bench-only handlers: H for the row's sake, W to tell what HTTP alone can do."""
    stock = stock_of(bench, "hot")
    interactive = bench.once("stock H", lambda: Stock.of_sales(Workload(bench.demo("hot H"))))
    in_transactions = _sold_by_handler(bench, "H", interactive, role="owner")
    sold = bench.sell(stock).tickets_per_s
    without_database = _sold_by_handler(bench, "W", stock, role="api")
    return [Sample("P5", sold, in_transactions), Sample("W", without_database, sold)]


def _sold_by_handler(bench: Bench, name: str, stock: Stock, *, role: Role) -> float:
    with bench.handler(name, role=role) as address:
        bench.sell(stock, address=address, seconds=bench.plan.warm_up_s)
        return bench.sell(stock, address=address).tickets_per_s


def p7(bench: Bench) -> list[Sample]:
    stock = stock_of(bench, "hot")
    sales = list(stock.prepare(bench.plan.seconds))
    fresh = bench.run([Flow(sales, bench.plan.connections)], seconds=bench.plan.seconds)
    known = sales[: len(fresh.seconds)]
    replay = bench.run([Flow(cycle(known), bench.plan.connections)], seconds=bench.plan.seconds)
    bench.fail("not replayed", len(replay.seconds) - replay.replayed)
    return [Sample("P7", replay.answers_per_s, fresh.answers_per_s)]


def p8b(bench: Bench) -> list[Sample]:
    plain = stock_of(bench, "hot", Workload(bench.demo("hot"), numbers=SOLD_OUT[0]))
    refused = stock_of(bench, "sold out", bench.once("shop", lambda: sold_out_shop(bench)))
    yardstick = bench.sell(plain).answers_per_s
    load = bench.sell(refused, expected=CONFLICT)
    share = load.statuses[409] / max(1, len(load.seconds))
    return [Sample("P8b", load.answers_per_s, yardstick, {}, {"refused %": 100 * share})]


def r30(bench: Bench) -> list[Sample]:
    one, thirty = bench.demo("one rule"), bench.demo("thirty rules")
    bench.once("one", lambda: bench.ask("one_rule", one["bancaId"], HIGH_CENTS))
    places = (thirty["bancaId"], thirty["loteriaId"], thirty["multiplierId"])
    bench.once("thirty", lambda: bench.ask("thirty_rules", *places, HIGH_CENTS))
    of_one, of_thirty = stock_of(bench, "one rule"), stock_of(bench, "thirty rules")
    yardstick = bench.sell(of_one).tickets_per_s
    return [Sample("R30", bench.sell(of_thirty).tickets_per_s, yardstick)]


def rh(bench: Bench) -> list[Sample]:
    """One seller more, on connections of his own, as fast as he is refused."""
    shop = bench.once("shop", lambda: sold_out_shop(bench))
    others = stock_of(bench, "others", replace(shop, sold_out_share=0.0))
    one = {**shop.demo, "sellers": shop.demo["sellers"][:1]}
    hammering = stock_of(bench, "one who hammers", replace(shop, demo=one, jugadas_max=1, sold_out_share=1.0))
    yardstick = bench.sell(others).tickets_per_s
    flows = [
        Flow(others.prepare(bench.plan.seconds), bench.plan.connections),
        Flow(hammering.prepare(bench.plan.seconds), HAMMERING_CONNECTIONS),
    ]
    load = bench.run(flows, seconds=bench.plan.seconds, expected=CONFLICT)
    return [Sample("RH", load.tickets_per_s, yardstick, {}, {"refused him/s": flows[1].report.answers_per_s})]


def sold_out_shop(bench: Bench) -> Workload:
    """Ten numbers with a limit that is sold to the last cent; the others have none."""
    demo: dict[str, Any] = dict(bench.demo("sold out"))
    [draw] = demo["sorteoIds"]
    bench.ask("number_limits", demo["bancaId"], draw, list(SOLD_OUT), SOLD_OUT_CENTS)
    workload = Workload(demo, numbers=SOLD_OUT[0], sold_out=SOLD_OUT, sold_out_share=SOLD_OUT_SHARE)
    bench.run([Flow(workload.exact(SOLD_OUT, cents=SOLD_OUT_CENTS), 1)], seconds=30)
    return workload


def _latencies(load: LoadReport) -> dict[str, float]:
    return {"p50 ms": load.percentile_ms(0.5), "p99 ms": load.percentile_ms(0.99)}
