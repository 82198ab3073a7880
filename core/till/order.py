"""What is handed to the till: a priced ticket, and who asked for it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from core.domain.calendar import costa_rica_date
from core.domain.impersonation import ActingUser
from core.domain.permissions import Role
from core.domain.ticket import PricedTicket

# A seller's clock, or ours, may differ from the database's; a ticket's id tells its time by ours.
CLOCK_DIFFERENCE_MAX = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, with which session and terminal. Checked again under the lock, whatever the API believed."""

    banca_id: UUID
    user_id: UUID
    role: str
    session_id: UUID
    terminal_id: UUID
    key_version: int
    # Of VENTANA and VENDEDOR.
    ventana_id: UUID | None = None

    @property
    def acting(self) -> ActingUser:
        """A BANCA user that got as far as this is assigned to the banca."""
        return ActingUser(self.user_id, Role(self.role), self.ventana_id, frozenset((self.banca_id,)))


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


def earliest_day(ticket_id: UUID) -> date | None:
    """The first day that the ticket's draw can have had: a ticket is sold before its draw. None: no id of ours."""
    if ticket_id.version != 7:
        return None
    try:
        made_at = datetime.fromtimestamp((ticket_id.int >> 80) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return costa_rica_date(made_at - CLOCK_DIFFERENCE_MAX)
