"""A lottery's name, rules and multipliers, as its banca changes them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import asyncpg

from api.conditional import IfMatch
from api.context import RequestContext
from api.keys import DATABASE
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
from api.rule_refusals import refusal, require_change, require_multiplier
from api.rulebook_edits import RulebookEdit, Target, edit_rulebook
from core.activity_events import Action
from core.domain.loteria_rules import read_loteria_rules
from core.domain.permissions import Permission
from core.queries import sql

if TYPE_CHECKING:
    from core.database import Connection


async def change_loteria(context: RequestContext, body: LoteriaChange) -> WrittenLoteria:
    """Change a lottery; its rules are replaced as a whole. Draws keep the digits that they were made with."""
    require_change(body)
    changes = body.model_dump(exclude_unset=True)
    if "rules_json" in changes:
        changes["rules_json"], violations = read_rules(body.rules_json)
        if violations:
            raise refusal(violations, prefix="rulesJson")
        base_x = read_loteria_rules(changes["rules_json"])[0].base_multiplier_x
        require_multiplier(context, base_x, field="rulesJson.baseMultiplierX")
    async with edit_rulebook(context) as edit:
        await edit.lock()
        before = await loteria(context, edit.connection)
        context.require_match(before)
        name, is_active = (changes.get(key, getattr(before, key)) for key in ("name", "is_active"))
        rules = changes.get("rules_json")
        await edit.connection.execute(sql("loterias/update"), edit.banca_id, before.id, name, is_active, rules)
        after = await loteria(context, edit.connection)
        answer = WrittenLoteria(**dict(after), rulebook_version=await edit.version())
        await edit.record(Action.LOTERIA_UPDATE, Target.LOTERIA, answer.id, before=before, after=answer)
        return answer


async def create_multiplier(context: RequestContext, body: NewMultiplier) -> WrittenMultiplier:
    """Add a multiplier to a lottery."""
    require_multiplier(context, body.value_x, field="valueX")
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
    require_multiplier(context, body.model_dump(exclude_unset=True).get("value_x"), field="valueX")
    async with edit_rulebook(context) as edit:
        await edit.lock()
        before = await multiplier(context, edit.connection)
        context.require_match(before)
        changes = body.model_dump(exclude_unset=True)
        name, value_x, is_active, day = (
            changes.get(key, getattr(before, key)) for key in ("name", "value_x", "is_active", "applies_to_date")
        )
        await edit.connection.execute(
            sql("multipliers/update"), edit.banca_id, before.id, name, value_x, is_active, day
        )
        return await told(edit, Action.MULTIPLIER_UPDATE, before.id, before=before)


async def get_multiplier(context: RequestContext) -> WholeMultiplier:
    """One multiplier, also one that is switched off."""
    async with context.app[DATABASE].tenant(context.banca_id) as connection:
        return await multiplier(context, connection)


async def multiplier(
    context: RequestContext, connection: Connection, multiplier_id: UUID | None = None
) -> WholeMultiplier:
    """multiplier_id: the path's unless given. Raises ProblemError MULTIPLIER_NOT_FOUND."""
    wanted_id = multiplier_id or context.path_id("multiplierId")
    row: asyncpg.Record | None = await connection.fetchrow(sql("multipliers/get"), context.banca_id, wanted_id)
    if row is None:
        raise refuse(404, "MULTIPLIER_NOT_FOUND", "There is no such multiplier.")
    return WholeMultiplier(**dict(row))


async def told(
    edit: RulebookEdit, action: Action, multiplier_id: UUID, *, before: WholeMultiplier | None
) -> WrittenMultiplier:
    """The multiplier as it is now, after the trail was told."""
    after = await multiplier(edit.context, edit.connection, multiplier_id)
    answer = WrittenMultiplier(**dict(after), rulebook_version=await edit.version())
    await edit.record(action, Target.MULTIPLIER, multiplier_id, before=before, after=answer)
    return answer


MULTIPLIER = "/api/v1/multipliers/{multiplierId}"
WRITING = partial(Operation, permission=Permission.LOTERIAS_ADMINISTER, tags=TAGS, tagged=True)
CHANGING = partial(WRITING, method="PATCH", if_match=IfMatch.OPTIONAL)
OPERATIONS = (
    CHANGING(
        path=ONE,
        handler=change_loteria,
        body=LoteriaChange,
        responses={200: WrittenLoteria},
        whole_fields=frozenset(("rules_json",)),
    ),
    WRITING(
        method="POST",
        path=f"{ONE}/multipliers",
        handler=create_multiplier,
        body=NewMultiplier,
        responses={201: WrittenMultiplier},
    ),
    Operation(
        method="GET",
        path=MULTIPLIER,
        handler=get_multiplier,
        permission=Permission.LOTERIAS_READ,
        tags=TAGS,
        responses={200: WholeMultiplier, 304: None},
        tagged=True,
    ),
    CHANGING(
        path=MULTIPLIER,
        handler=change_multiplier,
        body=MultiplierChange,
        responses={200: WrittenMultiplier},
    ),
)
