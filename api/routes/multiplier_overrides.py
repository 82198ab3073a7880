"""Base multipliers of single sellers and ventanas, in place of the lottery's (§2.8)."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from api.conditional import IfMatch
from api.context import RequestContext
from api.keys import DATABASE
from api.models.multiplier_overrides import (
    OverrideAnswer,
    OverrideChange,
    OverrideIn,
    OverrideQuery,
    OverrideScope,
    WrittenOverride,
)
from api.operations import Operation
from api.pages import Page, cursor_instant, page_of
from api.problems import refuse
from api.routes.loterias import no_loteria
from api.rule_access import acting_user, places_seen, require_author, require_bounds
from api.rule_refusals import require_multiplier
from api.rulebook_edits import RulebookEdit, Target, edit_rulebook
from core.activity_events import Action
from core.domain.impersonation import owns_seller
from core.domain.permissions import Permission, Scope
from core.domain.rulebook import Rulebook
from core.domain.ventana_bounds import VentanaBounds, judge_override
from core.domain.violations import Violation
from core.queries import sql


async def list_overrides(context: RequestContext, query: OverrideQuery) -> Page[OverrideAnswer]:
    """Overrides, the newest first: a ventana's own and its sellers'; a seller's own and its ventana's."""
    async with context.readings.tenant(context.banca_id) as connection:
        rows = await connection.fetch(
            sql("overrides/list"),
            context.banca_id,
            *places_seen(context),
            query.scope_id,
            query.loteria_id,
            query.is_active,
            *query.after(cursor_instant, UUID),
            query.page_size + 1,
            query.offset,
        )
    shown, meta = page_of(query, rows, keys=("created_at", "id"))
    return Page[OverrideAnswer](data=[OverrideAnswer(**dict(row)) for row in shown], meta=meta)


async def get_override(context: RequestContext) -> OverrideAnswer:
    """One override."""
    async with context.app[DATABASE].tenant(context.banca_id) as connection:
        return OverrideAnswer(**dict(await seen(context, connection, context.path_id("overrideId"))))


async def create_override(context: RequestContext, body: OverrideIn) -> WrittenOverride:
    """Give a seller, or all sellers of a ventana, a base multiplier of their own in one lottery."""
    require_multiplier(context, body.base_multiplier_x, field="baseMultiplierX")
    async with edit_rulebook(context) as edit:
        rulebook = await edit.rulebook()
        require_own(context, body, rulebook=rulebook)
        await require_override(context, edit, rulebook, body.loteria_id, body.base_multiplier_x)
        override_id, is_seller = uuid4(), body.scope is OverrideScope.USER
        await edit.connection.execute(
            sql("overrides/create"),
            edit.banca_id,
            override_id,
            body.scope_id if is_seller else None,
            None if is_seller else body.scope_id,
            body.loteria_id,
            body.base_multiplier_x,
            *edit.author,
        )
        answer = await answered(context, edit, override_id)
        action = Action.MULTIPLIER_OVERRIDE_CREATE
        await edit.record(action, Target.MULTIPLIER_OVERRIDE, override_id, before=None, after=answer)
        return answer


async def change_override(context: RequestContext, body: OverrideChange) -> WrittenOverride:
    """Change the multiplier; whose it is and of which lottery stays."""
    require_multiplier(context, body.base_multiplier_x, field="baseMultiplierX")
    return await rewrite(context, Action.MULTIPLIER_OVERRIDE_UPDATE, x_hundredths=body.base_multiplier_x)


async def deactivate_override(context: RequestContext) -> WrittenOverride:
    """Switch an override off; it stays, and can be restored."""
    return await rewrite(context, Action.MULTIPLIER_OVERRIDE_DELETE, is_active=False)


async def restore_override(context: RequestContext) -> WrittenOverride:
    """Switch an override on again."""
    return await rewrite(context, Action.MULTIPLIER_OVERRIDE_RESTORE, is_active=True)


async def rewrite(
    context: RequestContext, action: Action, *, x_hundredths: int | None = None, is_active: bool | None = None
) -> WrittenOverride:
    """None: as it was."""
    async with edit_rulebook(context) as edit:
        await edit.lock()
        row = await seen(context, edit.connection, context.path_id("overrideId"))
        # What a ventana sees of overrides is for itself or its sellers.
        require_author(context, row)
        before = OverrideAnswer(**dict(row))
        context.require_match(before)
        # What a ventana wrote it may always switch off.
        if context.scope is Scope.VENTANA and is_active is not False:
            x = row["base_multiplier_x"] if x_hundredths is None else x_hundredths
            await require_override(context, edit, await edit.rulebook(), row["loteria_id"], x)
        await edit.connection.execute(
            sql("overrides/update"), edit.banca_id, row["id"], x_hundredths, is_active, *edit.author
        )
        answer = await answered(context, edit, row["id"])
        await edit.record(action, Target.MULTIPLIER_OVERRIDE, answer.id, before=before, after=answer)
        return answer


def require_own(context: RequestContext, body: OverrideIn, *, rulebook: Rulebook) -> None:
    """A ventana gives to itself and to its sellers; others do not exist for it. Raises ProblemError."""
    acting = acting_user(context)
    if body.scope is OverrideScope.USER:
        seller = rulebook.sellers.get(body.scope_id)
        if seller is None or not owns_seller(acting, seller, banca_id=context.banca_id):
            raise refuse(404, "SELLER_NOT_FOUND", "There is no such seller.")
    elif body.scope_id not in rulebook.ventanas or places_seen(context).ventana_id not in (None, body.scope_id):
        raise refuse(404, "VENTANA_NOT_FOUND", "There is no such ventana.")
    if body.loteria_id not in rulebook.loterias:
        raise no_loteria()


async def require_override(
    context: RequestContext, edit: RulebookEdit, rulebook: Rulebook, loteria_id: UUID, x_hundredths: int
) -> None:
    """A ventana's odds are bounded by its banca. Raises ProblemError."""

    def judge(bounds: VentanaBounds) -> list[Violation]:
        loteria = rulebook.loterias[loteria_id]
        return judge_override(bounds, x_hundredths=x_hundredths, loteria=loteria, rulebook=rulebook)

    await require_bounds(context, edit.connection, judge)


