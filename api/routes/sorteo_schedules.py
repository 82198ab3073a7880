"""A lottery's draws to come, as its rules describe them: looked at, and made."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

from api.context import RequestContext
from api.keys import DATABASE
from api.models.sorteo_changes import (
    SEEDED_MAX,
    OccurrenceAnswer,
    Preview,
    PreviewQuery,
    Seeded,
    SeedIn,
    SeedQuery,
    UnscheduledSorteo,
)
from api.operations import Operation
from api.routes.loterias import ONE, loteria
from api.routes.sorteo_changes import active_loteria
from api.validation import validation_failed
from core.activity_events import LAYER_API
from core.domain.calendar import COSTA_RICA
from core.domain.permissions import Permission
from core.domain.schedule import Occurrence, occurrence_name, occurrences, range_bounds
from core.domain.time_zones import time_zone
from core.domain.violations import Violation
from core.queries import sql
from core.sorteo_seeding import Author, draws_of_slots, make_draws, missing_draws


async def preview_schedule(context: RequestContext, query: PreviewQuery) -> Preview:
    """When the lottery is drawn, by its drawSchedules or else its drawSchedule."""
    now = datetime.now(UTC)
    start = query.start or now
    async with context.app[DATABASE].tenant(context.banca_id) as connection:
        found = await loteria(context, connection)
        # Of many blocks of many times in many zones it takes a while: not in the loop.
        described = await asyncio.to_thread(
            occurrences,
            found.rules_json,
            loteria_name=found.name,
            start=start,
            days=query.days,
            occurrences_max=SEEDED_MAX,
        )
        made = await draws_of_slots(connection, context.banca_id, found.id, described)
        first, last = range_bounds(start, query.days)
        since = first if query.allow_past else max(first, now)
        others = await connection.fetch(
            sql("sorteos/unscheduled"), context.banca_id, found.id, since, last, list(made.values()), SEEDED_MAX
        )
    shown = [one for one in described if query.allow_past or one.scheduled_at > now]
    return Preview(
        data=[occurrence_answer(one, made.get(one.scheduled_at)) for one in shown[: query.limit]],
        unscheduled=[UnscheduledSorteo(**dict(row)) for row in others],
    )


def occurrence_answer(slot: Occurrence, sorteo_id: UUID | None) -> OccurrenceAnswer:
    """By both clocks: where it is drawn, and where it is sold."""
    local = slot.scheduled_at.astimezone(time_zone(slot.time_zone))
    return OccurrenceAnswer(
        scheduled_at=slot.scheduled_at,
        name=slot.name,
        time_zone=slot.time_zone,
        local_time=local.isoformat(timespec="seconds"),
        costa_rica_time=slot.scheduled_at.astimezone(COSTA_RICA).isoformat(timespec="seconds"),
        sorteo_id=sorteo_id,
    )


async def seed_sorteos(context: RequestContext, body: SeedIn, query: SeedQuery) -> Seeded:
    """Make the draws that the lottery's schedule describes, or those of the dates that are given.

    A slot is made once: its draw stays as it is, also where it was moved, switched off or drawn since. So the same may
    be asked for again.
    """
    if body.scheduled_dates is not None and (ignored := query.model_fields_set & {"start", "days"}):
        message = "Send scheduledDates, or from when and how many days; not both."
        raise validation_failed([Violation("FIELD_INVALID", message, name) for name in sorted(ignored)])
    loteria_id = context.path_id("loteriaId")
    async with context.app[DATABASE].tenant(context.banca_id, readonly=False) as connection:
        found = await active_loteria(context, connection, loteria_id)
        wanted = await asyncio.to_thread(wanted_draws, found, body, query)
        missing = await missing_draws(connection, context.banca_id, loteria_id, wanted)
        author = Author(context.principal.user_id, LAYER_API, context.request_id)
        made = [] if query.dry_run else await make_draws(connection, context.banca_id, found, missing, author)
        created = len(missing) if query.dry_run else len(made)
        return Seeded(
            created=created,
            skipped=len(missing) - created,
            already_exists=len(wanted) - len(missing),
            processed=len(wanted),
            dry_run=query.dry_run,
            sorteo_ids=made,
        )


def wanted_draws(found: Any, body: SeedIn, query: SeedQuery) -> list[Occurrence]:
    """By time, each instant once."""
    if body.scheduled_dates is None:
        start = query.start or datetime.now(UTC)
        return occurrences(
            found["rules"], loteria_name=found["name"], start=start, days=query.days, occurrences_max=SEEDED_MAX
        )
    return [Occurrence(at, occurrence_name(found["name"], at)) for at in sorted(set(body.scheduled_dates))]


SCHEDULING = partial(Operation, permission=Permission.SORTEOS_ADMINISTER, tags=("sorteos",))
OPERATIONS = (
    SCHEDULING(
        method="GET",
        path=f"{ONE}/preview_schedule",
        handler=preview_schedule,
        query=PreviewQuery,
        responses={200: Preview},
    ),
    SCHEDULING(
        method="POST",
        path=f"{ONE}/seed_sorteos",
        handler=seed_sorteos,
        body=SeedIn,
        body_optional=True,
        query=SeedQuery,
        responses={200: Seeded},
    ),
)
