"""What the audit trail says of an event: one operation per thing that somebody did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never
from uuid import UUID

from core.events import Payload, SessionsClosed, SessionsOpened, TicketsCancelled, TicketsSold

# Where the operation came in; jobs will have a layer of their own.
LAYER_API = "api"


@dataclass(frozen=True, slots=True)
class Operation:
    action: str
    actor_id: UUID | None
    target_type: str
    target_id: UUID
    layer: str
    request_id: str | None
    details: Mapping[str, object]


def operations_of(payload: Payload) -> list[Operation]:
    """At least one; of a batch of sales, one per ticket in the batch's order."""
    match payload:
        case TicketsSold():
            return tickets_created(payload)
        case TicketsCancelled():
            return [ticket_cancelled(payload)]
        case SessionsOpened():
            return [login(payload)]
        case SessionsClosed():
            return [logout(payload)]
        case _:
            assert_never(payload)


def tickets_created(payload: TicketsSold) -> list[Operation]:
    rows = zip(
        payload.ticket_ids,
        payload.sorteo_ids,
        payload.sequences,
        payload.vendedor_ids,
        payload.actor_ids,
        payload.actor_roles,
        payload.terminal_ids,
        payload.totals_cents,
        payload.keys,
        payload.request_ids,
        strict=True,
    )
    return [
        Operation(
            action="TICKET_CREATE",
            actor_id=actor,
            target_type="TICKET",
            target_id=ticket,
            layer=LAYER_API,
            request_id=request,
            details={
                "sorteoId": sorteo,
                "sequence": sequence,
                "vendedorId": vendedor,
                "actorRole": role,
                "terminalId": terminal,
                "totalCents": total,
                "key": key,
                "rulebookVersion": payload.rulebook_version,
            },
        )
        for ticket, sorteo, sequence, vendedor, actor, role, terminal, total, key, request in rows
    ]


def ticket_cancelled(payload: TicketsCancelled) -> Operation:
    return Operation(
        action="TICKET_CANCEL",
        actor_id=payload.actor_id,
        target_type="TICKET",
        target_id=payload.ticket_id,
        layer=LAYER_API,
        request_id=payload.request_id,
        details={
            "sorteoId": payload.sorteo_id,
            "sequence": payload.sequence,
            "vendedorId": payload.vendedor_id,
            "actorRole": payload.actor_role,
            "terminalId": payload.terminal_id,
            "totalCents": payload.total_cents,
            "key": payload.key,
        },
    )


def login(payload: SessionsOpened) -> Operation:
    return Operation(
        action="LOGIN",
        actor_id=payload.actor_id,
        target_type="SESSION",
        target_id=payload.session_id,
        layer=LAYER_API,
        request_id=payload.request_id,
        details={},
    )


def logout(payload: SessionsClosed) -> Operation:
    return Operation(
        action="LOGOUT",
        actor_id=payload.actor_id,
        target_type="SESSION",
        target_id=payload.session_id,
        layer=LAYER_API,
        request_id=payload.request_id,
        details={"reason": payload.reason},
    )
