"""Who acts on events. Every consumer gets every event, on a queue of its own, and keeps its own inbox."""

from __future__ import annotations

AUDIT = "audit"
CONSUMERS: tuple[str, ...] = (AUDIT,)
# What died together with others is tried here by itself: one message at a time, one event in it.
ALONE = ".alone"


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
