"""Who won a draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from api.context import RequestContext
from api.draw_readings import sorteo_not_found
from api.models.results import (
    TypeTotals,
    Winner,
    WinnersList,
    WinnersQuery,
    WinnersSorteo,
    WinnersTotals,
    WinningJugada,
)
from api.operations import Operation
from api.pages import page_of
from api.problems import refuse
from api.routes.results import READING, draw_members, whose
from core.domain.numbers import format_number
from core.domain.rulebook import JugadaType
from core.domain.ticket_number import ticket_number
from core.queries import sql


async def winners_list(context: RequestContext, query: WinnersQuery) -> WinnersList:
    """The tickets that won a draw, with what they won and what of it was handed out."""
    seller, ventana = whose(context, query.vendedor_id, None)
    async with context.readings.tenant(context.banca_id) as connection:
        draw = await connection.fetchrow(sql("results/standing"), context.banca_id, context.path_id("sorteoId"))
        if draw is None:
            raise sorteo_not_found()
        if draw["evaluation"] is None:
            raise refuse(409, "SORTEO_NOT_EVALUATED", f"The draw is {draw['status']}: it has no result that stands.")
        of = (context.banca_id, draw["business_date"], draw["id"], draw["evaluation"], seller, ventana)
        totals = await connection.fetch(sql("results/winners_total"), *of)
        rows = await connection.fetch(
            sql("results/winners"), *of, *query.after(sequence), query.page_size + 1, query.offset
        )
    shown, meta = page_of(query, rows, keys=("sequence",))
    return WinnersList(
        sorteo=winners_sorteo(draw),
        totals=winners_totals(totals),
        data=[winner(draw, row) for row in shown],
        meta=meta,
    )


def winners_sorteo(draw: asyncpg.Record) -> WinnersSorteo:
    return WinnersSorteo(
        **draw_members(draw),
        evaluation=draw["evaluation"],
        extra_multiplier_id=draw["extra_multiplier_id"],
        extra_multiplier_x=draw["extra_x_hundredths"],
    )


def winners_totals(rows: Sequence[asyncpg.Record]) -> WinnersTotals:
    """rows: of each type that won."""
    nothing = TypeTotals(jugadas_count=0, winning_amount=0, payout=0)
    by_type: Mapping[str, TypeTotals] = {
        row["type"]: TypeTotals(
            jugadas_count=row["jugadas"], winning_amount=row["staked_cents"], payout=row["prize_cents"]
        )
        for row in rows
    }
    return WinnersTotals(
        tickets_count=rows[0]["tickets_of_all_types"] if rows else 0,
        winning_amount=sum(totals.winning_amount for totals in by_type.values()),
        payout=sum(totals.payout for totals in by_type.values()),
        numero=by_type.get(JugadaType.NUMERO, nothing),
        reventado=by_type.get(JugadaType.REVENTADO, nothing),
    )


def winner(draw: asyncpg.Record, row: asyncpg.Record) -> Winner:
    number = ticket_number(business_date=draw["business_date"], ordinal=draw["daily_ordinal"], sequence=row["sequence"])
    return Winner(
        ticket_id=row["id"],
        ticket_number=number,
        ventana_id=row["ventana_id"],
        vendedor_id=row["vendedor_id"],
        vendedor_name=row["vendedor_name"],
        cliente_nombre=row["cliente_nombre"],
        total_payout=row["prize_cents"],
        total_paid=row["paid_cents"],
        remaining_amount=max(row["prize_cents"] - row["paid_cents"], 0),
        is_final=row["is_final"],
        jugadas=[
            WinningJugada(
                line=line,
                type=JugadaType(kind),
                number=format_number(number_, draw["digits"]),
                amount=staked,
                multiplier_id=multiplier,
                multiplier_x=x,
                payout=prize,
            )
            for line, kind, number_, staked, multiplier, x, prize in row["jugadas"]
        ],
    )


def sequence(key: Any) -> int:
    """Of a cursor. Raises ValueError or TypeError."""
    if not 0 < (place := int(key)) < 1 << 63:
        raise ValueError("no sequence")
    return place


OPERATIONS: tuple[Operation, ...] = (
    READING(
        path="/api/v1/reports/winners-list/{sorteoId}",
        handler=winners_list,
        query=WinnersQuery,
        responses={200: WinnersList},
    ),
)
