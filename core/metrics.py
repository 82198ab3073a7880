"""What every process counts, in Prometheus' text format.

With PROMETHEUS_MULTIPROC_DIR set, the processes that share the directory are summed up by whichever is asked.
"""

from __future__ import annotations

import os

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

CONTENT_TYPE = CONTENT_TYPE_LATEST

# From a lone ticket (1–3 ms) to a request that waited for everything it could wait for.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_TICKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)

HTTP_REQUESTS = Counter("http_requests_total", "Requests answered", ["route", "method", "status"])
HTTP_REQUEST_SECONDS = Histogram("http_request_seconds", "Time to answer", ["route", "method"], buckets=_SECONDS)

TILL_BATCH_TICKETS = Histogram("till_batch_tickets", "Tickets in a batch", buckets=_TICKETS)
TILL_BATCH_SECONDS = Histogram("till_batch_seconds", "Time of one sell_tickets call", buckets=_SECONDS)
TILL_OUTCOMES = Counter("till_outcomes_total", "What became of tickets", ["outcome"])
TILL_QUEUE_TICKETS = Gauge("till_queue_tickets", "Tickets waiting for a batch", multiprocess_mode="livesum")

DB_POOL_CONNECTIONS = Gauge("db_pool_connections", "Connections to PostgreSQL", ["state"], multiprocess_mode="livesum")
# Reads that may lag, and where they were answered.
READS = Counter("banca_reads", "Reads that a replica may answer", ["source"])
REPLICA_LAG_SECONDS = Gauge(
    "banca_replica_lag_seconds", "What the replica may lack at the most; 0: there is none", multiprocess_mode="livemax"
)
OUTBOX_LAG_SECONDS = Gauge("outbox_lag_seconds", "Age of the oldest unpublished event", multiprocess_mode="mostrecent")
OUTBOX_UNPUBLISHED = Gauge("outbox_unpublished", "Events not yet published", multiprocess_mode="mostrecent")
DEAD_LETTERS = Gauge("banca_dead_letters", "Dead letters that are parked", ["queue"], multiprocess_mode="mostrecent")
EVALUATIONS_FAILED = Gauge(
    "banca_evaluations_failed",
    "Evaluations that have stopped and wait to be tried again, or to be taken back",
    multiprocess_mode="mostrecent",
)
LOGIN_FAILURES = Counter("login_failures_total", "Logins refused", ["code"])
# Of the check that was made for this very scrape; what is not configured is not shown.
HEALTH_PART_UP = Gauge("health_part_up", "Whether a part answers", ["part"], multiprocess_mode="mostrecent")


# Of this process; the troubles are DatabaseTrouble's, in core/database.py.
DATABASE_TROUBLES = Counter("banca_database_troubles_total", "Calls that PostgreSQL did not take", ["trouble"])
OLDEST_TRANSACTION_SECONDS = Gauge(
    "banca_oldest_transaction_seconds",
    "Age of the oldest open transaction in the database, whoever has it",
    multiprocess_mode="mostrecent",
)


def show_pool(*, size: int, idle: int) -> None:
    DB_POOL_CONNECTIONS.labels("idle").set(idle)
    DB_POOL_CONNECTIONS.labels("busy").set(size - idle)


def render_metrics() -> bytes:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call] # the library leaves it untyped
    return generate_latest(registry)
