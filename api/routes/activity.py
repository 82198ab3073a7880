"""The audit trail, read: who did what to whom, and when."""

from __future__ import annotations

from datetime import date

from api.context import RequestContext
from api.models.activity import ActivityAnswer, ActivityQuery
from api.operations import Operation
from api.pages import Page, page_of
from core.domain.permissions import Permission
from core.queries import sql

BIGINT_MAX = 2**63 - 1


async def list_activity(context: RequestContext, query: ActivityQuery) -> Page[ActivityAnswer]:
    """What was done in the banca, the newest first.

    Operations appear here within two seconds. The days are Costa Rica's; within a day the order is that of the events.
    """
    async with context.readings.tenant(context.banca_id) as connection:
        rows = await connection.fetch(
            sql("activity/page"),
            context.banca_id,
            query.actor_id,
            query.target_id,
            query.target_type,
            query.action,
            query.since,
            query.before,
            *query.after(date.fromisoformat, whole, whole),
            query.page_size + 1,
            query.offset,
        )
    shown, meta = page_of(query, rows, keys=("occurred_on", "event_id", "line"))
    fields = ActivityAnswer.model_fields
    return Page[ActivityAnswer](
        data=[ActivityAnswer(**{name: row[name] for name in fields}) for row in shown], meta=meta
    )


def whole(key: object) -> int:
    """Raises TypeError or ValueError."""
    if not isinstance(key, int) or isinstance(key, bool):
        raise TypeError("not a whole number")
    if not 0 <= key <= BIGINT_MAX:
        raise ValueError("PostgreSQL has no such number")
    return key


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/activity",
        handler=list_activity,
        permission=Permission.ACTIVITY_READ,
        tags=("activity",),
        query=ActivityQuery,
        responses={200: Page[ActivityAnswer]},
        may_lag=True,
    ),
)
