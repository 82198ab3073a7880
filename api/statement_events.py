"""What happened on a day of a statement, as it is read: draws, movements, corrections."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg

from api.cash_memo_answers import memo_document
from api.statement_answers import correction_document
from api.statement_targets import Target
from core.domain.calendar import COSTA_RICA, day_bounds, format_instant
from core.domain.money import format_cents
from core.domain.statement_events import EventType, StatementEvent
from core.domain.statements import Day, Dimension
from core.domain.ticket_number import ticket_number
from core.queries import sql


async def read_events(
    connection: Any,
    banca_id: UUID,
    target: Target,
    entities: Sequence[UUID],
    *,
    first: date,
    last: date,
    uncut: bool = False,
) -> list[StatementEvent]:
    """Draws, movements and write-offs of the days, what of them is told on later days, and the cash that is still out.

    uncut: also what resets left out.
    """
    about = (banca_id, target.dimension.value, entities, first, last)
    draws = await connection.fetch(sql("statements/draws"), *about, uncut)
    movements = await connection.fetch(sql("statements/movements"), *about, uncut, None)
    later = await connection.fetch(sql("statements/posted_later"), *about)
    write_offs = await connection.fetch(sql("statements/write_offs"), *about, uncut)
    memos = await connection.fetch(sql("statements/cash_memos"), *about)
    return [
        *(draw_event(row, target.dimension) for row in draws),
        *(movement_event(row) for row in movements),
        *(posted_later_event(row) for row in later),
        *(write_off_event(row) for row in write_offs),
        *(cash_memo_event(row) for row in memos),
    ]


def initial_event(day: date, opening_cents: int, *, entity_id: UUID | None) -> StatementEvent:
    """What the month before left."""
    name = f"mov-previous-month-balance-{entity_id or 'all'}"
    return StatementEvent(name, EventType.INITIAL_BALANCE, day, day_bounds(day)[0], opening_cents, {})


def draw_event(row: asyncpg.Record, dimension: Dimension) -> StatementEvent:
    is_seller = dimension is Dimension.VENDEDOR
    commission = row["vendedor_commission_cents"] if is_seller else row["listero_commission_cents"]
    balance = row["sales_cents"] - row["payouts_cents"] - commission
    members = {
        "sorteoName": row["name"],
        "loteriaId": str(row["loteria_id"]),
        "loteriaName": row["loteria_name"],
        "sales": format_cents(row["sales_cents"]),
        "payouts": format_cents(row["payouts_cents"]),
        "listeroCommission": format_cents(row["listero_commission_cents"]),
        "vendedorCommission": format_cents(row["vendedor_commission_cents"]),
        "ticketCount": row["ticket_count"],
    }
    return StatementEvent(str(row["id"]), EventType.SORTEO, row["business_date"], row["scheduled_at"], balance, members)


def movement_event(row: asyncpg.Record) -> StatementEvent:
    """One that was taken back counts nothing (STM-15)."""
    facts, kind = row["facts"], EventType(row["type"])
    is_reversed = row["reversed_at"] is not None
    amount = row["amount_cents"] if kind is EventType.PAYMENT else -row["amount_cents"]
    members = {
        "amount": format_cents(row["amount_cents"]),
        "method": facts["method"],
        "notes": facts["notes"],
        "isReversed": is_reversed,
    }
    changed = 0 if is_reversed else amount
    return StatementEvent(f"mov-{row['id']}", kind, row["business_date"], row["occurred_at"], changed, members)


def write_off_event(row: asyncpg.Record) -> StatementEvent:
    """One that was undone counts nothing, like a movement that was taken back."""
    is_reversed = row["reversed_at"] is not None
    number = ticket_number(business_date=row["business_date"], ordinal=row["daily_ordinal"], sequence=row["sequence"])
    members = {
        "amount": format_cents(row["amount_cents"]),
        "notes": row["reason"],
        "isReversed": is_reversed,
        "ticketId": str(row["ticket_id"]),
        "ticketNumber": number,
    }
    changed = 0 if is_reversed else -row["amount_cents"]
    return StatementEvent(
        f"off-{row['id']}", EventType.WRITE_OFF, row["posted_on"], row["created_at"], changed, members
    )


def cash_memo_event(row: asyncpg.Record) -> StatementEvent:
    memo = memo_document(row["facts"])
    members = {
        "amount": memo["openAmount"],
        "ticketId": memo["ticketId"],
        "ticketNumber": memo["ticketNumber"],
        "cashMemo": memo,
    }
    name = f"memo-{memo['ticketId']}"
    return StatementEvent(name, EventType.CASH_MEMO, row["business_date"], row["created_at"], 0, members)


def correction_events(days: Iterable[Day]) -> list[StatementEvent]:
    """What was posted on these days about earlier ones."""
    return [
        StatementEvent(
            f"cor-{each.entity_id}-{each.day}-{place}",
            EventType.CORRECTION,
            each.day,
            correction.at,
            correction.figures.closing_cents,
            {"correction": correction_document(correction)},
        )
        for each in days
        for place, correction in enumerate(each.corrections, start=1)
    ]


def posted_later_event(row: asyncpg.Record) -> StatementEvent:
    name = f"later-{row['entity_id']}-{row['posted_on']}-{row['ordinal']}"
    members = {"postedOn": str(row["posted_on"])}
    about = row["business_date"]
    return StatementEvent(name, EventType.POSTED_LATER, about, row["created_at"], -row["net_cents"], members)


def event_document(index: int, event: StatementEvent, accumulated_cents: int) -> dict[str, Any]:
    """The members of api.models.statement_events.StatementEventOut."""
    local = event.at.astimezone(COSTA_RICA)
    return {
        "sorteoId": event.id,
        "type": event.type.value,
        "scheduledAt": format_instant(event.at),
        "date": str(event.day),
        "time": f"{local:%H:%M}",
        **event.members,
        "balance": format_cents(event.balance_cents),
        "accumulated": format_cents(accumulated_cents),
        "chronologicalIndex": index,
    }
