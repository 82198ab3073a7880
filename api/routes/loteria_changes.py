"""A lottery's name, rules and multipliers, as its banca changes them."""

from __future__ import annotations

from functools import partial
from uuid import UUID, uuid4

import asyncpg

from api.context import RequestContext
from api.models.loteria_changes import (
    LoteriaChange,
    MultiplierChange,
    NewMultiplier,
    WholeMultiplier,
    WrittenLoteria,
    WrittenMultiplier,
)
from api.operations import Operation
from api.problems import refuse
from api.routes.loterias import ONE, TAGS, loteria, no_loteria
from api.rule_documents import read_rules
from api.rule_refusals import refusal, require_change
from api.rulebook_edits import RulebookEdit, Target, edit_rulebook
from core.activity_events import Action
from core.domain.permissions import Permission
from core.queries import sql


async def change_loteria(context: RequestContext, body: LoteriaChange) -> WrittenLoteria:
    """Change a lottery; its rules are replaced as a whole. Draws keep the digits that they were made with."""
    require_change(body)
    changes = body.model_dump(exclude_unset=True)
    if "rules_json" in changes:
        changes["rules_json"], violations = read_rules(body.rules_json)
        if violations:
            raise refusal(violations, prefix="rulesJson")
    async with edit_rulebook(context) as edit:
        await edit.lock()
        before = await loteria(context, edit.connection)
        name, is_active = (changes.get(key, getattr(before, key)) for key in ("name", "is_active"))
        rules = changes.get("rules_json")
        await edit.connection.execute(sql("loterias/update"), edit.banca_id, before.id, name, is_active, rules)
        after = await loteria(context, edit.connection)
        answer = WrittenLoteria(**dict(after), rulebook_version=await edit.version())
        await edit.record(Action.LOTERIA_UPDATE, Target.LOTERIA, answer.id, before=before, after=answer)
        return answer


async def create_multiplier(context: RequestContext, body: NewMultiplier) -> WrittenMultiplier:
    """Add a multiplier to a lottery."""
    async with edit_rulebook(context) as edit:
        await edit.lock()
        multiplier_id = await edit.connection.fetchval(
            sql("multipliers/create"),
            edit.banca_id,
            uuid4(),
            context.path_id("loteriaId"),
            body.name,
            body.kind,
            body.value_x,
            body.applies_to_date,
        )
        if multiplier_id is None:
            raise no_loteria()
        return await told(edit, Action.MULTIPLIER_CREATE, multiplier_id, before=None)


async def change_multiplier(context: RequestContext, body: MultiplierChange) -> WrittenMultiplier:
    """Change a multiplier. Tickets already sold keep theirs."""
    require_change(body)
    async with edit_rulebook(context) as edit:
        await edit.lock()
        before = await multiplier(edit, context.path_id("multiplierId"))
        changes = body.model_dump(exclude_unset=True)
        name, value_x, is_active, day = (
            changes.get(key, getattr(before, key)) for key in ("name", "value_x", "is_active", "applies_to_date")
        )
        await edit.connection.execute(
            sql("multipliers/update"), edit.banca_id, before.id, name, value_x, is_active, day
        )
        return await told(edit, Action.MULTIPLIER_UPDATE, before.id, before=before)


async def multiplier(edit: RulebookEdit, multiplier_id: UUID) -> WholeMultiplier:
    row: asyncpg.Record | None = await edit.connection.fetchrow(sql("multipliers/get"), edit.banca_id, multiplier_id)
    if row is None:
        raise refuse(404, "MULTIPLIER_NOT_FOUND", "There is no such multiplier.")
    return WholeMultiplier(**dict(row))


async def told(
    edit: RulebookEdit, action: Action, multiplier_id: UUID, *, before: WholeMultiplier | None
) -> WrittenMultiplier:
    """The multiplier as it is now, after the trail was told."""
    after = await multiplier(edit, multiplier_id)
    answer = WrittenMultiplier(**dict(after), rulebook_version=await edit.version())
    await edit.record(action, Target.MULTIPLIER, multiplier_id, before=before, after=answer)
    return answer


WRITING = partial(Operation, permission=Permission.LOTERIAS_ADMINISTER, tags=TAGS, problems=(409,))
OPERATIONS = (
    WRITING(method="PATCH", path=ONE, handler=change_loteria, body=LoteriaChange, responses={200: WrittenLoteria}),
    WRITING(
        method="POST",
        path=f"{ONE}/multipliers",
        handler=create_multiplier,
        body=NewMultiplier,
        responses={201: WrittenMultiplier},
    ),
    WRITING(
        method="PATCH",
        path="/api/v1/multipliers/{multiplierId}",
        handler=change_multiplier,
        body=MultiplierChange,
        responses={200: WrittenMultiplier},
    ),
)
