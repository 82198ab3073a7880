"""Who acts on events. Every consumer gets the events that it wants on a queue of its own."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from core.events import EventType

AUDIT = "audit"
DRAWS = "draws"
STATEMENTS = "statements"
JOBS = "jobs"
CONSUMERS: tuple[str, ...] = (AUDIT, DRAWS, STATEMENTS, JOBS)
# They want every event and keep an inbox of those that they have done; before that no event is forgotten.
KEEPERS: tuple[str, ...] = (AUDIT,)
# The others want only these, as a reason to look at once at what is written in their tables.
WANTED: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        DRAWS: frozenset({EventType.SORTEOS_EVALUATION_REQUESTED, EventType.SORTEOS_REVERT_REQUESTED}),
        STATEMENTS: frozenset({EventType.SORTEOS_EVALUATED, EventType.SORTEOS_REVERTED}),
        JOBS: frozenset({EventType.JOBS_REQUESTED}),
    }
)
# What died together with others is tried here by itself: one message at a time, one event in it.
ALONE = ".alone"


def wants(consumer: str, event_type: str) -> bool:
    return consumer in KEEPERS or event_type in WANTED[consumer]


def queue_name(instance_id: str, consumer: str) -> str:
    """Two stacks on one broker do not eat each other's messages."""
    return f"banca.{instance_id}.{consumer}"


def queue_names(instance_id: str) -> list[str]:
    return [queue_name(instance_id, consumer) for consumer in CONSUMERS]


def alone(queue: str) -> str:
    """The queue's quarantine; of a quarantine itself."""
    return queue if is_alone(queue) else f"{queue}{ALONE}"


def is_alone(queue: str) -> bool:
    return queue.endswith(ALONE)


def together(queue: str) -> str:
    """The queue that a quarantine belongs to."""
    return queue.removesuffix(ALONE)
