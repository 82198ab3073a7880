"""Who acts on events. Every consumer gets every event, on a queue of its own, and keeps its own inbox."""

from __future__ import annotations

AUDIT = "audit"
CONSUMERS: tuple[str, ...] = (AUDIT,)


def queue_name(instance_id: str, consumer: str) -> str:
    """Two stacks on one broker do not eat each other's messages."""
    return f"banca.{instance_id}.{consumer}"
