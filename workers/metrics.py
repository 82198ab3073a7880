"""What relay and worker count, and where Prometheus reads it. The API has its own: core/metrics.py."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Gauge, Histogram, start_http_server

from core.domain.jobs import JobName
from core.processes import ProcessError
from core.settings import Settings

# The audit may trail by two seconds; beyond a minute it is not late any more but stopped.
_LAG_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300)

RELAY_EVENTS = Counter("relay_events_total", "Events that the broker confirmed", ["cause"])
RELAY_FAILURES = Counter("relay_failures_total", "Cycles that ended because the database or the broker did not answer")
AUDIT_EVENTS = Counter("audit_events_total", "Events recorded in the trail")
AUDIT_LAG_SECONDS = Histogram("audit_lag_seconds", "From an event to its record in the trail", buckets=_LAG_SECONDS)
AUDIT_POISONOUS_EVENTS = Counter("audit_poisonous_events_total", "Deliveries of events that can never be recorded")
AUDIT_VANISHED_EVENTS = Counter(
    "audit_vanished_events_total", "Deliveries of events that the database does not have since it was restored"
)
SCHEDULER_MOVES = Counter("scheduler_moves_total", "Draws that opened or closed by themselves", ["action"])
SCHEDULER_LATE_SECONDS = Histogram(
    "scheduler_late_seconds", "From the instant at which a draw was due to what it did", buckets=_LAG_SECONDS
)
SCHEDULER_FAILURES = Counter("scheduler_failures_total", "Draws and cycles that failed, and are tried again")
EVALUATION_STEPS = Counter("evaluation_steps_total", "Steps of evaluations, by what they did", ["step"])
EVALUATION_FAILURES = Counter("evaluation_failures_total", "Steps of evaluations that failed; they are tried again")
EVALUATION_TICKETS_SET_ASIDE = Counter(
    "evaluation_tickets_set_aside_total", "Tickets whose prizes could not be paid or taken back"
)
EVALUATIONS_UNDER_WAY = Gauge("evaluations_under_way", "Draws whose prizes are being paid or taken back")
EVALUATION_UNMOVED_SECONDS = Gauge("evaluation_unmoved_seconds", "How long the longest of them did not move on")
STATEMENT_REQUESTS = Counter(
    "statement_requests_total", "Requests to compute a day of a statement that were worked off"
)
STATEMENT_FAILURES = Counter(
    "statement_failures_total", "Calls that computed statements and failed; they are tried again"
)
STATEMENT_REQUESTS_WAITING = Gauge("statement_requests_waiting", "Requests to compute a day of a statement")
STATEMENT_WAITING_SECONDS = Gauge("statement_waiting_seconds", "How long the longest of them has waited")
# Not "job": Prometheus has a label of that name for whom it asked.
JOB_RUNS = Counter("banca_job_runs_total", "Runs of jobs, by how they ended", ["name", "outcome"])
JOB_ERRORS = Counter("banca_job_errors_total", "Draws, lotteries and days that failed alone in a run", ["name"])
JOB_SECONDS = Histogram(
    "banca_job_seconds", "From the start of a job to its end", ["name"], buckets=(0.1, 1, 5, 30, 60, 300, 1_800, 7_200)
)
JOB_LAST_SUCCESS = Gauge("banca_job_last_success_timestamp_seconds", "When a job was done last", ["name"])

# So that a scrape shows them before they first count: a rate needs a zero to start from.
NEW, RESENT = RELAY_EVENTS.labels("new"), RELAY_EVENTS.labels("resent")
for _action in ("OPEN", "CLOSE"):
    SCHEDULER_MOVES.labels(_action)
JOB_OUTCOMES = ("done", "failed", "skipped", "disabled")
for _job in JobName:
    JOB_ERRORS.labels(_job)
    for _outcome in JOB_OUTCOMES:
        JOB_RUNS.labels(_job, _outcome)


@contextmanager
def served(settings: Settings) -> Iterator[None]:
    """Answer GET /metrics on METRICS_PORT, in a thread of its own; 0: nothing listens. Raises ProcessError."""
    if settings.metrics_port == 0:
        yield
        return
    try:
        server, thread = start_http_server(settings.metrics_port, addr=settings.host)
    except OSError as error:
        reason = error.strerror or error
        raise ProcessError(
            f"cannot listen on HOST {settings.host}, METRICS_PORT {settings.metrics_port}: {reason}"
        ) from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
