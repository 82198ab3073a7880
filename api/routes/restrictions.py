"""Restriction rules: what may be sold of a number, until when, at which multiplier (§2.11)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from api.context import RequestContext
from api.keys import DATABASE
from api.models.restrictions import (
    RestrictionAnswer,
    RestrictionIn,
    RestrictionQuery,
    WrittenRestriction,
    WrittenRestrictions,
)
from api.operations import Operation
from api.pages import Page, cursor_instant, page_of
from api.problems import refuse
from api.rule_access import acting_user, places_seen, require_author
from api.rule_refusals import refusal, require_change
from api.rulebook_edits import RulebookEdit, Target, change, edit_rulebook
from core.activity_events import Action
from core.domain.permissions import Permission
from core.domain.restriction_documents import author_violations, read_restriction
from core.domain.rulebook import Restriction, Rulebook
from core.domain.violations import Violation
from core.queries import sql

# What storage adds to what was written.
_NOT_WRITTEN = {"id", "created_at", "created_by", "created_by_role", "updated_at", "updated_by", "updated_by_role"}


async def list_restrictions(context: RequestContext, query: RestrictionQuery) -> Page[RestrictionAnswer]:
    """Restriction rules, the newest first.

    A ventana sees its own, its sellers' and the banca's; a seller its own, its ventana's and the banca's.
    """
    async with context.app[DATABASE].tenant(context.banca_id) as connection:
        rows = await connection.fetch(
            sql("restrictions/list"),
            context.banca_id,
            *places_seen(context),
            query.ventana_id,
            query.user_id,
            None if query.number is None else int(query.number),
            query.is_active,
            query.loteria_id,
            query.multiplier_id,
            query.kind,
            *query.after(cursor_instant, UUID),
            query.page_size + 1,
            query.offset,
        )
    shown, meta = page_of(query, rows, keys=("created_at", "id"))
    return Page[RestrictionAnswer](data=[RestrictionAnswer(**members(row)) for row in shown], meta=meta)


async def get_restriction(context: RequestContext) -> RestrictionAnswer:
    """One restriction rule."""
    async with context.app[DATABASE].tenant(context.banca_id) as connection:
        return RestrictionAnswer(**members(await seen(context, connection)))


async def create_restrictions(context: RequestContext, body: dict[str, Any]) -> WrittenRestrictions:
    """Write a rule, or one for each of a list of numbers.

    All of them or none. It holds for every batch of tickets that starts after the answer.
    """
    async with edit_rulebook(context) as edit:
        rules = judged(context, body, rulebook=await edit.rulebook())
        ids, numbers = [uuid4() for _ in rules], [rule.number for rule in rules]
        await edit.connection.execute(
            sql("restrictions/create"), edit.banca_id, ids, numbers, is_active(body), *columns(rules[0]), *edit.author
        )
        rows = await edit.connection.fetch(sql("restrictions/get"), edit.banca_id, None, None, ids)
        written = {row["id"]: RestrictionAnswer(**members(row)) for row in rows}
        answer = WrittenRestrictions(data=[written[each] for each in ids], rulebook_version=await edit.version())
        changes = [change(rule.id, None, rule, rulebookVersion=answer.rulebook_version) for rule in answer.data]
        await edit.record_all(Action.RESTRICTION_CREATE, Target.RESTRICTION, changes)
        return answer


async def change_restriction(context: RequestContext, body: dict[str, Any]) -> WrittenRestriction:
    """Change members of a rule; null takes one away."""
    require_change(body)
    async with edit_rulebook(context) as edit:
        rulebook = await edit.rulebook()
        row = await own(context, edit, rulebook)
        return await rewrite(context, edit, rulebook, row, body, action=Action.RESTRICTION_UPDATE)


async def deactivate_restriction(context: RequestContext) -> WrittenRestriction:
    """Switch a rule off; it stays, and can be restored."""
    async with edit_rulebook(context) as edit:
        row = await own(context, edit, await edit.rulebook())
        if not row["is_active"]:
            return await answered(context, edit)
        await edit.connection.execute(sql("restrictions/deactivate"), edit.banca_id, row["id"], *edit.author)
        return await told(context, edit, row, Action.RESTRICTION_DELETE)


async def restore_restriction(context: RequestContext) -> WrittenRestriction:
    """Switch a rule on again, if it still makes sense."""
    async with edit_rulebook(context) as edit:
        rulebook = await edit.rulebook()
        row = await own(context, edit, rulebook)
        if row["is_active"]:
            return await answered(context, edit)
        return await rewrite(context, edit, rulebook, row, {"isActive": True}, action=Action.RESTRICTION_RESTORE)


def judged(
    context: RequestContext, document: object, *, rulebook: Rulebook, replaced_id: UUID | None = None
) -> tuple[Restriction, ...]:
    """Raises ProblemError with everything that is wrong."""
    rules, violations = read_restriction(
        document,
        rulebook=rulebook,
        acting=acting_user(context),
        replaced_id=None if replaced_id is None else str(replaced_id),
    )
    if violations:
        raise refusal(violations)
    return rules


async def seen(context: RequestContext, connection: Any) -> asyncpg.Record:
    """The rule of the path. Raises ProblemError RESTRICTION_NOT_FOUND, also when it is not for the user to see."""
    rule_id = context.path_id("restrictionId")
    row: asyncpg.Record | None = await connection.fetchrow(
        sql("restrictions/get"), context.banca_id, *places_seen(context), [rule_id]
    )
    if row is None:
        raise refuse(404, "RESTRICTION_NOT_FOUND", "There is no such restriction rule.")
    return row


async def own(context: RequestContext, edit: RulebookEdit, rulebook: Rulebook) -> asyncpg.Record:
    """The rule of the path, which the user may change. Raises ProblemError."""
    row = await seen(context, edit.connection)
    rule = Restriction(
        id=str(row["id"]),
        banca_id=row["banca_id"],
        ventana_id=row["ventana_id"],
        user_id=row["user_id"],
        sales_cutoff_minutes=row["sales_cutoff_minutes"],
    )
    if violations := author_violations(rule, rulebook=rulebook, acting=acting_user(context)):
        raise refusal(violations)
    require_author(context, row)
    return row


async def rewrite(
    context: RequestContext,
    edit: RulebookEdit,
    rulebook: Rulebook,
    row: asyncpg.Record,
    changes: dict[str, Any],
    *,
    action: Action,
) -> WrittenRestriction:
    """The rule with its changes, judged as if it were new."""
    document = {**RestrictionAnswer(**members(row)).model_dump(mode="json", exclude=_NOT_WRITTEN), **changes}
    rules = judged(context, document, rulebook=rulebook, replaced_id=row["id"])
    if len(rules) > 1:
        raise refusal([Violation("FIELD_INVALID", "a rule that exists has one number", "number")])
    [rule] = rules
    await edit.connection.execute(
        sql("restrictions/update"),
        edit.banca_id,
        row["id"],
        rule.number,
        is_active(document),
        *columns(rule),
        *edit.author,
    )
    return await told(context, edit, row, action)


async def told(context: RequestContext, edit: RulebookEdit, row: asyncpg.Record, action: Action) -> WrittenRestriction:
    """The rule as it is now, after the trail was told. row: as it was."""
    answer = await answered(context, edit)
    before = RestrictionAnswer(**members(row))
    await edit.record(action, Target.RESTRICTION, answer.id, before=before, after=answer)
    return answer


async def answered(context: RequestContext, edit: RulebookEdit) -> WrittenRestriction:
    # Whoever may change a rule sees it, also when it is somebody else's from now on.
    [row] = await edit.connection.fetch(
        sql("restrictions/get"), edit.banca_id, None, None, [context.path_id("restrictionId")]
    )
    return WrittenRestriction(**members(row), rulebook_version=await edit.version())


def members(row: asyncpg.Record) -> dict[str, Any]:
    number = row["number"]
    return {**dict(row), "number": None if number is None else f"{number:02d}"}


def is_active(document: dict[str, Any]) -> bool:
    return document.get("isActive") is not False


def columns(rule: Restriction) -> Iterable[object]:
    """What the rules of all numbers have in common, in the order of create.sql."""
    return (
        *(rule.banca_id is not None, rule.ventana_id, rule.user_id, rule.is_auto_date),
        *(rule.max_amount_cents, rule.max_total_cents, rule.base_amount_cents, rule.sales_basis_points),
        *(rule.applies_to_vendedor, rule.applies_to_date, rule.applies_to_hour, rule.sales_cutoff_minutes),
        *(rule.loteria_id, rule.multiplier_id, rule.message),
    )


TAGS = ("restrictions",)
ONE = "/api/v1/restrictions/{restrictionId}"
OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/restrictions",
        handler=list_restrictions,
        permission=Permission.RESTRICTIONS_READ,
        tags=TAGS,
        query=RestrictionQuery,
        responses={200: Page[RestrictionAnswer]},
    ),
    Operation(
        method="GET",
        path=ONE,
        handler=get_restriction,
        permission=Permission.RESTRICTIONS_READ,
        tags=TAGS,
        responses={200: RestrictionAnswer},
    ),
    Operation(
        method="POST",
        path="/api/v1/restrictions",
        handler=create_restrictions,
        permission=Permission.RESTRICTIONS_ADMINISTER,
        tags=TAGS,
        body=RestrictionIn,
        raw_body=True,
        responses={201: WrittenRestrictions},
        problems=(409,),
    ),
    Operation(
        method="PATCH",
        path=ONE,
        handler=change_restriction,
        permission=Permission.RESTRICTIONS_ADMINISTER,
        tags=TAGS,
        body=RestrictionIn,
        raw_body=True,
        responses={200: WrittenRestriction},
        problems=(409,),
    ),
    Operation(
        method="DELETE",
        path=ONE,
        handler=deactivate_restriction,
        permission=Permission.RESTRICTIONS_ADMINISTER,
        tags=TAGS,
        responses={200: WrittenRestriction},
    ),
    Operation(
        method="POST",
        path=f"{ONE}/restore",
        handler=restore_restriction,
        permission=Permission.RESTRICTIONS_ADMINISTER,
        tags=TAGS,
        responses={200: WrittenRestriction},
        problems=(409,),
    ),
)
