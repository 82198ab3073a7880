"""Events of draws that moved, as sql/functions/act_on_sorteo.sql writes them."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec

from core.instants import Instant


class SorteosMoved(msgspec.Struct, frozen=True, rename="camel"):
    """A draw went from one state to another. actor_id: null where it went by itself.

    last_sequence: how many tickets were sold of it; after a close these are all.
    """

    at: Instant
    sorteo_id: UUID
    action: Annotated[str, msgspec.Meta(pattern="^[A-Z_]+$")]
    from_status: str
    to_status: str
    was_active: bool
    is_active: bool
    last_sequence: int
    layer: str
    actor_id: UUID | None = None
    reason: str | None = None
    request_id: str | None = None
