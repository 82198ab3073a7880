"""Money that is handed over between the bank and those who sell for it: registered, or taken back; each once per key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from core.domain.statements import Dimension
from core.till.caller import Caller
from core.till.operations import ask
from core.till.till import PublishBalance


@dataclass(frozen=True, slots=True)
class Registration:
    """day, at: Costa Rica's. fingerprint: of method, path and canonical body."""

    banca_id: UUID
    actor_id: UUID
    key: str
    fingerprint: bytes
    request_id: str
    dimension: Dimension
    entity_id: UUID
    day: date
    at: time
    amount_cents: int
    type: str
    method: str
    notes: str | None
    is_final: bool


@dataclass(frozen=True, slots=True)
class Reversal:
    """fingerprint: of method, path and canonical body."""

    banca_id: UUID
    actor_id: UUID
    key: str
    fingerprint: bytes
    request_id: str
    movement_id: UUID
    reason: str | None


@dataclass(frozen=True, slots=True)
class Moved:
    """facts: the movement and its day's statement, as sql/functions/register_movement.sql recorded them."""

    facts: Mapping[str, Any]
    replayed: bool


class MovementRefusal(StrEnum):
    """Nothing was written."""

    KEY_MISMATCH = "MISMATCH"
    ENTITY_NOT_FOUND = "ENTITY_NOT_FOUND"
    FUTURE_DATE = "FUTURE_DATE"
    FUTURE_TIME = "FUTURE_TIME"
    DATE_TOO_OLD = "DATE_TOO_OLD"
    STATEMENT_SETTLED = "STATEMENT_SETTLED"
    PAYMENT_NOT_FOUND = "PAYMENT_NOT_FOUND"
    PAYMENT_ALREADY_REVERSED = "PAYMENT_ALREADY_REVERSED"


@dataclass(frozen=True, slots=True)
class NotMoved:
    """settled_through: of STATEMENT_SETTLED, the last day that is closed."""

    refusal: MovementRefusal
    settled_through: date | None = None


class Movements:
    """All that moves money by hand. Raises what is said at register for every one of them."""

    def __init__(self, caller: Caller, *, publish_balance: PublishBalance) -> None:
        self._caller = caller
        self._publish_balance = publish_balance

    async def register(self, asked: Registration) -> Moved | NotMoved:
        """Raises DatabaseUnavailableError (nothing written), OutcomeUnknownError (resend the same key)."""
        row = await ask(
            self._caller,
            "movements/register",
            asked.banca_id,
            asked.actor_id,
            asked.key,
            asked.fingerprint,
            uuid4(),
            asked.dimension.value,
            asked.entity_id,
            asked.day,
            asked.at,
            asked.amount_cents,
            asked.type,
            asked.method,
            asked.notes,
            asked.is_final,
            asked.request_id,
        )
        return self._answer(asked.banca_id, row, settled_through=row["settled_through"])

    async def reverse(self, asked: Reversal) -> Moved | NotMoved:
        row = await ask(
            self._caller,
            "movements/reverse",
            asked.banca_id,
            asked.actor_id,
            asked.key,
            asked.fingerprint,
            asked.movement_id,
            asked.reason,
            asked.request_id,
        )
        return self._answer(asked.banca_id, row, settled_through=None)

    def _answer(self, banca_id: UUID, row: asyncpg.Record, *, settled_through: date | None) -> Moved | NotMoved:
        match row["outcome"]:
            case "REGISTERED" | "REVERSED" | "KNOWN" as outcome:
                # Only a seller has a stored balance; a replay moved nothing.
                if row["balance_cents"] is not None:
                    cents, version = row["balance_cents"], row["balance_version"]
                    self._publish_balance(banca_id, row["account_id"], balance_cents=cents, version=version)
                return Moved(row["answer"], replayed=outcome == "KNOWN")
            case outcome:
                return NotMoved(MovementRefusal(outcome), settled_through)
