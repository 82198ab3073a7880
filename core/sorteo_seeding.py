"""Draws made of a lottery's schedule, by whoever asks: a person, or a job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from itertools import compress
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from core.activity_events import Action, Change, record_activities
from core.domain.calendar import format_instant
from core.domain.loteria_rules import read_loteria_rules
from core.domain.schedule import Occurrence
from core.queries import sql

# As the API names them.
MEMBERS: Mapping[str, str] = {
    "id": "id",
    "loteria_id": "loteriaId",
    "loteria_name": "loteriaName",
    "name": "name",
    "digits": "digits",
    "status": "status",
    "name_is_chosen": "nameIsChosen",
    "is_active": "isActive",
    "scheduled_at": "scheduledAt",
    "slot_at": "slotAt",
    "business_date": "businessDate",
    "daily_ordinal": "dailyOrdinal",
    "created_at": "createdAt",
}


class Author(NamedTuple):
    """Who makes draws; user_id: None where nobody asked."""

    user_id: UUID | None
    layer: str
    request_id: str | None


async def missing_draws(
    connection: Any, banca_id: UUID, loteria_id: UUID, wanted: Sequence[Occurrence]
) -> list[Occurrence]:
    """Those whose slot is not made yet, and at whose instant no other draw of the lottery stands."""
    made = await draws_of_slots(connection, banca_id, loteria_id, wanted)
    return [one for one in wanted if one.scheduled_at not in made]


async def draws_of_slots(
    connection: Any, banca_id: UUID, loteria_id: UUID, slots: Sequence[Occurrence]
) -> dict[datetime, UUID]:
    """The draw of each slot that is made, by the slot's instant; else the draw that stands at that instant."""
    instants = [one.scheduled_at for one in slots]
    rows = await connection.fetch(sql("sorteos/made_slots"), banca_id, loteria_id, instants)
    by_preference = sorted(rows, key=lambda row: row["is_of_slot"])
    return {row["at"]: row["id"] for row in by_preference}


async def make_draws(
    connection: Any, banca_id: UUID, loteria: Mapping[str, Any], missing: Sequence[Occurrence], author: Author
) -> list[UUID]:
    """Make the draws of slots, SCHEDULED, and record them in the trail; of a slot that was made meanwhile, none.

    connection: inside a transaction of the banca. loteria: its id and rules.
    """
    if not missing:
        return []
    ids = [uuid4() for _ in missing]
    rows = await connection.fetch(
        sql("sorteos/create"),
        banca_id,
        loteria["id"],
        read_loteria_rules(loteria["rules"])[0].digits,
        None,
        None,
        True,
        author.user_id,
        author.request_id,
        ids,
        [one.scheduled_at for one in missing],
        [one.name for one in missing],
        False,
        False,
    )
    made = list(compress(ids, (row["is_new"] for row in rows)))
    if made:
        await record_made(connection, banca_id, made, author)
    return made


async def record_made(connection: Any, banca_id: UUID, made: Sequence[UUID], author: Author) -> None:
    rows = await connection.fetch(sql("sorteos/get_several"), banca_id, made)
    await record_activities(
        connection,
        Action.SORTEO_CREATE,
        [Change(row["id"], None, sorteo_document(row)) for row in rows],
        actor_id=author.user_id,
        target_type="SORTEO",
        request_id=author.request_id,
        layer=author.layer,
    )


def sorteo_document(row: Mapping[str, Any]) -> dict[str, Any]:
    """As the API shows a new draw."""
    return {member: _plain(row[column]) for column, member in MEMBERS.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return format_instant(value)
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value
