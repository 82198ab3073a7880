"""A selling day, from seven in the morning to nine in the evening, in as long as the run lasts.

The hours are compressed, the pace of a seller is not: at every moment a POS has as many customers as at that hour of a
real day. Where the numbers are not measured, they are chosen and say so.

| Hour | Customers a minute, per POS | From |
|---|---|---|
| 7:00 – 11:30 | 2, the trickle of the morning | chosen |
| towards 12:55 | up to 20 in the last half hour | domain §2.1: a seller is limited to 20 tickets a minute |
| 13:00 – 18:30 | 4 | chosen |
| towards 19:30 | up to 20 in the last hour | the second draw of domain §14.7, SCH-1 |
| 19:30 – 21:00 | 1, asking and looking up | chosen |

Of 100 customers 78 buy, 8 ask for the list of draws, 7 have a ticket looked up; 6 times the seller looks at her
balance, once her POS refreshes its token (chosen; a POS shows list and balance on its first screen). Of 100 tickets 1 is cancelled at once, by the sale's key.
A ticket has 1–5 jugadas, 3 on average, of 100 to 5,000 colones, numbers uniform over 100 (proof.md §1); every tenth a
REVENTADO. Four of five play in the next draw. 200 sellers are the banca of document 003.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress

from locust import task

from loadtests.pos import Done
from loadtests.rates import CROWD_PER_MIN, day_per_s
from loadtests.seller import Seller
from loadtests.wire import ConnectionLost

CANCEL_ODDS = 0.01
# Tickets that a customer may still come back for.
TICKETS_KEPT = 50


class DaySeller(Seller):
    rate, rate_max = staticmethod(day_per_s), CROWD_PER_MIN / 60

    def on_start(self) -> None:
        self.sold: deque[str] = deque(maxlen=TICKETS_KEPT)
        super().on_start()

    @task(78)
    def sell(self) -> None:
        if not self.plan.coming(time.time()):
            # After the last draw nobody buys any more.
            self.look_up()
            return
        outcome = self.serve("sale", lambda: self.pos.sell(self.ticket()))
        if not isinstance(outcome, Done):
            return
        self.sold.append(outcome.document["ticketNumber"])
        if self.chance.random() < CANCEL_ODDS:
            self.cancel(outcome.operation.key)

    @task(8)
    def list_draws(self) -> None:
        self.read("/api/v1/sorteos?status=OPEN&pageSize=20", name="draws")

    @task(7)
    def look_up(self) -> None:
        if self.sold:
            self.read(f"/api/v1/tickets/by-number/{self.chance.choice(self.sold)}", name="ticket")
        else:
            self.read("/api/v1/tickets?pageSize=20", name="tickets")

    @task(6)
    def look_at_balance(self) -> None:
        self.read("/api/v1/accounts/me/balance", name="balance")

    @task(1)
    def refresh(self) -> None:
        self.next_customer()
        with suppress(ConnectionLost):
            self.pos.session.refresh()
