"""What the audit trail says of an event: one operation per thing that somebody did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import assert_never
from uuid import UUID

import msgspec

from core.events import (
    ActivitiesRecorded,
    ActivityRecorded,
    Payload,
    SessionsClosed,
    SessionsOpened,
    TicketsCancelled,
    TicketsSold,
)
from core.job_events import JobsRequested
from core.later_events import LaterEvent, ListasExcluded, ListasIncluded, TicketsRestored
from core.result_events import EvaluationRequested, ResultEvent, RevertRequested, SorteoEvaluated, SorteoReverted
from core.sorteo_events import SorteosMoved

# Where the operation came in.
LAYER_API = "api"
LAYER_WORKER = "worker"
# What was asked, and what the workers did of it.
RESULT_ACTIONS: Mapping[type, tuple[str, str]] = MappingProxyType(
    {
        EvaluationRequested: ("SORTEO_EVALUATE", LAYER_API),
        SorteoEvaluated: ("SORTEO_EVALUATED", LAYER_WORKER),
        RevertRequested: ("SORTEO_REVERT_EVALUATION", LAYER_API),
        SorteoReverted: ("SORTEO_EVALUATION_REVERTED", LAYER_WORKER),
    }
)
# Told in columns of their own.
RESULT_COLUMNS = frozenset({"at", "sorteoId", "actorId", "requestId"})
LATER_COLUMNS = frozenset({"at", "ticketId", "exclusionId", "runId", "layer", "actorId", "requestId"})
# Reasons of a session's end that were not its user's own wish.
REVOCATIONS = frozenset({"revoked", "refresh_reused", "fifo_displacement"})


@dataclass(frozen=True, slots=True)
class Operation:
    action: str
    actor_id: UUID | None
    target_type: str | None
    target_id: UUID | None
    layer: str
    request_id: str | None
    details: Mapping[str, object]


def operations_of(payload: Payload) -> list[Operation]:
    """At least one; of a batch of sales, one per ticket in the batch's order; of several targets, one each in theirs."""
    match payload:
        case TicketsSold():
            return tickets_created(payload)
        case TicketsCancelled():
            return [ticket_cancelled(payload)]
        case SessionsOpened():
            return [login(payload)]
        case SessionsClosed():
            return [session_closed(payload)]
        case ActivityRecorded():
            return [recorded(payload)]
        case ActivitiesRecorded():
            return each_recorded(payload)
        case SorteosMoved():
            return [sorteo_moved(payload)]
        case EvaluationRequested() | SorteoEvaluated() | RevertRequested() | SorteoReverted():
            return [result_moved(payload)]
        case TicketsRestored() | ListasExcluded() | ListasIncluded() | JobsRequested():
            return [moved_later(payload)]
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


def moved_later(payload: LaterEvent | JobsRequested) -> Operation:
    members: dict[str, object] = msgspec.to_builtins(payload)
    return Operation(
        action=payload.action,
        actor_id=payload.actor_id,
        target_type=payload.target_type,
        target_id=payload.target_id,
        layer=payload.layer,
        request_id=payload.request_id,
        details={name: value for name, value in members.items() if name not in LATER_COLUMNS},
    )


def login(payload: SessionsOpened) -> Operation:
    return Operation(
        action="LOGIN",
        actor_id=payload.actor_id,
        target_type="SESSION",
        target_id=payload.session_id,
        layer=LAYER_API,
        request_id=payload.request_id,
        details=whose(payload.user_id),
    )


def session_closed(payload: SessionsClosed) -> Operation:
    return Operation(
        action="SESSION_REVOKE" if payload.reason in REVOCATIONS else "LOGOUT",
        actor_id=payload.actor_id,
        target_type="SESSION",
        target_id=payload.session_id,
        layer=LAYER_API,
        request_id=payload.request_id,
        details={"reason": payload.reason} | whose(payload.user_id),
    )


def sorteo_moved(payload: SorteosMoved) -> Operation:
    return Operation(
        action=f"SORTEO_{payload.action}",
        actor_id=payload.actor_id,
        target_type="SORTEO",
        target_id=payload.sorteo_id,
        layer=payload.layer,
        request_id=payload.request_id,
        details={
            "before": {"status": payload.from_status, "isActive": payload.was_active},
            "after": {"status": payload.to_status, "isActive": payload.is_active},
            "reason": payload.reason,
            "lastSequence": payload.last_sequence,
        },
    )


def recorded(payload: ActivityRecorded) -> Operation:
    return Operation(
        action=payload.action,
        actor_id=payload.actor_id,
        target_type=payload.target_type,
        target_id=payload.target_id,
        layer=payload.layer,
        request_id=payload.request_id,
        details={"before": payload.before, "after": payload.after},
    )


def each_recorded(payload: ActivitiesRecorded) -> list[Operation]:
    return [
        Operation(
            action=payload.action,
            actor_id=payload.actor_id,
            target_type=payload.target_type,
            target_id=target.id,
            layer=payload.layer,
            request_id=payload.request_id,
            details={
                "before": together(payload.before, target.before),
                "after": together(payload.after, target.after),
            },
        )
        for target in payload.targets
    ]


def result_moved(payload: ResultEvent) -> Operation:
    action, layer = RESULT_ACTIONS[type(payload)]
    members: dict[str, object] = msgspec.to_builtins(payload)
    return Operation(
        action=action,
        actor_id=payload.actor_id,
        target_type="SORTEO",
        target_id=payload.sorteo_id,
        layer=layer,
        request_id=payload.request_id,
        details={name: value for name, value in members.items() if name not in RESULT_COLUMNS},
    )


def together(common: Mapping[str, object] | None, own: Mapping[str, object] | None) -> Mapping[str, object] | None:
    """None: there was, or is, no target."""
    return None if common is None and own is None else {**(common or {}), **(own or {})}


def whose(user_id: UUID | None) -> dict[str, object]:
    return {} if user_id is None else {"userId": user_id}
