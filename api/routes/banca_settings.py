"""What a banca sets for all its sales, and for those of one lottery."""

from __future__ import annotations

from functools import partial
from typing import Any

import asyncpg

from api.conditional import IfMatch
from api.context import RequestContext
from api.keys import DATABASE, RULEBOOKS
from api.models.banca_settings import (
    BancaSettings,
    BancaSettingsChange,
    LoteriaSettingAnswer,
    LoteriaSettingIn,
    VentanaExcess,
    VentanaExcesses,
    WrittenBancaSettings,
    WrittenLoteriaSetting,
)
from api.operations import Operation
from api.problems import refuse
from api.routes.loterias import no_loteria
from api.rule_access import require_own_banca, ventana_bounds
from api.rule_refusals import require_change, require_multiplier
from api.rulebook_edits import Target, edit_rulebook
from core.activity_events import Action
from core.domain.permissions import Permission
from core.domain.ventana_bounds import excesses
from core.queries import sql


async def get_banca_settings(context: RequestContext) -> BancaSettings:
    """A banca's settings of its sales."""
    require_own_banca(context)
    async with context.app[DATABASE].tenant(context.banca_id) as connection:
        return BancaSettings(**dict(await banca_row(context, connection)))


async def change_banca_settings(context: RequestContext, body: BancaSettingsChange) -> WrittenBancaSettings:
    """Change settings of the banca. A cutoff rule for the banca goes before its salesCutoffMinutes.

    What ventanas wrote before a bound was lowered stays in force: GET …/ventana-excesses lists it.
    """
    require_own_banca(context)
    require_change(body)
    async with edit_rulebook(context) as edit:
        await edit.lock()
        row = await banca_row(context, edit.connection)
        before = BancaSettings(**dict(row))
        context.require_match(before)
        after = {**dict(row), **body.model_dump(exclude_unset=True)}
        await edit.connection.execute(
            sql("settings/set_banca"),
            edit.banca_id,
            after["default_min_bet"],
            after["global_max_per_number"],
            after["sales_cutoff_minutes"],
            after["max_payout_per_number"],
            after["ventana_max_multiplier_x"],
            after["ventana_max_commission_percent"],
            after["ventana_writes"],
        )
        answer = WrittenBancaSettings(**after, rulebook_version=await edit.version())
        await edit.record(Action.BANCA_UPDATE, Target.BANCA, edit.banca_id, before=before, after=answer)
        return answer


async def list_ventana_excesses(context: RequestContext) -> VentanaExcesses:
    """Rules in force beyond what the banca lets its ventanas write: overrides of ventanas, and policies of sellers."""
    require_own_banca(context)
    async with context.app[DATABASE].tenant(context.banca_id, is_snapshot=True) as connection:
        document = await connection.fetchval(sql("rulebook/load"), context.banca_id)
        bounds = await ventana_bounds(context, connection)
        rows = await connection.fetch(sql("overrides/of_ventanas"), context.banca_id)
    rulebook = await context.app[RULEBOOKS].read(context.banca_id, document)
    found = excesses(bounds, rulebook=rulebook, of_ventanas=[(row["id"], row["loteria_id"]) for row in rows])
    return VentanaExcesses(data=[VentanaExcess(**one._asdict()) for one in found], rulebook_version=rulebook.version)


async def get_loteria_setting(context: RequestContext) -> LoteriaSettingAnswer:
    """What the banca sets for one lottery."""
    async with context.app[DATABASE].tenant(context.banca_id) as connection:
        return LoteriaSettingAnswer(**dict(await loteria_row(context, connection)))


async def set_loteria_setting(context: RequestContext, body: LoteriaSettingIn) -> WrittenLoteriaSetting:
    """Set the base multiplier of a lottery and what may be sold of one of its draws, all numbers together."""
    require_multiplier(context, body.base_multiplier_x, field="baseMultiplierX")
    async with edit_rulebook(context) as edit:
        await edit.lock()
        row = await loteria_row(context, edit.connection)
        before = LoteriaSettingAnswer(**dict(row))
        context.require_match(before)
        await edit.connection.execute(
            sql("settings/set_loteria"),
            edit.banca_id,
            row["loteria_id"],
            body.base_multiplier_x,
            body.max_total_per_sorteo,
        )
        after = await loteria_row(context, edit.connection)
        answer = WrittenLoteriaSetting(**dict(after), rulebook_version=await edit.version())
        action = Action.LOTERIA_SETTING_UPDATE
        await edit.record(action, Target.LOTERIA, answer.loteria_id, before=before, after=answer)
        return answer


async def banca_row(context: RequestContext, connection: Any) -> asyncpg.Record:
    row: asyncpg.Record | None = await connection.fetchrow(sql("settings/banca"), context.banca_id)
    if row is None:
        raise refuse(404, "BANCA_NOT_FOUND", "There is no such banca.")
    return row


async def loteria_row(context: RequestContext, connection: Any) -> asyncpg.Record:
    row: asyncpg.Record | None = await connection.fetchrow(
        sql("settings/loteria"), context.banca_id, context.path_id("loteriaId")
    )
    if row is None:
        raise no_loteria()
    return row


BANCA = partial(
    Operation,
    path="/api/v1/bancas/{bancaId}/settings",
    permission=Permission.BANCAS_ADMINISTER,
    tags=("bancas",),
    tagged=True,
)
EXCESSES = "/api/v1/bancas/{bancaId}/ventana-excesses"
LOTERIA = partial(
    Operation,
    path="/api/v1/loterias/{loteriaId}/banca-settings",
    permission=Permission.LOTERIAS_ADMINISTER,
    tags=("loterias",),
    tagged=True,
)
OPERATIONS = (
    BANCA(method="GET", handler=get_banca_settings, responses={200: BancaSettings, 304: None}),
    BANCA(
        method="PATCH",
        handler=change_banca_settings,
        body=BancaSettingsChange,
        responses={200: WrittenBancaSettings},
        if_match=IfMatch.OPTIONAL,
    ),
    LOTERIA(method="GET", handler=get_loteria_setting, responses={200: LoteriaSettingAnswer, 304: None}),
    LOTERIA(
        method="PUT",
        handler=set_loteria_setting,
        body=LoteriaSettingIn,
        responses={200: WrittenLoteriaSetting},
        if_match=IfMatch.REQUIRED,
    ),
    Operation(
        method="GET",
        path=EXCESSES,
        handler=list_ventana_excesses,
        permission=Permission.BANCAS_ADMINISTER,
        tags=("bancas",),
        responses={200: VentanaExcesses},
    ),
)
