"""Events of tickets and lists after the sale: a cancel taken back, a list excluded, a list brought back."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

import msgspec

from core.instants import Instant


class TicketsRestored(msgspec.Struct, frozen=True, rename="camel"):
    """rulebook_version: whose limits it met."""

    action: ClassVar[str] = "TICKET_RESTORE"
    target_type: ClassVar[str] = "TICKET"
    layer: ClassVar[str] = "api"

    at: Instant
    ticket_id: UUID
    sorteo_id: UUID
    sequence: int
    vendedor_id: UUID
    actor_id: UUID
    actor_role: str
    terminal_id: UUID
    total_cents: int
    rulebook_version: int
    # The restore's own.
    key: str
    request_id: str | None = None

    @property
    def target_id(self) -> UUID:
        return self.ticket_id


class ListasExcluded(msgspec.Struct, frozen=True, rename="camel"):
    """vendedor_id, multiplier_id: null for all. tickets, jugadas, amount_cents: what it moved."""

    action: ClassVar[str] = "LISTA_EXCLUDE"
    target_type: ClassVar[str] = "LISTA"
    layer: ClassVar[str] = "api"

    at: Instant
    exclusion_id: UUID
    sorteo_id: UUID
    ventana_id: UUID
    tickets: int
    jugadas: int
    amount_cents: int
    actor_id: UUID
    actor_role: str
    key: str
    vendedor_id: UUID | None = None
    multiplier_id: UUID | None = None
    reason: str | None = None
    request_id: str | None = None

    @property
    def target_id(self) -> UUID:
        return self.exclusion_id


class ListasIncluded(ListasExcluded, frozen=True, rename="camel"):
    """The exclusion was lifted. reason: why it had been made."""

    action: ClassVar[str] = "LISTA_INCLUDE"


LaterEvent = TicketsRestored | ListasExcluded | ListasIncluded
