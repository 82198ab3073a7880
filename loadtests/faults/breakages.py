"""Everything that a round may break. Each is a context: broken on entering, mended (by it or by `up`) on leaving."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from loadtests.faults import draws, events, lines, processes
from loadtests.faults.lines import cut, half_open, harmed, hung
from loadtests.faults.processes import ended, frozen, killed_at_work
from loadtests.faults.proxy import Harm
from loadtests.faults.scene import Begin


@dataclass(frozen=True, slots=True)
class Breakage:
    begin: Begin
    what: str


BREAKAGES: Mapping[str, Breakage] = MappingProxyType(
    {
        "api_killed": Breakage(
            killed_at_work("api", "banca api", in_transaction=False), "kill -9 of an API process, mostly amid a sale"
        ),
        "relay_killed": Breakage(
            # It holds its rows in a transaction from the taking to the mark; the broker confirms in between.
            killed_at_work("relay", "banca-relay", in_transaction=True),
            "kill -9 of the relay, mostly between taking events and marking them",
        ),
        "worker_killed": Breakage(
            killed_at_work("worker", "banca-worker", in_transaction=True),
            "kill -9 of the worker, mostly amid an insert",
        ),
        "scheduler_killed": Breakage(
            draws.scheduler_killed, "kill -9 of the scheduler while draws must close by themselves"
        ),
        "worker_frozen": Breakage(frozen("worker"), "the worker stands still, with what it has taken"),
        "postgres_restarted": Breakage(ended("postgres", signal.SIGQUIT), "immediate shutdown of PostgreSQL"),
        "postgres_killed": Breakage(ended("postgres", signal.SIGKILL), "kill -9 of PostgreSQL's postmaster"),
        "backends_terminated": Breakage(processes.backends_terminated, "PostgreSQL ends all connections every 100 ms"),
        "database_cut": Breakage(cut("database"), "nobody reaches PostgreSQL"),
        "database_hung": Breakage(hung("database"), "PostgreSQL takes connections and says nothing"),
        "database_half_open": Breakage(
            half_open("database"), "connections to PostgreSQL are reset, and it does not hear of it for a while"
        ),
        "database_answers_dropped": Breakage(
            harmed("database", Harm.ANSWER_DROPPED, odds=0.15), "PostgreSQL's answers are lost after the commit"
        ),
        "valkey_killed": Breakage(ended("valkey", signal.SIGKILL), "kill -9 of Valkey"),
        "valkey_stopped": Breakage(ended("valkey", signal.SIGTERM), "Valkey is shut down"),
        "valkey_frozen": Breakage(frozen("valkey"), "Valkey stands still"),
        "valkey_flushed": Breakage(processes.valkey_flushed, "Valkey forgets everything"),
        "broker_cut": Breakage(cut("broker"), "nobody reaches the broker"),
        "broker_hung": Breakage(hung("broker"), "the broker takes connections and says nothing"),
        "broker_answers_dropped": Breakage(
            harmed("broker", Harm.ANSWER_DROPPED, odds=0.15), "the broker's answers are lost"
        ),
        "events_repeated": Breakage(events.events_repeated, "old events come again, in any order, some twice"),
        "garbage_sent": Breakage(events.garbage_sent, "a message that nobody can read is in the queue"),
        "answers_dropped": Breakage(
            harmed("http", Harm.ANSWER_DROPPED, odds=0.3), "the API's answers are lost after the commit"
        ),
        "requests_broken_off": Breakage(
            harmed("http", Harm.BROKEN_OFF, odds=0.3), "connections are reset in the middle of a request"
        ),
        "requests_sliced": Breakage(harmed("http", Harm.SLICED, odds=0.5), "requests and answers come in small pieces"),
        "http_hung": Breakage(hung("http"), "the API takes connections and says nothing"),
        "clients_vanished": Breakage(lines.clients_vanished, "POS are gone before the answer, or amid their request"),
    }
)
