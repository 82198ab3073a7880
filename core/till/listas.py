"""Lists that were not handed in: taken out of a draw, and brought back; one call each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from core.metrics import TILL_OUTCOMES
from core.till.caller import Caller
from core.till.operations import ask
from core.till.till import PublishBalance


@dataclass(frozen=True, slots=True)
class ListaRequest:
    """ventana_id: a ventana, or its user. vendedor_id, multiplier_id: None for all. fingerprint: of path and body."""

    banca_id: UUID
    actor_id: UUID
    key: str
    fingerprint: bytes
    request_id: str
    sorteo_id: UUID
    ventana_id: UUID
    vendedor_id: UUID | None
    multiplier_id: UUID | None


@dataclass(frozen=True, slots=True)
class ListaMoved:
    """facts: the exclusion and what it moved, as sql/functions/exclude_lista.sql recorded them. seller_ids: of the balances
    that it moved now.
    """

    facts: Mapping[str, Any]
    at: datetime
    replayed: bool
    seller_ids: Sequence[UUID] = ()


@dataclass(frozen=True, slots=True)
class ListaRefused:
    """Nothing was changed or recorded."""

    code: str


ListaAnswer = ListaMoved | ListaRefused


class Listas:
    def __init__(self, caller: Caller, *, publish_balance: PublishBalance) -> None:
        self._caller = caller
        self._publish_balance = publish_balance

    async def exclude(self, request: ListaRequest, *, reason: str | None) -> ListaAnswer:
        """Raises DatabaseUnavailableError (nothing written), OutcomeUnknownError (resend the same key)."""
        return await self._move("listas/exclude", request, reason)

    async def include(self, request: ListaRequest) -> ListaAnswer:
        """Raises as exclude does."""
        return await self._move("listas/include", request)

    async def _move(self, query: str, request: ListaRequest, *reason: str | None) -> ListaAnswer:
        row = await ask(
            self._caller,
            query,
            request.banca_id,
            request.actor_id,
            request.key,
            request.fingerprint,
            request.sorteo_id,
            request.ventana_id,
            request.vendedor_id,
            request.multiplier_id,
            *reason,
            request.request_id,
        )
        TILL_OUTCOMES.labels(row["outcome"]).inc()
        moved = [(UUID(account_id), *balance) for account_id, *balance in row["balances"] or ()]
        for account_id, balance_cents, version in moved:
            self._publish_balance(request.banca_id, account_id, balance_cents=balance_cents, version=version)
        if row["answer"] is None or row["outcome"] == "MISMATCH":
            return ListaRefused(row["outcome"])
        sellers = [account_id for account_id, *_ in moved]
        return ListaMoved(row["answer"], row["at"], row["outcome"] == "KNOWN", sellers)
