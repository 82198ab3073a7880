"""Days of statements as they are read: of whom, which days, and what is stored of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from api.context import RequestContext
from api.keys import DATABASE
from api.problems import refuse
from api.statement_targets import Target, entity_not_found
from core.domain.statements import Correction, Day, Figures, days_to_list, listed_days
from core.queries import sql

# Days of entities in one answer: a quarter of 200 sellers, a month of 800. They take 3 kB each while it is made.
LISTED_DAYS_MAX = 25_000


@dataclass(frozen=True, slots=True)
class Entity:
    """ventana: of a seller the one that it belongs to now; of a ventana itself."""

    id: UUID
    name: str
    code: str | None
    ventana_id: UUID | None
    ventana_name: str | None
    ventana_code: str | None


@dataclass(frozen=True, slots=True)
class Banca:
    id: UUID
    name: str
    code: str | None


@dataclass(frozen=True, slots=True)
class StoredDays:
    """rows: as sql/queries/statements/days.sql gives them, for the days from first to last. today: Costa Rica's.

    cash: as sql/queries/statements/cash.sql gives it.
    """

    target: Target
    today: date
    first: date
    last: date
    banca: Banca
    entities: Mapping[UUID, Entity]
    rows: Sequence[asyncpg.Record]
    cash: Sequence[asyncpg.Record] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """by_entity: the days of each that has any, in order; of a single one always. today: Costa Rica's."""

    target: Target
    today: date
    banca: Banca
    entities: Mapping[UUID, Entity]
    by_entity: Mapping[UUID, Sequence[Day]]


async def read_days(
    context: RequestContext, target: Target, *, first: date | None, last: date | None, uncut: bool = False
) -> StoredDays:
    """first, last: today unless told. uncut: as if no seller had been reset.

    Raises ProblemError ENTITY_NOT_FOUND, STATEMENT_TOO_LARGE.
    """
    async with context.app[DATABASE].tenant(context.banca_id) as connection:
        return await days_over(connection, context.banca_id, target, first=first, last=last, uncut=uncut)


async def days_over(
    connection: Any, banca_id: UUID, target: Target, *, first: date | None, last: date | None, uncut: bool = False
) -> StoredDays:
    """The same over a connection of the tenant's."""
    rows = await connection.fetch(
        sql("statements/entities"), banca_id, target.dimension.value, target.entity_id, target.ventana_id
    )
    entities = {row["id"]: entity_of(row) for row in rows if row["id"] is not None}
    if not entities and target.entity_id is not None:
        raise entity_not_found()
    today = rows[0]["today"]
    first, last = first or today, last or today
    require_room(len(entities), (last - first).days + 1)
    banca = Banca(banca_id, rows[0]["banca_name"], rows[0]["banca_code"])
    about = (banca_id, target.dimension.value, list(entities), first, last, uncut)
    rows = await connection.fetch(sql("statements/days"), *about)
    cash = await connection.fetch(sql("statements/cash"), *about)
    return StoredDays(target, today, first, last, banca, entities, rows, cash)


def reading_of(stored: StoredDays) -> Reading:
    """Of thousands of days it takes a tenth of a second: a thread's work, and with no connection held."""
    target = stored.target
    known: dict[UUID, list[Day]] = {} if target.entity_id is None else {target.entity_id: []}
    for row in stored.rows:
        known.setdefault(row["entity_id"], []).append(day_of(row))
    beside = {(row["entity_id"], row["business_date"]): row for row in stored.cash}
    for entity_id, _ in beside:
        known.setdefault(entity_id, [])
    happened = {each.day for days in known.values() for each in days} | {day for _, day in beside}
    days = days_to_list(stored.first, stored.last, today=stored.today, stored=happened)
    by_entity = {
        entity_id: [with_cash(each, beside.get((entity_id, each.day))) for each in listed_days(entity_id, theirs, days)]
        for entity_id, theirs in known.items()
    }
    return Reading(target, stored.today, stored.banca, stored.entities, by_entity)


def with_cash(each: Day, row: asyncpg.Record | None) -> Day:
    """The day with what stands beside it. row: of sql/queries/statements/cash.sql."""
    if row is None:
        return each
    figures = replace(each.figures, written_off_cents=row["written_off_cents"], cash_memos_cents=row["memo_cents"])
    return replace(each, figures=figures)


def require_room(entities: int, days: int) -> None:
    if entities * days > LISTED_DAYS_MAX:
        detail = f"{entities} sellers or ventanas of {days} days are too many at once: ask for fewer days, or for one of them."
        raise refuse(400, "STATEMENT_TOO_LARGE", detail)


def entity_of(row: asyncpg.Record) -> Entity:
    return Entity(row["id"], row["name"], row["code"], row["ventana_id"], row["ventana_name"], row["ventana_code"])


def day_of(row: asyncpg.Record) -> Day:
    return Day(
        row["entity_id"],
        row["business_date"],
        figures_of(row),
        settled_at=row["settled_at"],
        settled_through=row["settled_through"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        corrections=[correction_of(facts) for facts in row["corrections"] or ()],
    )


def figures_of(row: asyncpg.Record) -> Figures:
    return Figures(
        opening_cents=row["opening_cents"],
        sales_cents=row["sales_cents"],
        payouts_cents=row["payouts_cents"],
        listero_commission_cents=row["listero_commission_cents"],
        vendedor_commission_cents=row["vendedor_commission_cents"],
        balance_cents=row["balance_cents"],
        corrections_cents=row["corrections_cents"],
        paid_cents=row["paid_cents"],
        collected_cents=row["collected_cents"],
        ticket_count=row["ticket_count"],
    )


def correction_of(facts: Sequence[Any]) -> Correction:
    """facts: as sql/queries/statements/days.sql tells them."""
    day, sales, payouts, listero, vendedor, paid, collected, net, tickets, at = facts
    figures = Figures(
        sales_cents=sales,
        payouts_cents=payouts,
        listero_commission_cents=listero,
        vendedor_commission_cents=vendedor,
        balance_cents=net - paid + collected,
        paid_cents=paid,
        collected_cents=collected,
        ticket_count=tickets,
    )
    return Correction(date.fromisoformat(day), figures, datetime.fromisoformat(at))
