"""Who earns how much of a sale: the policies of sellers, ventanas and the banca (§2.13)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import asyncpg

from api.conditional import IfMatch
from api.context import RequestContext
from api.keys import DATABASE
from api.models.commission_policies import CommissionPolicyAnswer, CommissionPolicyIn, WrittenCommissionPolicy
from api.operations import Operation
from api.problems import refuse
from api.rule_access import places_seen, require_bounds, require_own_banca, rule_of_the_banca
from api.rule_documents import policy_of_text, read_policy
from api.rule_refusals import refusal
from api.rulebook_edits import RulebookEdit, Target, edit_rulebook
from core.activity_events import Action
from core.domain.permissions import Permission, Role, Scope
from core.domain.rulebook import Rulebook
from core.domain.ventana_bounds import judge_policy
from core.queries import sql

DOCUMENT = "commissionPolicyJson"
SET: Mapping[Target, str] = {
    Target.BANCA: "commissions/set_banca",
    Target.VENTANA: "commissions/set_ventana",
    Target.USER: "commissions/set_user",
}


async def get_banca_policy(context: RequestContext) -> CommissionPolicyAnswer:
    """The banca's commission policy: the last of the chain."""
    require_own_banca(context)
    return await policy_of(banca, context)


async def set_banca_policy(context: RequestContext, body: CommissionPolicyIn) -> WrittenCommissionPolicy:
    """Replace the banca's commission policy."""
    require_own_banca(context)
    async with edit_rulebook(context) as edit:
        rulebook = await edit.rulebook()
        row = await banca(context, edit.connection)
        return await replace(edit, Target.BANCA, row, read(body, rulebook))


async def get_ventana_policy(context: RequestContext) -> CommissionPolicyAnswer:
    """A ventana's commission policy."""
    return await policy_of(ventana, context)


async def set_ventana_policy(context: RequestContext, body: CommissionPolicyIn) -> WrittenCommissionPolicy:
    """Replace a ventana's commission policy."""
    async with edit_rulebook(context) as edit:
        rulebook = await edit.rulebook()
        row = await ventana(context, edit.connection)
        return await replace(edit, Target.VENTANA, row, read(body, rulebook))


async def get_user_policy(context: RequestContext) -> CommissionPolicyAnswer:
    """The commission policy of a seller or of a ventana's listero; a seller reads its own."""
    return await policy_of(user, context)


async def set_user_policy(context: RequestContext, body: CommissionPolicyIn) -> WrittenCommissionPolicy:
    """Replace the commission policy of a seller or of a ventana's listero.

    A ventana replaces those of its sellers, up to the percent that the banca allows; what it earns itself, the banca
    decides.
    """
    async with edit_rulebook(context) as edit:
        await edit.connection.execute(sql("commissions/lock_user"), edit.banca_id, context.path_id("userId"))
        rulebook = await edit.rulebook()
        row = await user(context, edit.connection)
        if context.scope is Scope.VENTANA and row["role"] != Role.VENDEDOR:
            raise rule_of_the_banca("What a ventana earns, the banca decides.")
        policy = read(body, rulebook)
        await require_bounds(context, edit.connection, lambda bounds: judge_policy(bounds, policy), prefix=DOCUMENT)
        return await replace(edit, Target.USER, row, policy)


async def policy_of(
    earner: Callable[[RequestContext, Any], Awaitable[asyncpg.Record]], context: RequestContext
) -> CommissionPolicyAnswer:
    async with context.app[DATABASE].tenant(context.banca_id) as connection:
        row = await earner(context, connection)
    return CommissionPolicyAnswer(commission_policy_json=policy_of_text(row["policy"]))


