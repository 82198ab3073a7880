"""Operations for the audit trail that have no event of their own, written in the transaction of what they tell.

    async with database.tenant(banca_id, readonly=False) as connection:
        row = await connection.fetchrow(sql("restrictions/update"), …)
        await record_activity(connection, Action.RESTRICTION_UPDATE, actor_id=…, target_type="RESTRICTION",
                              target_id=rule_id, before=…, after=…, request_id=…)

If the transaction fails, nothing is told. The audit makes it one row of the trail (workers/activity.py), within two
seconds. What belongs to no banca has no trail, because a trail is a banca's evidence: it is logged instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from core.activity_documents import DOCUMENT_BYTES_MAX, Document, bytes_of, factored, plain
from core.queries import sql
from core.slices import Pace

# What one operation did to a target: its id, before and after.
Sides = tuple[str, Document | None, Document | None]
CHANGES_PER_SLICE = 100

LAYER_API = "api"
LAYER_JOB = "job"
# What several targets do not share; more is told in further events.
TARGETS_BYTES_MAX = 2 * DOCUMENT_BYTES_MAX


class Action(StrEnum):
    """What may be told so; tickets, logins, sessions and dead letters are told by the functions that do them."""

    TERMINAL_CREATE = "TERMINAL_CREATE"
    TERMINAL_ROTATE = "TERMINAL_ROTATE"
    TERMINAL_DISABLE = "TERMINAL_DISABLE"
    TERMINAL_ENABLE = "TERMINAL_ENABLE"
    RESTRICTION_CREATE = "RESTRICTION_CREATE"
    RESTRICTION_UPDATE = "RESTRICTION_UPDATE"
    RESTRICTION_DELETE = "RESTRICTION_DELETE"
    RESTRICTION_RESTORE = "RESTRICTION_RESTORE"
    MULTIPLIER_OVERRIDE_CREATE = "MULTIPLIER_OVERRIDE_CREATE"
    MULTIPLIER_OVERRIDE_UPDATE = "MULTIPLIER_OVERRIDE_UPDATE"
    MULTIPLIER_OVERRIDE_DELETE = "MULTIPLIER_OVERRIDE_DELETE"
    MULTIPLIER_OVERRIDE_RESTORE = "MULTIPLIER_OVERRIDE_RESTORE"
    MULTIPLIER_CREATE = "MULTIPLIER_CREATE"
    MULTIPLIER_UPDATE = "MULTIPLIER_UPDATE"
    LOTERIA_UPDATE = "LOTERIA_UPDATE"
    LOTERIA_SETTING_UPDATE = "LOTERIA_SETTING_UPDATE"
    SORTEO_LIMIT_UPDATE = "SORTEO_LIMIT_UPDATE"
    SORTEO_CREATE = "SORTEO_CREATE"
    SORTEO_UPDATE = "SORTEO_UPDATE"
    BANCA_UPDATE = "BANCA_UPDATE"
    COMMISSION_POLICY_UPDATE = "COMMISSION_POLICY_UPDATE"
    JOB_SETTINGS_UPDATE = "JOB_SETTINGS_UPDATE"


@dataclass(frozen=True, slots=True)
class Change:
    """What an operation did to one of its targets; before and after as record_activity takes them."""

    target_id: UUID
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


async def record_activity(
    connection: Any,
    action: Action,
    *,
    actor_id: UUID | None,
    target_type: str,
    target_id: UUID | None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    request_id: str | None,
) -> int:
    """Write the operation's event into the outbox; returns its id.

    connection: inside a transaction of a banca (Database.tenant with readonly=False).
    before, after: JSON values, UUIDs and instants; only the members that the operation concerns; None:
    the target was, or is, not there. Never a secret, never a password. Beyond DOCUMENT_BYTES_MAX the largest members
    are told by their size and digest.
    Raises asyncpg.CheckViolationError outside the transaction of a banca.
    """
    event_id: int = await connection.fetchval(
        sql("activity/record"),
        action.value,
        actor_id,
        target_type,
        target_id,
        plain(before),
        plain(after),
        LAYER_API,
        request_id,
        None,
    )
    return event_id


async def record_activities(
    connection: Any,
    action: Action,
    changes: Sequence[Change],
    *,
    actor_id: UUID | None,
    target_type: str,
    request_id: str | None,
    layer: str = LAYER_API,
) -> None:
    """One operation on several targets: a row of the trail for each, in the order given, of one event.

    changes: at least one. What they do not share may have TARGETS_BYTES_MAX; beyond it they are told in several events.
    """
    pace = Pace(CHANGES_PER_SLICE)
    sides: list[Sides] = []
    for change in changes:
        sides.append((str(change.target_id), plain(change.before), plain(change.after)))
        await pace.did(1)
    rest = [sides]
    while rest:
        told = rest.pop()
        before, befores = factored([old for _, old, _ in told])
        await asyncio.sleep(0)
        after, afters = factored([new for _, _, new in told])
        targets = [
            {"id": target_id, **{side: own for side, own in (("before", old), ("after", new)) if own is not None}}
            for (target_id, _, _), old, new in zip(told, befores, afters, strict=True)
        ]
        await asyncio.sleep(0)
        if bytes_of(targets) > TARGETS_BYTES_MAX and len(told) > 1:
            middle = len(told) // 2
            rest += [told[middle:], told[:middle]]
            continue
        await connection.execute(
            sql("activity/record"), action.value, actor_id, target_type, None, before, after, layer, request_id, targets
        )
