"""Memos of cash that is out over a corrected result, as they end: the cash came back, or the banca writes it off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from core.till.caller import Caller
from core.till.operations import ask
from core.till.till import PublishBalance


class EndingKind(StrEnum):
    """SETTLEMENT moves no account; WRITE_OFF credits the seller out of the banca's prizes."""

    SETTLEMENT = "SETTLEMENT"
    WRITE_OFF = "WRITE_OFF"


@dataclass(frozen=True, slots=True)
class EndingRequest:
    """amount_cents: None for all that is open. fingerprint: of path and canonical body."""

    banca_id: UUID
    actor_id: UUID
    key: str
    fingerprint: bytes
    request_id: str
    ticket_id: UUID
    kind: EndingKind
    amount_cents: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Ended:
    """facts: the memo, its entry and the day's statement, as sql/functions/cash_memos.sql recorded them."""

    facts: Mapping[str, Any]
    replayed: bool


class EndingRefusal(StrEnum):
    """Nothing was written."""

    KEY_MISMATCH = "MISMATCH"
    MEMO_NOT_FOUND = "MEMO_NOT_FOUND"
    MEMO_CLOSED = "MEMO_CLOSED"
    MEMO_EXCEEDED = "MEMO_EXCEEDED"
    EVALUATION_RUNNING = "EVALUATION_RUNNING"
    EVALUATION_REVERTING = "EVALUATION_REVERTING"
    SORTEO_NOT_EVALUATED = "SORTEO_NOT_EVALUATED"


@dataclass(frozen=True, slots=True)
class NotEnded:
    """open_cents: what is open of the memo; None where there is none."""

    refusal: EndingRefusal
    open_cents: int | None


class CashMemos:
    def __init__(self, caller: Caller, *, publish_balance: PublishBalance) -> None:
        self._caller = caller
        self._publish_balance = publish_balance

    async def end(self, asked: EndingRequest) -> Ended | NotEnded:
        """Raises DatabaseUnavailableError (nothing written), OutcomeUnknownError (resend the same key)."""
        row = await ask(
            self._caller,
            "cash_memos/end",
            asked.banca_id,
            asked.actor_id,
            asked.key,
            asked.fingerprint,
            uuid4(),
            asked.ticket_id,
            asked.kind.value,
            asked.amount_cents,
            asked.reason,
            asked.request_id,
        )
        match row["outcome"]:
            case "SETTLED" | "WRITTEN_OFF" | "KNOWN" as outcome:
                # Only a write-off that was made now moved a balance.
                if row["balance_cents"] is not None:
                    self._publish_balance(
                        asked.banca_id,
                        row["account_id"],
                        balance_cents=row["balance_cents"],
                        version=row["balance_version"],
                    )
                return Ended(row["answer"], replayed=outcome == "KNOWN")
            case outcome:
                return NotEnded(EndingRefusal(outcome), row["open_cents"])
