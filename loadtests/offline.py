"""POS that lost the net: they sell on, keep each ticket with its key, and hand in what they kept when the net is back.

An outage lasts 15 minutes on average (exponential, chosen), with 20 tickets a minute kept meanwhile (domain §2.1), so
that a POS comes back with 300 tickets on average and 1,500 at most; it syncs them in batches of up to 500, which is all
that the API takes. It comes back every 20 seconds on average: the outages themselves are not waited for.

Three of ten batches are sent twice, as by a POS that lost the answer: each ticket must come back as it was, from its
key. Of two draws one closes in the middle of the run: what was kept for it too long is refused with
SALES_CUTOFF_REACHED, ticket by ticket, and its neighbours are not. Tickets as in day.py.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from locust import task

from loadtests.history import Operation
from loadtests.pos import TICKETS_PER_BATCH_MAX, Done, NotTaken, Outcome, OutcomeUnknown
from loadtests.rates import offline_per_s
from loadtests.seller import Seller, failure_of
from loadtests.tickets import ticket_for

OUTAGE_MEAN_MIN, OUTAGE_MAX_MIN = 15.0, 75.0
KEPT_PER_MIN = 20.0
TWICE_ODDS = 0.3


class OfflineSeller(Seller):
    rate, rate_max = staticmethod(offline_per_s), offline_per_s(0)

    @task
    def return_to_the_net(self) -> None:
        due_s = self.next_customer()
        kept = self.kept_sales()
        for start in range(0, len(kept), TICKETS_PER_BATCH_MAX):
            self.hand_in(kept[start : start + TICKETS_PER_BATCH_MAX], due_s)

    def kept_sales(self) -> list[Operation]:
        """What was sold during an outage. For either draw: a POS without the net does not know that one has closed."""
        minutes = min(OUTAGE_MAX_MIN, self.chance.expovariate(1 / OUTAGE_MEAN_MIN))
        draws = [draw.id for draw in self.plan.draws]
        return [
            self.pos.sale_of(ticket_for(self.chance.choice(draws), self.plan.multiplier_id, self.chance))
            for _ in range(max(1, round(minutes * KEPT_PER_MIN)))
        ]

    def hand_in(self, batch: Sequence[Operation], due_s: float) -> None:
        first = self.sync("sync", batch, due_s)
        if first is None or self.chance.random() >= TWICE_ODDS:
            return
        second = self.sync("sync again", batch, time.time(), again=True)
        if second is not None and not is_same(first, second):
            self.report("sync again", 0.0, RuntimeError("a ticket came back as another"))

    def sync(self, name: str, batch: Sequence[Operation], due_s: float, *, again: bool = False) -> list[Outcome] | None:
        try:
            if self.pos.unresolved:
                self.pos.resolve()
            outcomes = self.pos.sync(batch, again=again)
        except (OutcomeUnknown, NotTaken) as trouble:
            self.report(name, time.time() - due_s, trouble)
            return None
        elapsed_s = time.time() - due_s
        self.report(name, elapsed_s)
        for outcome in outcomes:
            told = "ticket" if isinstance(outcome, Done) else f"ticket: {outcome.code}"
            self.report(f"{name}, {told}", elapsed_s, failure_of(outcome))
        return outcomes


def is_same(first: Sequence[Outcome], second: Sequence[Outcome]) -> bool:
    """Whether the same tickets came back, each from its key."""
    return all(
        isinstance(after, Done) and after.is_replayed and after.document == before.document
        for before, after in zip(first, second, strict=True)
        if isinstance(before, Done)
    )
