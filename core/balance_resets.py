"""Sellers' statements that begin at 0 again, or do so no more: each reset, and each taking back, once per key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from core.till.caller import Caller
from core.till.operations import ask


@dataclass(frozen=True, slots=True)
class ResetRequest:
    """reset_at: None for now. is_revert: the last reset is taken back instead. fingerprint: of path and body."""

    banca_id: UUID
    actor_id: UUID
    key: str
    fingerprint: bytes
    request_id: str
    vendedor_id: UUID
    reset_at: datetime | None
    is_revert: bool


@dataclass(frozen=True, slots=True)
class BalanceReset:
    """facts: the reset and its day's statement, as sql/functions/reset_balance.sql recorded them."""

    facts: Mapping[str, Any]
    replayed: bool


class ResetRefusal(StrEnum):
    """Nothing was written."""

    KEY_MISMATCH = "MISMATCH"
    ENTITY_NOT_FOUND = "ENTITY_NOT_FOUND"
    NOT_RESET = "NOT_RESET"
    STATEMENT_SETTLED = "STATEMENT_SETTLED"
    FUTURE_DATE = "FUTURE_DATE"
    DATE_TOO_OLD = "DATE_TOO_OLD"
    ALREADY_RESET = "ALREADY_RESET"


@dataclass(frozen=True, slots=True)
class NotReset:
    """settled_through: the seller's last day that is closed."""

    refusal: ResetRefusal
    settled_through: date | None


class BalanceResets:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def reset(self, asked: ResetRequest) -> BalanceReset | NotReset:
        """Raises DatabaseUnavailableError (nothing written), OutcomeUnknownError (resend the same key)."""
        row = await ask(
            self._caller,
            "statements/reset",
            asked.banca_id,
            asked.actor_id,
            asked.key,
            asked.fingerprint,
            asked.vendedor_id,
            asked.reset_at,
            asked.is_revert,
            asked.request_id,
        )
        match row["outcome"]:
            case "DONE" | "KNOWN" as outcome:
                return BalanceReset(row["answer"], replayed=outcome == "KNOWN")
            case outcome:
                return NotReset(ResetRefusal(outcome), row["settled_through"])