async def seen(context: RequestContext, connection: Any, override_id: UUID) -> asyncpg.Record:
    """Raises ProblemError OVERRIDE_NOT_FOUND, also when it is not for the user to see."""
    row: asyncpg.Record | None = await connection.fetchrow(
        sql("overrides/get"), context.banca_id, *places_seen(context), override_id
    )
    if row is None:
        raise refuse(404, "OVERRIDE_NOT_FOUND", "There is no such override.")
    return row


async def answered(context: RequestContext, edit: RulebookEdit, override_id: UUID) -> WrittenOverride:
    row = await seen(context, edit.connection, override_id)
    return WrittenOverride(**dict(row), rulebook_version=await edit.version())


ALL = "/api/v1/multiplier-overrides"
ONE = f"{ALL}/{{overrideId}}"
READING = partial(Operation, method="GET", permission=Permission.OVERRIDES_READ, tags=("multiplier-overrides",))
WRITING = partial(
    Operation,
    permission=Permission.OVERRIDES_ADMINISTER,
    tags=("multiplier-overrides",),
    tagged=True,
)
CHANGING = partial(WRITING, path=ONE, responses={200: WrittenOverride})
OPERATIONS = (
    READING(path=ALL, handler=list_overrides, query=OverrideQuery, responses={200: Page[OverrideAnswer]}, may_lag=True),
    READING(path=ONE, handler=get_override, responses={200: OverrideAnswer, 304: None}, tagged=True),
    WRITING(
        method="POST",
        path=ALL,
        handler=create_override,
        body=OverrideIn,
        responses={201: WrittenOverride},
    ),
    CHANGING(method="PUT", handler=change_override, body=OverrideChange, if_match=IfMatch.REQUIRED),
    CHANGING(method="DELETE", handler=deactivate_override, if_match=IfMatch.OPTIONAL),
    WRITING(
        method="POST",
        path=f"{ONE}/restore",
        handler=restore_override,
        if_match=IfMatch.OPTIONAL,
        responses={200: WrittenOverride},
    ),
)
