"""How a ticket was judged: one value per ticket, never an exception."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from msgspec import Struct


class Verdict(StrEnum):
    """In order of precedence. Source: type sale_verdict, sql/functions/sell_tickets.sql."""

    BANCA_INACTIVE = "BANCA_INACTIVE"
    SESSION_REVOKED = "SESSION_REVOKED"
    USER_INACTIVE = "USER_INACTIVE"
    SELLER_NOT_OWN = "SELLER_NOT_OWN"
    VENTANA_INACTIVE = "VENTANA_INACTIVE"
    TERMINAL_DISABLED = "TERMINAL_DISABLED"
    TERMINAL_KEY_REVOKED = "TERMINAL_KEY_REVOKED"
    TERMINAL_MISMATCH = "TERMINAL_MISMATCH"
    # The key was answered before: the same again; another ticket; a cancel that came first.
    KNOWN = "KNOWN"
    MISMATCH = "MISMATCH"
    CANCELLED_BEFORE_SALE = "CANCELLED_BEFORE_SALE"
    SELLER_NOT_FOUND = "SELLER_NOT_FOUND"
    # The price no longer holds: price again, submit again.
    STALE = "STALE"
    SORTEO_NOT_FOUND = "SORTEO_NOT_FOUND"
    CLOSED = "CLOSED"
    SORTEO_NOT_OPEN = "SORTEO_NOT_OPEN"
    LISTA_EXCLUDED = "LISTA_EXCLUDED"
    CUTOFF = "CUTOFF"
    SOLD_OUT = "SOLD_OUT"
    NO_FUNDS = "NO_FUNDS"
    SOLD = "SOLD"
    # The database refuses this ticket's data (SQLSTATE class 22 or 23); its neighbours were recorded.
    REJECTED = "REJECTED"


# Written with the key, so the same answer comes for ever. To try again, use a new key.
RECORDED = frozenset({Verdict.SOLD, Verdict.SOLD_OUT, Verdict.NO_FUNDS, Verdict.CLOSED, Verdict.CUTOFF})


class TicketPlace(Struct, frozen=True, gc=False):
    """Where a ticket is stored."""

    business_date: date
    sorteo_id: UUID
    sequence: int


class Outcome(Struct, frozen=True, gc=False):
    verdict: Verdict
    # The database's clock, under the locks; of the first answer when the key was known.
    at: datetime
    # KNOWN only: what was recorded (SOLD, SOLD_OUT, NO_FUNDS, CLOSED, …).
    recorded: str | None = None
    place: TicketPlace | None = None
    violations: Sequence[Mapping[str, Any]] = ()
    # The seller's balance after the batch, and its version; sold tickets only.
    balance: tuple[int, int] | None = None
