"""The row of evaluations: how long one takes, and what it does to the sales of other draws meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from itertools import islice
from typing import Any
from uuid import UUID

from cli.trouble import Trouble
from loadtests.bench.bench import Bench
from loadtests.bench.samples import Sample
from loadtests.bench.shops import Stock
from loadtests.flow import Flow
from loadtests.load_report import LoadReport
from loadtests.signed_requests import Workload

BATCH_TICKETS = 50
BATCH_CONNECTIONS = 8
JUGADAS_PER_TICKET = 3
WINNING_NUMBER = 7
SALES_PER_S = 100.0
SALES_CONNECTIONS = 32
FILL_TIMEOUT_S = 1_800.0
EVALUATION_TIMEOUT_S = 300.0
POLL_S = 0.1


def p12(bench: Bench) -> list[Sample]:
    """Of one full draw, evaluated and taken back round after round; then of the banca's other draw, sold meanwhile."""
    draw = bench.once("full draw", lambda: FullDraw(bench))
    yardstick = bench.ask("update_winners", *draw.place, WINNING_NUMBER)[0]
    seconds = draw.evaluate()
    draw.revert()
    before = draw.sell_others()
    again = threading.Event()
    busy = threading.Thread(target=draw.evaluate_until, args=(again,), name="evaluations", daemon=True)
    busy.start()
    try:
        meanwhile = draw.sell_others()
    finally:
        again.set()
        busy.join()
    notes = {"jugadas": float(bench.plan.jugadas), "winning jugadas": float(yardstick["winners"])}
    evaluations = {"evaluations and reverts meanwhile": float(draw.turns)}
    return [
        Sample("P12", seconds, yardstick["seconds"], notes=notes),
        Sample("P12-sales", meanwhile.percentile_ms(0.99), before.percentile_ms(0.99), notes=evaluations),
    ]


class FullDraw:
    """A closed draw of so many jugadas, and another of the same sellers that is open. turns: of evaluate_until."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        demo = bench.demo("evaluated", sorteos=2)
        full, other = demo["sorteoIds"]
        self.place = (UUID(demo["bancaId"]), UUID(full))
        self.turns = 0
        self._others = Stock.of_sales(Workload({**demo, "sorteoIds": [other]}))
        self._fill({**demo, "sorteoIds": [full]})
        self._expect("close_draw", "DONE", *self.place)
        bench.settle()
        bench.ask("winners_table")
        bench.ask("fill_winners", *self.place)
        # As on a server that has been at work for a day: a commit that has to make a new segment waits for its 16 MB.
        bench.ask("checkpoint")

    def evaluate(self) -> float:
        """The seconds from the request to the last prize."""
        return self._await("evaluate_draw", f"{WINNING_NUMBER:02d}")

    def revert(self) -> float:
        return self._await("revert_draw")

    def evaluate_until(self, stop: threading.Event) -> None:
        """Evaluate and take back, again and again; evaluated in the end, so that the books tell of prizes."""
        self.turns = 0
        self.evaluate()
        while not stop.is_set():
            self.revert()
            self.evaluate()
            self.turns += 2
        self.revert()

    def sell_others(self) -> LoadReport:
        seconds = self._bench.plan.seconds
        return self._bench.pace(
            self._others.prepare_count(int(SALES_PER_S * seconds) + 100),
            rate_per_s=SALES_PER_S,
            connections=SALES_CONNECTIONS,
            seconds=seconds,
        )

    def _fill(self, demo: Mapping[str, Any]) -> None:
        stock = Stock.of_batches(Workload(demo), tickets=BATCH_TICKETS)
        batches = self._bench.plan.jugadas // (BATCH_TICKETS * JUGADAS_PER_TICKET) + 1
        self._bench.run([Flow(islice(stock.endless(), batches), BATCH_CONNECTIONS)], seconds=FILL_TIMEOUT_S)

    def _await(self, request: str, *arguments: object) -> float:
        """By the server's clock: our looking costs it more than the work that is left."""
        asked_at = self._expect(request, "REQUESTED", *self.place, *arguments)["at"]
        deadline_s = time.monotonic() + EVALUATION_TIMEOUT_S
        while (ended_at := self._bench.ask("result_ended", self.place[1])[0]["at"]) is None:
            if time.monotonic() > deadline_s:
                raise Trouble(f"{request} took longer than {EVALUATION_TIMEOUT_S:.0f} s")
            time.sleep(POLL_S)
        seconds: float = (ended_at - asked_at).total_seconds()
        return seconds

    def _expect(self, query: str, expected: str, *arguments: object) -> Mapping[str, Any]:
        [row] = self._bench.ask(query, *arguments)
        if row["outcome"] != expected:
            raise Trouble(f"{query}: {row['outcome']}")
        return dict(row)
