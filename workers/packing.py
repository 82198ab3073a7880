"""Several events in a message: a consumer handles far more events than it could handle messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dramatiq import Message

from core.events import Event, to_wire

EVENTS_PER_MESSAGE_MAX = 100
# Payload bytes; one event may be more, and then travels alone.
BYTES_PER_MESSAGE_MAX = 256 * 1024


def packed(events: Sequence[Event], *, queue_name: str, actor_name: str) -> Iterator[Message[None]]:
    """Messages that carry all events, in their order."""
    pack: list[Event] = []
    pack_bytes = 0
    for event in events:
        event_bytes = len(event.payload)
        if pack and (len(pack) == EVENTS_PER_MESSAGE_MAX or pack_bytes + event_bytes > BYTES_PER_MESSAGE_MAX):
            yield message_of(pack, queue_name=queue_name, actor_name=actor_name)
            pack, pack_bytes = [], 0
        pack.append(event)
        pack_bytes += event_bytes
    if pack:
        yield message_of(pack, queue_name=queue_name, actor_name=actor_name)


def message_of(events: Sequence[Event], *, queue_name: str, actor_name: str) -> Message[None]:
    return Message(
        queue_name=queue_name,
        actor_name=actor_name,
        args=([to_wire(event) for event in events],),
        kwargs={},
        options={},
    )