async def replace(
    edit: RulebookEdit, target: Target, row: asyncpg.Record, policy: dict[str, Any] | None
) -> WrittenCommissionPolicy:
    """The policy as it is now, after the trail was told. row: whose it is, as it was."""
    before = CommissionPolicyAnswer(commission_policy_json=policy_of_text(row["policy"]))
    edit.context.require_match(before)
    await edit.connection.execute(sql(SET[target]), edit.banca_id, row["id"], policy)
    answer = WrittenCommissionPolicy(commission_policy_json=policy, rulebook_version=await edit.version())
    await edit.record(Action.COMMISSION_POLICY_UPDATE, target, row["id"], before=before, after=answer)
    return answer


def read(body: CommissionPolicyIn, rulebook: Rulebook) -> dict[str, Any] | None:
    """The policy to store. Raises ProblemError with everything that is wrong."""
    if body.commission_policy_json is None:
        return None
    policy, violations = read_policy(body.commission_policy_json, rulebook)
    if violations:
        raise refusal(violations, prefix=DOCUMENT)
    return policy


async def banca(context: RequestContext, connection: Any) -> asyncpg.Record:
    """Raises ProblemError BANCA_NOT_FOUND."""
    row: asyncpg.Record | None = await connection.fetchrow(sql("commissions/banca"), context.banca_id)
    if row is None:
        raise refuse(404, "BANCA_NOT_FOUND", "There is no such banca.")
    return row


async def ventana(context: RequestContext, connection: Any) -> asyncpg.Record:
    """Raises ProblemError VENTANA_NOT_FOUND, also when it is another's than the ventana that asks."""
    ventana_id = context.path_id("ventanaId")
    row: asyncpg.Record | None = await connection.fetchrow(sql("commissions/ventana"), context.banca_id, ventana_id)
    if row is None or places_seen(context).ventana_id not in (None, ventana_id):
        raise refuse(404, "VENTANA_NOT_FOUND", "There is no such ventana.")
    return row


async def user(context: RequestContext, connection: Any) -> asyncpg.Record:
    """Somebody who earns commissions. Raises ProblemError USER_NOT_FOUND, also when the user is not for one to see."""
    user_id = context.path_id("userId")
    row: asyncpg.Record | None = await connection.fetchrow(sql("commissions/user"), context.banca_id, user_id)
    seen = places_seen(context)
    is_own = user_id == context.principal.user_id
    if row is not None and seen.seller_id is None:
        is_own |= seen.ventana_id is None or (seen.ventana_id == row["ventana_id"] and row["role"] == Role.VENDEDOR)
    if row is None or not is_own:
        raise refuse(404, "USER_NOT_FOUND", "There is no such user.")
    return row


OF_BANCA = "/api/v1/bancas/{bancaId}/commission-policy"
OF_VENTANA = "/api/v1/ventanas/{ventanaId}/commission-policy"
OF_USER = "/api/v1/users/{userId}/commission-policy"
TAGS = ("commissions",)
READING = partial(Operation, method="GET", tags=TAGS, responses={200: CommissionPolicyAnswer, 304: None}, tagged=True)
REPLACING = partial(
    Operation,
    method="PUT",
    tags=TAGS,
    body=CommissionPolicyIn,
    responses={200: WrittenCommissionPolicy},
    tagged=True,
    if_match=IfMatch.REQUIRED,
)
OPERATIONS = (
    READING(path=OF_BANCA, handler=get_banca_policy, permission=Permission.BANCAS_ADMINISTER),
    REPLACING(path=OF_BANCA, handler=set_banca_policy, permission=Permission.BANCAS_ADMINISTER),
    READING(path=OF_VENTANA, handler=get_ventana_policy, permission=Permission.COMMISSIONS_ADMINISTER),
    REPLACING(path=OF_VENTANA, handler=set_ventana_policy, permission=Permission.BANCAS_ADMINISTER),
    READING(path=OF_USER, handler=get_user_policy, permission=Permission.COMMISSIONS_READ),
    REPLACING(path=OF_USER, handler=set_user_policy, permission=Permission.COMMISSIONS_ADMINISTER),
)
