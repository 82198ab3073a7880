"""Somebody with a token who asks the API about accounts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from core.domain.calendar import costa_rica_date
from core.domain.permissions import Role
from tests.arena import Arena, Person
from tests.pos import new_key
from tests.running_api import Answer, RunningApi

ACCOUNTS = "/api/v1/accounts"
REPLAYED = "Idempotent-Replayed"
# What a movement, its reversal, a reset or a deletion could have changed.
MOVED = """
SELECT md5(string_agg(rows, '' ORDER BY rows)) FROM (
    SELECT t::text AS rows FROM movements t UNION ALL SELECT t::text FROM transfers t UNION ALL SELECT t::text FROM accounts t
    UNION ALL SELECT t::text FROM statements t UNION ALL SELECT t::text FROM balance_resets t
    UNION ALL SELECT t::text FROM idempotency t UNION ALL SELECT t::text FROM outbox t) x
"""


def today() -> date:
    return costa_rica_date(datetime.now(UTC))


def days_ago(days: int) -> date:
    return today() - timedelta(days=days)


@dataclass(frozen=True)
class Clerk:
    api: RunningApi
    person: Person
    banca_id: object = None

    @classmethod
    async def of(cls, api: RunningApi, arena: Arena, role: Role = Role.BANCA, **place: Any) -> Clerk:
        return cls(api, await arena.add_user(role, **place))

    async def send(
        self, method: str, path: str, document: Any = None, *, key: str | None = None, **headers: str
    ) -> Answer:
        """path: after /api/v1/accounts. headers: names may be written with underscores."""
        sent = {"Authorization": f"Bearer {self.person.token}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if self.banca_id is not None:
            sent["X-Active-Banca-Id"] = str(self.banca_id)
        if key is not None:
            sent["Idempotency-Key"] = key
        body = None if document is None else json.dumps(document).encode()
        if body is not None:
            sent["Content-Type"] = "application/json"
        return await self.api.send(method, ACCOUNTS + path, body=body, headers=sent)

    async def get(self, path: str) -> Any:
        answer = await self.send("GET", path)
        assert answer.status == 200, answer.body
        return answer.json()

    async def move(
        self, amount: Any = "50.00", *, key: str | None = None, day: date | None = None, **others: Any
    ) -> Answer:
        """others: members of the body; a collection in cash unless told."""
        document = {
            "date": str(day or days_ago(1)), "amount": amount, "type": "collection", "method": "cash",
            **{name: value if isinstance(value, bool) else str(value) for name, value in others.items()},
        }  # fmt: skip
        return await self.send("POST", "/payment", document, key=key or new_key())

    async def moved(self, amount: Any = "50.00", **others: Any) -> dict[str, Any]:
        """The movement, which must be registered."""
        answer = await self.move(amount, **others)
        assert answer.status == 201, answer.body
        return dict(answer.json()["payment"])

    async def reverse(self, movement_id: object, *, key: str | None = None, **others: Any) -> Answer:
        return await self.send(
            "POST", "/reverse-payment", {"paymentId": str(movement_id), **others}, key=key or new_key()
        )


async def money(arena: Arena) -> str:
    """A digest of everything that a refused request must leave as it was."""
    digest: str = await arena.owner.fetchval(MOVED)
    return digest
