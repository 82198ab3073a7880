"""Restriction rules as they are written, changed, switched off and on: judged under the lock, told in the trail."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from api.conditional import IfMatch
from api.context import RequestContext
from api.models.restrictions import RestrictionIn, WrittenRestriction, WrittenRestrictions
from api.operations import Operation
from api.routes.restrictions import ALL, ONE, TAGS, members, restriction_answer, seen
from api.rule_access import acting_user, require_author, require_bounds
from api.rule_refusals import refusal, require_change
from api.rulebook_edits import ADDED_BY_STORAGE, RulebookEdit, Target, change, edit_rulebook
from core.activity_events import Action
from core.domain.permissions import Permission
from core.domain.restriction_documents import author_violations, read_restriction
from core.domain.rulebook import Restriction, Rulebook
from core.domain.ventana_bounds import judge_kind, kind_of_restriction
from core.domain.violations import Violation
from core.queries import sql
from core.slices import Pace

# Of a list's; then others have their turn.
RULES_PER_SLICE = 100


async def create_restrictions(context: RequestContext, body: dict[str, Any]) -> WrittenRestrictions:
    """Write a rule, or one for each of a list of numbers.

    All of them or none. It holds for every batch of tickets that starts after the answer.
    """
    async with edit_rulebook(context) as edit:
        rules = judged(context, body, rulebook=await edit.rulebook())
        await require_kind(context, edit, rules[0])
        ids, numbers = [uuid4() for _ in rules], [rule.number for rule in rules]
        await edit.connection.execute(
            sql("restrictions/create"), edit.banca_id, ids, numbers, is_active(body), *columns(rules[0]), *edit.author
        )
        rows = await edit.connection.fetch(sql("restrictions/get"), edit.banca_id, None, None, ids)
        pace, written, changes = Pace(RULES_PER_SLICE), {}, []
        for row in rows:
            written[row["id"]] = restriction_answer(row)
            await pace.did(1)
        answer = WrittenRestrictions(data=[written[each] for each in ids], rulebook_version=await edit.version())
        for rule in answer.data:
            changes.append(change(rule.id, None, rule, rulebookVersion=answer.rulebook_version))
            await pace.did(1)
        await edit.record_all(Action.RESTRICTION_CREATE, Target.RESTRICTION, changes)
        return answer


async def change_restriction(context: RequestContext, body: dict[str, Any]) -> WrittenRestriction:
    """Change members of a rule; null takes one away."""
    require_change(body)
    async with edit_rulebook(context) as edit:
        rulebook = await edit.rulebook()
        row = await own(context, edit, rulebook)
        context.require_match(restriction_answer(row))
        return await rewrite(context, edit, rulebook, row, body, action=Action.RESTRICTION_UPDATE)


async def deactivate_restriction(context: RequestContext) -> WrittenRestriction:
    """Switch a rule off; it stays, and can be restored."""
    async with edit_rulebook(context) as edit:
        row = await own(context, edit, await edit.rulebook())
        context.require_match(restriction_answer(row))
        await edit.connection.execute(sql("restrictions/deactivate"), edit.banca_id, row["id"], *edit.author)
        return await told(edit, row, Action.RESTRICTION_DELETE)


async def restore_restriction(context: RequestContext) -> WrittenRestriction:
    """Switch a rule on again, if it still makes sense."""
    async with edit_rulebook(context) as edit:
        rulebook = await edit.rulebook()
        row = await own(context, edit, rulebook)
        context.require_match(restriction_answer(row))
        if row["is_active"]:
            return await answered(edit, row["id"])
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


async def require_kind(context: RequestContext, edit: RulebookEdit, rule: Restriction) -> None:
    """Which rules ventanas may write, their banca says. Raises ProblemError."""
    await require_bounds(context, edit.connection, lambda bounds: judge_kind(bounds, kind_of_restriction(rule)))


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
    document = {**restriction_answer(row).model_dump(mode="json", exclude=ADDED_BY_STORAGE), **changes}
    if document["isAutoDate"] is not True and "autoDateOf" not in changes:
        document["autoDateOf"] = None  # it goes with the number that it explains
    rules = judged(context, document, rulebook=rulebook, replaced_id=row["id"])
    if len(rules) > 1:
        raise refusal([Violation("FIELD_INVALID", "a rule that exists has one number", "number")])
    [rule] = rules
    await require_kind(context, edit, rule)
    await edit.connection.execute(
        sql("restrictions/update"),
        edit.banca_id,
        row["id"],
        rule.number,
        is_active(document),
        *columns(rule),
        *edit.author,
    )
    return await told(edit, row, action)


async def told(edit: RulebookEdit, row: asyncpg.Record, action: Action) -> WrittenRestriction:
    """The rule as it is now, after the trail was told. row: as it was."""
    answer = await answered(edit, row["id"])
    await edit.record(action, Target.RESTRICTION, answer.id, before=restriction_answer(row), after=answer)
    return answer


async def answered(edit: RulebookEdit, rule_id: UUID) -> WrittenRestriction:
    # Whoever may change a rule sees it, also when it is somebody else's from now on.
    [row] = await edit.connection.fetch(sql("restrictions/get"), edit.banca_id, None, None, [rule_id])
    return WrittenRestriction(**members(row), rulebook_version=await edit.version())


def is_active(document: dict[str, Any]) -> bool:
    return document.get("isActive") is not False


def columns(rule: Restriction) -> Iterable[object]:
    """What the rules of all numbers have in common, in the order of create.sql."""
    return (
        *(rule.banca_id is not None, rule.ventana_id, rule.user_id, rule.is_auto_date),
        *(rule.max_amount_cents, rule.max_total_cents, rule.base_amount_cents, rule.sales_basis_points),
        *(rule.applies_to_vendedor, rule.applies_to_date, rule.applies_to_hour, rule.sales_cutoff_minutes),
        *(rule.loteria_id, rule.multiplier_id, rule.message, rule.auto_date_of),
    )


WRITING = partial(Operation, permission=Permission.RESTRICTIONS_ADMINISTER, tags=TAGS)
SWITCHING = partial(WRITING, responses={200: WrittenRestriction}, tagged=True, if_match=IfMatch.OPTIONAL)
JUDGING = partial(WRITING, body=RestrictionIn, raw_body=True)
OPERATIONS = (
    JUDGING(method="POST", path=ALL, handler=create_restrictions, responses={201: WrittenRestrictions}),
    JUDGING(
        method="PATCH",
        path=ONE,
        handler=change_restriction,
        responses={200: WrittenRestriction},
        tagged=True,
        if_match=IfMatch.OPTIONAL,
    ),
    SWITCHING(method="DELETE", path=ONE, handler=deactivate_restriction),
    SWITCHING(
        method="POST",
        path=f"{ONE}/restore",
        handler=restore_restriction,
    ),
)
