"""What is handed to the till: a priced ticket, and who asked for it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from uuid import UUID

from core.domain.ticket import PricedTicket


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, with which session and terminal. Checked again under the lock, whatever the API believed."""

    banca_id: UUID
    user_id: UUID
    role: str
    session_id: UUID
    terminal_id: UUID
    key_version: int


@dataclass(frozen=True, slots=True)
class SaleOrder:
    actor: Actor
    key: str
    # SHA-256 of the canonical ticket.
    fingerprint: bytes
    request_id: str
    ticket_id: UUID
    priced: PricedTicket

    @property
    def name(self) -> tuple[UUID, str]:
        """What makes two orders the same sale, within their banca."""
        return (self.actor.user_id, self.key)


def new_ticket_id() -> UUID:
    """A UUIDv7: ids grow with time, so their index is written at its right end."""
    random = int.from_bytes(os.urandom(10))
    milliseconds = time.time_ns() // 1_000_000
    return UUID(
        int=(milliseconds << 80)
        | (0x7 << 76)
        | ((random >> 68 & 0xFFF) << 64)
        | (0b10 << 62)
        | (random & ((1 << 62) - 1))
    )
