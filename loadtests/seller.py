"""A Locust user that is a seller with her POS. Importing this changes the standard library (gevent): only Locust may."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from itertools import count
from typing import Any

from locust import FastHttpUser
from locust.contrib.fasthttp import FastHttpSession

from loadtests.arrivals import Arrivals
from loadtests.history import History
from loadtests.plan import Plan, plan_path
from loadtests.pos import Done, NotTaken, Outcome, OutcomeUnknown, Pos
from loadtests.session import Credentials
from loadtests.tickets import ticket_for
from loadtests.wire import ANSWER_TIMEOUT_S, Answer, ConnectionLost, Request, read_answer

# Logins are dear on purpose (argon2) and limited per address: of the first hundred POS every fifth logs in now, the
# others did so in the morning.
LOGIN_EVERY, LOGIN_BELOW = 5, 100
# What a draw that closes answers, as it should.
EXPECTED = frozenset({"SALES_CUTOFF_REACHED", "SORTEO_CLOSED"})
# How many play in the draw that comes next; the others choose among all that are open.
NEXT_DRAW_ODDS = 0.8
# Longer than any run; a user that waits is ended at once.
IDLE_S = 24 * 3600.0
# Which seller the next user of this process is.
USERS = count()


class FastWire:
    """Locust's own client. Expected refusals are no failures, and are counted in a row of their own."""

    def __init__(self, session: FastHttpSession) -> None:
        self._session = session

    def send(self, request: Request) -> Answer:
        # Its annotation says text; bytes are sent as they are, and they were signed.
        body: Any = request.body or None
        with self._session.request(
            request.method, request.target, name=request.name, data=body, headers=dict(request.headers),
            catch_response=True,
        ) as response:  # fmt: skip
            if not response.status_code:
                response.failure(f"{type(response.error).__name__}")
                raise ConnectionLost(
                    repr(response.error), was_sent=not isinstance(response.error, ConnectionRefusedError)
                )
            answer = read_answer(response.status_code, dict((response.headers or {}).items()), response.content or b"")
            if answer.is_ok:
                response.success()
            elif answer.code in EXPECTED:
                response.request_meta["name"] = f"{request.name}: {answer.code}"
                response.success()
            else:
                response.failure(f"{answer.status} {answer.code}")
        return answer


class Seller(FastHttpUser):
    """Customers come when they come (rate); who comes while another is served waits, and his wait is counted."""

    abstract = True
    network_timeout = ANSWER_TIMEOUT_S
    connection_timeout = 5.0

    # Customers a second, by the time of the run from 0.0 to 1.0; at most rate_max. Of rates.py.
    rate: Callable[[float], float]
    rate_max: float

    def on_start(self) -> None:
        runner, self.plan = self.environment.runner, plan()
        index = next(USERS) * self.plan.processes + getattr(runner, "worker_index", 0)
        seller = self.plan.sellers[index % len(self.plan.sellers)]
        logs_in = index < LOGIN_BELOW and index % LOGIN_EVERY == 0
        self.chance = random.Random(f"{self.plan.seed} {index}")
        self.pos = Pos(Credentials.of(seller, logs_in=logs_in), FastWire(self.client), history(), chance=self.chance)
        self.arrivals = Arrivals(
            self.rate, self.rate_max, self.plan.begins_at_s, self.plan.ends_at_s, chance=self.chance
        )  # fmt: skip
        # Who begins late has no queue of customers from before.
        while self.arrivals.due_s < time.time():
            self.arrivals.advance()
        self.due_s = self.arrivals.due_s
        if self.pos.credentials.token is None:
            # A login that fails now is tried again with the first customer.
            with suppress(ConnectionLost):
                self.pos.session.log_in()
        self.wait()  # type: ignore[no-untyped-call] # - Locust's own, without types

    def wait_time(self) -> float:
        """Until the next customer; none when one waits already. After the last one, until the run ends."""
        return min(IDLE_S, max(0.0, self.due_s - time.time()))

    def serve(self, name: str, work: Callable[[], Outcome]) -> Outcome | None:
        """The customer that is due, until there is a definite answer. None: there is none yet, or nothing was done."""
        due_s = self.next_customer()
        try:
            if self.pos.unresolved:
                self.pos.resolve()
            outcome = work()
        except (OutcomeUnknown, NotTaken) as trouble:
            self.report(name, time.time() - due_s, trouble)
            return None
        told = name if isinstance(outcome, Done) else f"{name}: {outcome.code}"
        self.report(told, time.time() - due_s, failure_of(outcome))
        return outcome

    def cancel(self, sale_key: str) -> None:
        """At once, while the customer still stands there."""
        began_s = time.time()
        try:
            outcome = self.pos.cancel(sale_key)
        except (OutcomeUnknown, NotTaken) as trouble:
            self.report("cancel", time.time() - began_s, trouble)
        else:
            told = "cancel" if isinstance(outcome, Done) else f"cancel: {outcome.code}"
            self.report(told, time.time() - began_s, failure_of(outcome))

    def read(self, target: str, *, name: str) -> Answer | None:
        """None: the answer was lost; a customer who only asks does not ask again."""
        self.next_customer()
        try:
            return self.pos.get(target, name=name)
        except ConnectionLost:
            return None

    def next_customer(self) -> float:
        """When the one that is served now came; the one after is drawn."""
        due_s, self.due_s = self.due_s, self.arrivals.advance()
        return due_s

    def report(self, name: str, elapsed_s: float, failure: Exception | None = None) -> None:
        """A row of what the customer felt: from when he came, with all waiting and asking again."""
        self.environment.events.request.fire(
            request_type="POS",
            name=name,
            response_time=1000 * elapsed_s,
            response_length=0,
            exception=failure,
            context={},
        )

    def ticket(self) -> dict[str, Any]:
        """For the next draw as a rule; after the last closing for the last, which is refused."""
        coming = self.plan.coming(time.time()) or list(self.plan.draws[-1:])
        draw = coming[0] if self.chance.random() < NEXT_DRAW_ODDS else self.chance.choice(coming)
        return ticket_for(draw.id, self.plan.multiplier_id, self.chance)


def failure_of(outcome: Outcome) -> Exception | None:
    if isinstance(outcome, Done) or outcome.code in EXPECTED:
        return None
    return RuntimeError(f"{outcome.status} {outcome.code}")


@cache
def plan() -> Plan:
    return Plan.load(plan_path())


@cache
def history() -> History:
    """Of this process; made at its first user, after Locust has forked."""
    return History(plan_path().with_name(f"history-{os.getpid()}.jsonl"))
