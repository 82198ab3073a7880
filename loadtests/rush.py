"""The last minutes before a draw's closing, and the first after it.

Customers arrive whether or not those before them were served: a queue that grows is in the figures (rows "POS"). Per
POS they come every ten seconds at first, and from there on more and more (quadratically) up to two a second at the
closing, four fifths into the run; then half as many, who do not know yet. 0.1 and 2 a second are chosen: a tenth and six
times of the 20 a minute that the reference system allowed a seller (domain §2.1), to be more than any real crowd.

All play in the draw that closes. Who comes too late is told SALES_CUTOFF_REACHED (or SORTEO_CLOSED); that is right, no
failure, and counted in rows of its own. One ticket in a hundred is cancelled at once, and after the closing that is
refused too. Tickets as in day.py.
"""

from __future__ import annotations

from locust import task

from loadtests.pos import Done
from loadtests.rates import LAST_PER_S, rush_per_s
from loadtests.seller import Seller

CANCEL_ODDS = 0.01


class RushSeller(Seller):
    rate, rate_max = staticmethod(rush_per_s), LAST_PER_S

    @task
    def sell(self) -> None:
        outcome = self.serve("sale", lambda: self.pos.sell(self.ticket()))
        if isinstance(outcome, Done) and self.chance.random() < CANCEL_ODDS:
            self.cancel(outcome.operation.key)
