"""What an operation on sold tickets asks of its function, and how it reads the one row that this answers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from core.database import SumOutOfRangeError, unavailable
from core.metrics import TILL_OUTCOMES
from core.till.caller import Caller
from core.till.order import Actor
from core.till.outcomes import Outcome, Verdict
from core.till.refusals import Refused, refused_by_till, refused_for, violations_of
from core.till.till import PublishBalance


@dataclass(frozen=True, slots=True)
class OperationRequest:
    """fingerprint: of method, path and canonical body."""

    actor: Actor
    key: str
    fingerprint: bytes
    request_id: str

    @property
    def session(self) -> tuple[UUID, UUID, int]:
        """With what the actor acts, as every function of a terminal's operation takes it."""
        return self.actor.session_id, self.actor.terminal_id, self.actor.key_version


@dataclass(frozen=True, slots=True)
class TicketNotFound:
    """Not there, or not this seller's: the caller is not told which."""


@dataclass(frozen=True, slots=True)
class Reply:
    """result: the outcome, of a known key the recorded one."""

    row: asyncpg.Record
    result: str
    replayed: bool

    @classmethod
    def of(cls, row: asyncpg.Record) -> Reply:
        TILL_OUTCOMES.labels(row["outcome"]).inc()
        replayed = row["outcome"] == "KNOWN"
        return cls(row, row["recorded"] if replayed else row["outcome"], replayed)

    def refusal(self) -> TicketNotFound | Refused:
        """Of a result that is no success."""
        match self.result:
            case "TICKET_NOT_FOUND":
                return TicketNotFound()
            case "REFUSED" | "CANCEL_REFUSED":
                return refused_for(violations_of(self.row["violations"]), recorded=True, replayed=self.replayed)
            case _:
                return refused_by_till(Outcome(Verdict(self.result), self.row["at"]))

    def publish(self, publish_balance: PublishBalance, *, banca_id: UUID, vendedor_id: UUID) -> None:
        """The balance that the operation left, if it was done now."""
        cents, version = self.row["balance_cents"], self.row["balance_version"]
        if cents is not None:
            publish_balance(banca_id, vendedor_id, balance_cents=cents, version=version)


async def ask(caller: Caller, query: str, *arguments: Any) -> asyncpg.Record:
    """The one row of a function's call; a caller that hangs up cancels nothing of it.

    Raises DatabaseUnavailableError (nothing written), OutcomeUnknownError (resend the same key), SumOutOfRangeError.
    """
    return await asyncio.shield(_asked(caller, query, arguments))


async def _asked(caller: Caller, query: str, arguments: tuple[Any, ...]) -> asyncpg.Record:
    try:
        [row] = await caller.call(query, *arguments)
    except asyncpg.NumericValueOutOfRangeError as error:
        raise SumOutOfRangeError(str(error)) from error
    except asyncpg.PostgresError as error:
        raise unavailable(error) from error
    return row
