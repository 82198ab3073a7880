"""How the events of messages stand in the database: to be done, done, or of a history that it does not have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.queries import sql
from workers.letters import EventKey, Standing, Standings

if TYPE_CHECKING:
    from core.database import Connection


async def read_standings(connection: Connection, consumer: str, keys: Sequence[EventKey]) -> Standings:
    """The standing of every key with that consumer. keys: each once."""
    rows = await connection.fetch(
        sql("outbox/standings"),
        consumer,
        [key.id for key in keys],
        [key.banca_id for key in keys],
        [key.type for key in keys],
        [key.content_hash for key in keys],
    )
    return {key: Standing(row["standing"]) for key, row in zip(keys, rows, strict=True)}
