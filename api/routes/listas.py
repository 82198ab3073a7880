"""Lists of a draw: what each ventana and seller sold of it, and those that were excluded from it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import groupby
from uuid import UUID

import asyncpg

from api.context import RequestContext
from api.models.listas import (
    ExclusionAnswer,
    ExclusionQuery,
    Lista,
    ListaLine,
    ListasAnswer,
    ListasMeta,
    ListasMode,
    ListasQuery,
    ListasSorteo,
)
from api.operations import Operation
from api.pages import Page, cursor_instant, page_of
from api.problems import refuse
from api.routes.limits import turn_to_sum
from api.routes.results import whose
from core.domain.permissions import Permission, Scope
from core.queries import sql

# Of a row of listas/of_sorteo: a ventana, a seller of it, a seller's jugadas of one kind.
VENTANA_LEVEL, KIND_LEVEL = 3, 0
# In the place of a multiplier's name (§3.7).
ALL_EXCLUDED = "Todos (Excluido)"


async def read_listas(context: RequestContext, query: ListasQuery) -> ListasAnswer:
    """What each ventana and its sellers sold of a draw, and what of it is excluded.

    A ventana sees its own list, a seller what it sold itself.
    """
    vendedor_id, _ = whose(context, query.vendedor_id, None)
    async with turn_to_sum(context), context.readings.tenant(context.banca_id) as connection:
        sorteo = await connection.fetchrow(sql("listas/sorteo"), context.banca_id, context.path_id("sorteoId"))
        if sorteo is None:
            raise refuse(404, "SORTEO_NOT_FOUND", "There is no such sorteo.")
        rows = await connection.fetch(
            sql("listas/of_sorteo"),
            context.banca_id,
            sorteo["id"],
            ventana_seen(context),
            vendedor_id,
            query.multiplier_id,
            query.include_excluded,
        )
    listas = [lista_of(list(group), mode=query.mode) for _, group in groupby(rows, key=lambda row: row["ventana_id"])]
    meta = ListasMeta(
        total_sales=sum(lista.total_sales for lista in listas),
        total_tickets=sum(lista.total_tickets for lista in listas),
        total_commission=sum(lista.total_commission for lista in listas),
        total_excluded=sum(lista.total_excluded for lista in listas),
    )
    return ListasAnswer(sorteo=ListasSorteo(**dict(sorteo)), listeros=listas, meta=meta)


def lista_of(rows: list[asyncpg.Record], *, mode: ListasMode) -> Lista:
    """rows: of one ventana, its own first."""
    [whole] = [row for row in rows if row["level"] == VENTANA_LEVEL]
    lines = [line_of(row) for row in rows if row["level"] == KIND_LEVEL] if mode is ListasMode.FULL else []
    return Lista(
        ventana_id=whole["ventana_id"],
        name=whole["ventana_name"],
        code=whole["ventana_code"],
        is_excluded=whole["is_excluded"],
        vendedores=lines,
        **sums_of(whole),
    )


def line_of(row: asyncpg.Record) -> ListaLine:
    is_excluded = row["exclusion_id"] is not None
    is_whole = is_excluded and row["excluded_multiplier_id"] is None
    return ListaLine(
        vendedor_id=row["vendedor_id"],
        name=row["vendedor_name"],
        code=row["vendedor_code"],
        multiplier_id=row["multiplier_id"],
        multiplier_name=ALL_EXCLUDED if is_whole else row["multiplier_name"],
        multiplier_x=row["multiplier_x"],
        is_excluded=is_excluded,
        exclusion_scope=("ventana" if row["is_of_ventana"] else "vendedor") if is_excluded else None,
        exclusion_id=row["exclusion_id"],
        exclusion_multiplier_id=row["excluded_multiplier_id"],
        exclusion_reason=row["reason"],
        excluded_at=row["excluded_at"],
        **sums_of(row),
    )


def sums_of(row: asyncpg.Record) -> dict[str, int]:
    numero, reventado = row["numero_commission_cents"], row["reventado_commission_cents"]
    return {
        "total_sales": row["total_cents"],
        "total_excluded": row["excluded_cents"],
        "total_tickets": row["tickets"],
        "total_jugadas": row["jugadas"],
        "total_commission": numero + reventado,
        "commission_by_number": numero,
        "commission_by_reventado": reventado,
        "total_listero_commission": row["listero_commission_cents"],
    }


async def list_exclusions(context: RequestContext, query: ExclusionQuery) -> Page[ExclusionAnswer]:
    """Lists that are excluded, the newest first; a ventana sees its own."""
    async with context.readings.tenant(context.banca_id) as connection:
        rows = await connection.fetch(
            sql("listas/excluded"),
            context.banca_id,
            ventana_seen(context),
            query.sorteo_id,
            query.ventana_id,
            query.vendedor_id,
            query.multiplier_id,
            query.loteria_id,
            query.from_date,
            query.to_date,
            query.include_lifted,
            *query.after(cursor_instant, UUID),
            query.page_size + 1,
            query.offset,
        )
    shown, meta = page_of(query, rows, keys=("excluded_at", "id"))
    return Page[ExclusionAnswer](data=exclusions_of(shown), meta=meta)


def exclusions_of(rows: Iterable[asyncpg.Record]) -> list[ExclusionAnswer]:
    return [ExclusionAnswer(**dict(row)) for row in rows]


def ventana_seen(context: RequestContext) -> UUID | None:
    """None: all of them."""
    return context.principal.ventana_id if context.scope is Scope.VENTANA else None


READING = partial(Operation, method="GET", tags=("listas",), may_lag=True)
OPERATIONS = (
    READING(
        path="/api/v1/sorteos/{sorteoId}/listas",
        handler=read_listas,
        permission=Permission.LISTAS_READ,
        query=ListasQuery,
        responses={200: ListasAnswer},
    ),
    READING(
        path="/api/v1/listas-excluidas",
        handler=list_exclusions,
        permission=Permission.EXCLUSIONS_READ,
        query=ExclusionQuery,
        responses={200: Page[ExclusionAnswer]},
    ),
)
