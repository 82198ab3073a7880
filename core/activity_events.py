"""Operations for the audit trail that have no event of their own, written in the transaction of what they tell.

    async with database.tenant(banca_id, readonly=False) as connection:
        row = await connection.fetchrow(sql("restrictions/update"), …)
        await record_activity(connection, Action.RESTRICTION_UPDATE, actor_id=…, target_type="RESTRICTION",
                              target_id=rule_id, before=…, after=…, request_id=…)

If the transaction fails, nothing is told. The audit makes it one row of the trail (workers/activity.py), within two
seconds. What belongs to no banca has no trail, because a trail is a banca's evidence: it is logged instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson

from core.queries import sql

LAYER_API = "api"


class Action(StrEnum):
    """What may be told so; tickets, logins and sessions have events of their own."""

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
    LOTERIA_SETTING_UPDATE = "LOTERIA_SETTING_UPDATE"
    LOTERIA_SETTING_DELETE = "LOTERIA_SETTING_DELETE"
    SORTEO_LIMIT_UPDATE = "SORTEO_LIMIT_UPDATE"
    NUMBER_LIMIT_UPDATE = "NUMBER_LIMIT_UPDATE"
    NUMBER_LIMIT_DELETE = "NUMBER_LIMIT_DELETE"
    COMMISSION_POLICY_UPDATE = "COMMISSION_POLICY_UPDATE"


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
    the target was, or is, not there. Never a secret, never a password.
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
    )
    return event_id


def plain(members: Mapping[str, Any] | None) -> Any:
    # The driver's own UUIDs are none to orjson.
    return None if members is None else orjson.loads(orjson.dumps(dict(members), default=str))
