"""Draws as their banca makes and changes them."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID, uuid4

from api.conditional import IfMatch
from api.context import RequestContext
from api.draw_readings import sorteo_not_found
from api.keys import DATABASE
from api.models.sorteo_changes import NewSorteo, SorteoChange
from api.models.sorteos import SorteoAnswer
from api.operations import Operation
from api.problems import refuse
from api.routes.loterias import no_loteria
from api.routes.sorteos import TAGS, sorteo_answer
from api.rule_refusals import CONFLICTS, require_change
from api.rulebook_edits import Target, edit_rulebook
from api.validation import validation_failed
from core.activity_documents import changed_members
from core.activity_events import Action, Change, record_activities
from core.domain.loteria_rules import read_loteria_rules
from core.domain.permissions import Permission
from core.domain.schedule import occurrence_name
from core.domain.violations import Violation
from core.queries import sql

# What edit_sorteo (sql/functions/sorteo_changes.sql) refuses.
FIXED = {
    "CLOSED": ("SORTEO_CLOSED", "The draw is closed; it stays what it is."),
    "FIXED": ("SORTEO_HAS_SALES", "The first sale fixed the draw's time, lottery and digits."),
    "NOT_SCHEDULED": ("SORTEO_NOT_SCHEDULED", "The draw is open; its lottery and its opening stay."),
}


async def create_sorteo(context: RequestContext, body: NewSorteo) -> SorteoAnswer:
    """Make a draw, SCHEDULED.

    It counts as the draw of its lottery's slot at that instant. Where that slot's draw was moved away, it stands beside
    it, as what a person asks for.
    """
    require_order(body.opens_at, body.scheduled_at)
    sorteo_id = uuid4()
    async with context.app[DATABASE].tenant(context.banca_id, readonly=False) as connection:
        loteria = await active_loteria(context, connection, body.loteria_id)
        automatic_name = occurrence_name(loteria["name"], body.scheduled_at)
        name = body.name or automatic_name
        is_new = await connection.fetchval(
            sql("sorteos/create"),
            context.banca_id,
            body.loteria_id,
            body.digits or digits_of(loteria),
            body.opens_at,
            body.global_limit,
            body.is_active,
            context.principal.user_id,
            context.request_id,
            [sorteo_id],
            [body.scheduled_at],
            [name],
            True,
            name != automatic_name,
        )
        if not is_new:
            raise refuse(409, *CONFLICTS["sorteos_banca_id_loteria_id_scheduled_at_key"])
        answer = await sorteo(context, connection, sorteo_id)
        await record_created(context, connection, [answer])
        return answer


async def change_sorteo(context: RequestContext, body: SorteoChange) -> SorteoAnswer:
    """Change a draw that is not closed yet. Its lottery and its opening instant only before it opens.

    A name that no person chose follows the draw's time and lottery. The slot that the draw was made for stays.
    """
    require_change(body)
    sorteo_id = context.path_id("sorteoId")
    async with edit_rulebook(context) as edit:
        await edit.connection.execute(sql("sorteo_limits/lock_draw"), edit.banca_id, sorteo_id)
        before = await sorteo(context, edit.connection, sorteo_id)
        context.require_match(before)
        asked = before.model_copy(update=body.model_dump(exclude_unset=True))
        require_order(asked.opens_at, asked.scheduled_at)
        loteria_name = before.loteria_name
        if asked.loteria_id != before.loteria_id:
            loteria_name = (await active_loteria(context, edit.connection, asked.loteria_id))["name"]
        name, is_chosen = name_of_changed(before, asked, loteria_name, is_named="name" in body.model_fields_set)
        facts = (asked.loteria_id, name, asked.digits, asked.scheduled_at, asked.opens_at, is_chosen)
        outcome = await edit.connection.fetchval(sql("sorteos/edit"), edit.banca_id, sorteo_id, *facts)
        if outcome in FIXED:
            raise refuse(409, *FIXED[outcome])
        after = await sorteo(context, edit.connection, sorteo_id)
        if after != before:
            documents = changed_members(before.model_dump(mode="json"), after.model_dump(mode="json"))
            await edit.record_all(Action.SORTEO_UPDATE, Target.SORTEO, [Change(sorteo_id, *documents)])
        return after


def name_of_changed(
    before: SorteoAnswer, asked: SorteoAnswer, loteria_name: str, *, is_named: bool
) -> tuple[str, bool]:
    """The draw's name after a change, and whether a person chose it.

    loteria_name: of the lottery that is asked for. is_named: whether the change names the draw.
    """
    automatic_name = occurrence_name(loteria_name, asked.scheduled_at)
    if is_named:
        return asked.name, asked.name != automatic_name
    is_moved = (asked.scheduled_at, asked.loteria_id) != (before.scheduled_at, before.loteria_id)
    if is_moved and not before.name_is_chosen:
        return automatic_name, False
    return before.name, before.name_is_chosen


async def sorteo(context: RequestContext, connection: Any, sorteo_id: UUID) -> SorteoAnswer:
    row = await connection.fetchrow(sql("sorteos/get"), context.banca_id, sorteo_id)
    if row is None:
        raise sorteo_not_found()
    return sorteo_answer(row)


async def require_sorteo_match(context: RequestContext, connection: Any) -> None:
    """Lock the draw of the path and compare it with If-Match, when the request has one.

    Raises ProblemError: SORTEO_NOT_FOUND, PRECONDITION_FAILED.
    """
    if context.has_condition:
        sorteo_id = context.path_id("sorteoId")
        await connection.execute(sql("sorteo_limits/lock_draw"), context.banca_id, sorteo_id)
        context.require_match(await sorteo(context, connection, sorteo_id))


async def active_loteria(context: RequestContext, connection: Any, loteria_id: UUID) -> Any:
    row = await connection.fetchrow(sql("loterias/get"), context.banca_id, loteria_id)
    if row is None:
        raise no_loteria()
    if not row["is_active"]:
        raise refuse(404, "LOTERIA_INACTIVE", "The lottery is switched off.")
    return row


def digits_of(loteria: Any) -> int:
    return read_loteria_rules(loteria["rules"])[0].digits


def require_order(opens_at: Any, scheduled_at: Any) -> None:
    if opens_at is not None and opens_at >= scheduled_at:
        raise validation_failed([Violation("FIELD_INVALID", "A draw opens before it is drawn.", "opensAt")])


async def record_created(context: RequestContext, connection: Any, made: list[SorteoAnswer]) -> None:
    """made: at least one."""
    await record_activities(
        connection,
        Action.SORTEO_CREATE,
        [Change(one.id, None, one.model_dump(mode="json", exclude_none=True)) for one in made],
        actor_id=context.principal.user_id,
        target_type=Target.SORTEO,
        request_id=context.request_id,
    )


ADMINISTERING = partial(Operation, permission=Permission.SORTEOS_ADMINISTER, tags=TAGS, tagged=True)
OPERATIONS = (
    ADMINISTERING(
        method="POST",
        path="/api/v1/sorteos",
        handler=create_sorteo,
        body=NewSorteo,
        responses={201: SorteoAnswer},
    ),
    ADMINISTERING(
        method="PATCH",
        if_match=IfMatch.OPTIONAL,
        path="/api/v1/sorteos/{sorteoId}",
        handler=change_sorteo,
        body=SorteoChange,
        responses={200: SorteoAnswer},
    ),
)
