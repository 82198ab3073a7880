"""What is handed to the till: a priced ticket, and who asked for it."""

from __future__ import annotations

import os
import time
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from asyncpg.pgproto import pgproto
from msgspec import Struct

from core.domain.calendar import costa_rica_date
from core.domain.impersonation import ActingUser
from core.domain.permissions import Role
from core.domain.ticket import PricedTicket

# A seller's clock, or ours, may differ from the database's; a ticket's id tells its time by ours.
CLOCK_DIFFERENCE_MAX = timedelta(days=1)
# Of an id's 128 bits 74 are random.
RANDOM_BYTES = 10


class Actor(Struct, frozen=True, gc=False):
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


class SaleOrder(Struct, frozen=True, gc=False):
    actor: Actor
    key: str
    # SHA-256 of the canonical ticket.
    fingerprint: bytes
    request_id: str
    ticket_id: UUID
    priced: PricedTicket

    @property
    def name(self) -> tuple[UUID, str]:
        """The key as its actor's: it names one sale within the banca, on whatever terminal."""
        return (self.actor.user_id, self.key)

    @property
    def terminal_name(self) -> tuple[UUID, str]:
        """The key as its terminal's: it names one sale within the banca, whoever is logged in there."""
        return (self.actor.terminal_id, self.key)


class _Randomness:
    """Random bytes, asked of the kernel for many tickets at once: asking took longer than all the rest of an id."""

    def __init__(self) -> None:
        self._bytes = b""
        self._at = 0

    def take(self) -> bytes:
        if self._at >= len(self._bytes):
            self._bytes, self._at = os.urandom(RANDOM_BYTES * 256), 0
        self._at += RANDOM_BYTES
        return self._bytes[self._at - RANDOM_BYTES : self._at]


_randomness = _Randomness()


def new_ticket_id() -> UUID:
    """A UUIDv7: ids grow with time, so their index is written at its right end."""
    random = int.from_bytes(_randomness.take())
    milliseconds = time.time_ns() // 1_000_000
    value = milliseconds << 80 | 0x7 << 76 | (random >> 68 & 0xFFF) << 64 | 0b10 << 62 | random & ((1 << 62) - 1)
    # The driver's own, which it sends as it is; equal to Python's.
    return pgproto.UUID(value.to_bytes(16))


def earliest_day(ticket_id: UUID) -> date | None:
    """The first day that the ticket's draw can have had: a ticket is sold before its draw. None: no id of ours."""
    if ticket_id.version != 7:
        return None
    try:
        made_at = datetime.fromtimestamp((ticket_id.int >> 80) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return costa_rica_date(made_at - CLOCK_DIFFERENCE_MAX)
