"""The hash chain over the audit trail: how a link is made, and the proof that nothing in it was changed.

One link per event and banca: hash = SHA-256(previous hash ‖ content hash ‖ rows hash), where the content hash is of
the event's payload as it was written, and the rows hash of the event's rows as they stand in the trail
(sql/functions/activity_canonical.sql; docs/audit-chain.md has both with an example). So neither an event nor a row can change without breaking its link.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from core.queries import sql

# What the first link follows.
GENESIS_HASH = bytes(32)
LINKS_PER_FETCH = 2_000


def hash_content(payload: str) -> bytes:
    return hashlib.sha256(payload.encode()).digest()


class ChainFault(enum.StrEnum):
    LINK_MISSING = "LINK_MISSING"
    NOT_CHAINED = "NOT_CHAINED"
    EVENT_CHANGED = "EVENT_CHANGED"
    ROWS_MISSING = "ROWS_MISSING"
    ROWS_CHANGED = "ROWS_CHANGED"
    ROWS_UNCHAINED = "ROWS_UNCHAINED"


@dataclass(frozen=True, slots=True)
class ChainBreak:
    """Where the chain stops being provable. position is null for rows that no link covers."""

    fault: ChainFault
    position: int | None
    event_id: int | None


@dataclass(frozen=True, slots=True)
class ChainReport:
    """first_position above 1: what came before was cut off by retention, and is not proven."""

    first_position: int | None
    links_count: int
    rows_count: int
    head_hash: bytes
    first_break: ChainBreak | None


@dataclass(frozen=True, slots=True)
class StoredLink:
    """A link as stored, with what the rest of the database says of its event.

    rows_found: the event's rows in the trail. recomputed: the hash that the link should have, with its rows as they
    stand now (None: there are none).
    payload_hash: of the event while the outbox still has it, else None.
    """

    position: int
    event_id: int
    rows_count: int
    content_hash: bytes
    previous_hash: bytes
    hash: bytes
    rows_found: int
    recomputed: bytes | None
    payload_hash: bytes | None


class ChainCheck:
    """Takes the links in their order, and stops judging at the first broken one."""

    def __init__(self) -> None:
        self.first_position: int | None = None
        self.links_count = 0
        self.rows_count = 0
        self.head_hash = GENESIS_HASH
        self.first_break: ChainBreak | None = None

    def take(self, links: Iterable[StoredLink]) -> None:
        for link in links:
            if self.first_break is None:
                self._follow(link)

    def _follow(self, link: StoredLink) -> None:
        if self.first_position is None:
            self.first_position = link.position
            self.head_hash = GENESIS_HASH if link.position == 1 else link.previous_hash
        expected_position = self.first_position + self.links_count
        if link.position != expected_position:
            self.first_break = ChainBreak(ChainFault.LINK_MISSING, expected_position, None)
            return
        fault = fault_of(link, previous_hash=self.head_hash)
        if fault is not None:
            self.first_break = ChainBreak(fault, link.position, link.event_id)
            return
        self.links_count += 1
        self.rows_count += link.rows_count
        self.head_hash = link.hash


def fault_of(link: StoredLink, *, previous_hash: bytes) -> ChainFault | None:
    if link.previous_hash != previous_hash:
        return ChainFault.NOT_CHAINED
    if link.payload_hash not in (None, link.content_hash):
        return ChainFault.EVENT_CHANGED
    if link.recomputed is None or link.rows_found < link.rows_count:
        return ChainFault.ROWS_MISSING
    if link.rows_found != link.rows_count or link.recomputed != link.hash:
        return ChainFault.ROWS_CHANGED
    return None


async def verify_chain(connection: Any, banca_id: UUID) -> ChainReport:
    """Recompute one banca's chain from its first link to its last.

    connection: inside a transaction that sees the banca's rows; a REPEATABLE READ one while the audit goes on.
    """
    check = ChainCheck()
    cursor = await connection.cursor(sql("audit/links"), banca_id)
    while records := await cursor.fetch(LINKS_PER_FETCH):
        check.take(StoredLink(**record) for record in records)
        if check.first_break is not None:
            break
    first_break = check.first_break
    if first_break is None:
        stray = await connection.fetchval(sql("audit/unchained_event"), banca_id)
        first_break = None if stray is None else ChainBreak(ChainFault.ROWS_UNCHAINED, None, stray)
    return ChainReport(check.first_position, check.links_count, check.rows_count, check.head_hash, first_break)
