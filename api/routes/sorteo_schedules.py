"""A lottery's draws to come, as its rules describe them: looked at, and made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import compress
from typing import Any
from uuid import UUID, uuid4

from api.context import RequestContext
from api.keys import DATABASE
from api.models.sorteo_changes import SEEDED_MAX, OccurrenceAnswer, Preview, PreviewQuery, Seeded, SeedIn, SeedQuery
from api.models.sorteos import SorteoAnswer
from api.operations import Operation
from api.routes.loterias import ONE, loteria
from api.routes.sorteo_changes import active_loteria, digits_of, record_created
from api.routes.sorteos import sorteo_answer
from core.domain.permissions import Permission
from core.domain.schedule import Occurrence, occurrence_name, occurrences
from core.queries import sql


async def preview_schedule(context: RequestContext, query: PreviewQuery) -> Preview:
    """When the lottery is drawn, by its drawSchedules or else its drawSchedule."""
    now = datetime.now(UTC)
    async with context.app[DATABASE].tenant(context.banca_id) as connection:
        found = await loteria(context, connection)
    described = occurrences(
        found.rules_json, loteria_name=found.name, start=query.start or now, days=query.days, occurrences_max=SEEDED_MAX
    )
    shown = [one for one in described if query.allow_past or one.scheduled_at > now]
    return Preview(data=[OccurrenceAnswer(**one._asdict()) for one in shown[: query.limit]])


async def seed_sorteos(context: RequestContext, body: SeedIn, query: SeedQuery) -> Seeded:
    """Make the draws that the lottery's schedule describes, or those of the dates that are given.

    What there is already stays as it is, so that the same may be asked for again.
    """
    loteria_id = context.path_id("loteriaId")
    async with context.app[DATABASE].tenant(context.banca_id, readonly=False) as connection:
        found = await active_loteria(context, connection, loteria_id)
        wanted = wanted_draws(found, body, query)
        instants = [one.scheduled_at for one in wanted]
        rows = await connection.fetch(sql("sorteos/known_instants"), context.banca_id, loteria_id, instants)
        known = {row["scheduled_at"] for row in rows}
        missing = [one for one in wanted if one.scheduled_at not in known]
        made = [] if query.dry_run or not missing else await make(context, connection, found, missing)
        created = len(missing) if query.dry_run else len(made)
        return Seeded(
            created=created,
            skipped=len(missing) - created,
            already_exists=len(wanted) - len(missing),
            processed=len(wanted),
            dry_run=query.dry_run,
            sorteo_ids=[one.id for one in made],
        )


def wanted_draws(found: Any, body: SeedIn, query: SeedQuery) -> list[Occurrence]:
    """By time, each instant once."""
    if body.scheduled_dates is None:
        start = query.start or datetime.now(UTC)
        return occurrences(
            found["rules"], loteria_name=found["name"], start=start, days=query.days, occurrences_max=SEEDED_MAX
        )
    return [Occurrence(at, occurrence_name(found["name"], at)) for at in sorted(set(body.scheduled_dates))]


async def make(
    context: RequestContext, connection: Any, found: Any, missing: Sequence[Occurrence]
) -> list[SorteoAnswer]:
    """Those that were made: of what another request made meanwhile, none."""
    ids = [uuid4() for _ in missing]
    rows = await connection.fetch(
        sql("sorteos/create"),
        context.banca_id,
        found["id"],
        digits_of(found),
        None,
        None,
        True,
        context.principal.user_id,
        context.request_id,
        ids,
        [one.scheduled_at for one in missing],
        [one.name for one in missing],
    )
    new: list[UUID] = list(compress(ids, (row["is_new"] for row in rows)))
    if not new:
        return []
    made = [sorteo_answer(row) for row in await connection.fetch(sql("sorteos/get_several"), context.banca_id, new)]
    await record_created(context, connection, made)
    return made


SCHEDULING = partial(Operation, permission=Permission.SORTEOS_ADMINISTER, tags=("sorteos",))
OPERATIONS = (
    SCHEDULING(
        method="GET",
        path=f"{ONE}/preview_schedule",
        handler=preview_schedule,
        query=PreviewQuery,
        responses={200: Preview},
        problems=(404,),
    ),
    SCHEDULING(
        method="POST",
        path=f"{ONE}/seed_sorteos",
        handler=seed_sorteos,
        body=SeedIn,
        body_optional=True,
        query=SeedQuery,
        responses={200: Seeded},
        problems=(404,),
    ),
)
