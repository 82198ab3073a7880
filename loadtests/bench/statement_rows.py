"""The row of statements: how long the days of all sellers take to compute, and what that does to the sales meanwhile."""

from __future__ import annotations

import random
import threading
import time
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.client import HTTPConnection
from itertools import islice
from statistics import quantiles
from urllib.parse import urlsplit
from uuid import UUID

from cli.trouble import Trouble
from core.domain.calendar import costa_rica_date
from loadtests.bench.bench import Bench
from loadtests.bench.rows import BATCH_CONNECTIONS, BATCH_TICKETS, stock_of
from loadtests.bench.samples import Sample
from loadtests.bench.shops import SELLERS, Stock
from loadtests.flow import Flow
from loadtests.signed_requests import Workload

SORTEOS = 10
FILL_TIMEOUT_S = 1_800.0
EVALUATION_TIMEOUT_S = 300.0
POLL_S = 0.1
WINNING_NUMBER = "07"
READS, WARM_UP_READS = 500, 50


def p13(bench: Bench) -> list[Sample]:
    """Every day of 200 sellers' statements asked for at once; then the sales of P2 while that goes on and on."""
    day = bench.once("stated day", lambda: StatedDay(bench))
    seconds = day.compute()
    bench.settle()
    stock = stock_of(bench, "hot beside statements")
    yardstick = bench.b()
    again = threading.Event()
    busy = threading.Thread(target=day.compute_until, args=(again,), name="statements", daemon=True)
    busy.start()
    try:
        sold = bench.sell(stock).tickets_per_s
    finally:
        again.set()
        busy.join()
    bench.settle()
    notes = {"tickets": float(bench.plan.day_tickets), "sellers": float(SELLERS)}
    return [
        Sample("P13", seconds, notes=notes),
        Sample("P13-read", day.read(), notes={"rows of the month": float(day.month_rows)}),
        Sample("P13-sales", sold, yardstick, notes={"computed meanwhile": float(day.turns)}),
    ]


class StatedDay:
    """A day of ten draws, sold by 200 sellers and evaluated; and all days of the month before, on which they owe something.

    turns: of compute_until. month_rows: of the month before.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        demo = bench.demo("stated", sorteos=SORTEOS)
        self.banca_id = UUID(demo["bancaId"])
        self.turns = 0
        stock = Stock.of_batches(Workload(demo), tickets=BATCH_TICKETS)
        batches = bench.plan.day_tickets // BATCH_TICKETS
        bench.run([Flow(islice(stock.endless(), batches), BATCH_CONNECTIONS)], seconds=FILL_TIMEOUT_S)
        for sorteo in demo["sorteoIds"]:
            self._expect("close_draw", "DONE", UUID(sorteo))
            self._expect("evaluate_draw", "REQUESTED", UUID(sorteo), WINNING_NUMBER)
        self._await_results()
        bench.settle()
        self.compute()
        self._demo = demo
        self._last_day = costa_rica_date(datetime.now(UTC)).replace(day=1) - timedelta(days=1)
        self.month_rows = self._owe_all_month()

    def compute(self) -> float:
        """The seconds until every day of every seller, of the ventana and of the banca is computed anew."""
        self._bench.ask("ask_statements", self.banca_id)
        seconds = 0.0
        while (call := self._bench.ask("compute_statements", self.banca_id)[0])["left_before"]:
            seconds += call["seconds"]
        return seconds

    def read(self) -> float:
        """The p99 of reading one seller's month over HTTP, one request after another, in ms."""
        chance, seconds = random.Random(13), []
        connection = HTTPConnection(urlsplit(self._bench.stack.api_url).netloc)
        for _ in range(WARM_UP_READS + READS):
            seller = chance.choice(self._demo["sellers"])["vendedorId"]
            target = f"/api/v1/accounts/statement?month={self._last_day:%Y-%m}&vendedorId={seller}"
            began_s = time.perf_counter()
            connection.request("GET", target, headers={"Authorization": f"Bearer {self._demo['admin']['token']}"})
            answer = connection.getresponse()
            answer.read()
            seconds.append(time.perf_counter() - began_s)
            self._bench.fail(f"{answer.status}", int(answer.status != HTTPStatus.OK))
        connection.close()
        return 1_000 * quantiles(seconds[WARM_UP_READS:], n=100)[-1]

    def compute_until(self, stop: threading.Event) -> None:
        self.turns = 0
        while not stop.is_set():
            self.compute()
            self.turns += 1

    def _owe_all_month(self) -> int:
        first_day = self._last_day.replace(day=1)
        admin = self._bench.ask("admin_of", self._demo["admin"]["username"])[0]["id"]
        self._bench.ask("hand_out", self.banca_id, first_day, admin)
        rows: int = self._bench.ask("carry_month", self.banca_id, first_day, self._last_day)[0]["rows"]
        return rows

    def _await_results(self) -> None:
        deadline_s = time.monotonic() + EVALUATION_TIMEOUT_S
        while left := self._bench.ask("results_under_way", self.banca_id)[0]["results"]:
            if time.monotonic() > deadline_s:
                raise Trouble(f"{left} of {SORTEOS} draws are not evaluated after {EVALUATION_TIMEOUT_S:.0f} s")
            time.sleep(POLL_S)

    def _expect(self, query: str, expected: str, *arguments: object) -> None:
        [row] = self._bench.ask(query, self.banca_id, *arguments)
        if row["outcome"] != expected:
            raise Trouble(f"{query}: {row['outcome']}")
