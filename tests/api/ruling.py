"""What the tests of the rules share: requests as an administration sends them, and what a refusal must leave alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from core.domain.permissions import Role
from tests.api.selling import SALE, jugada, ticket
from tests.arena import Arena, Person
from tests.pos import Pos, new_key
from tests.running_api import Answer, RunningApi

if TYPE_CHECKING:
    from tests.arena import Owner

API = "/api/v1"
ANY = "*"
RESTRICTIONS = "/api/v1/restrictions"
OVERRIDES = "/api/v1/multiplier-overrides"
# Each refused write must leave all of this as it was.
RULES = """
SELECT md5(string_agg(rows, '' ORDER BY rows)) FROM (
    SELECT t::text AS rows FROM restriction_rules t UNION ALL SELECT t::text FROM multiplier_overrides t
    UNION ALL SELECT t::text FROM banca_loteria_settings t UNION ALL SELECT t::text FROM sorteo_number_limits t
    UNION ALL SELECT t::text FROM loterias t UNION ALL SELECT t::text FROM loteria_multipliers t
    UNION ALL SELECT (t.id, t.global_limit_cents)::text FROM sorteos t
    UNION ALL SELECT t::text FROM bancas t UNION ALL SELECT t::text FROM ventanas t
    UNION ALL SELECT (t.id, t.commission_policy)::text FROM users t
    UNION ALL SELECT (t.id, t.type)::text FROM outbox t WHERE t.type IN ('activity.recorded', 'activities.recorded')) x
"""


@dataclass(frozen=True)
class Ruler:
    """Somebody with a token, in one banca."""

    api: RunningApi
    person: Person
    banca_id: UUID | None = None

    async def send(self, method: str, target: str, document: Any = None, *, if_match: str | None = ANY) -> Answer:
        """document: JSON, or bytes as they are; None: no body. if_match: `*` goes with PUT and PATCH only; None: no such header."""
        body = document if document is None or isinstance(document, bytes) else json.dumps(document).encode()
        headers = {"Authorization": f"Bearer {self.person.token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if if_match is not None and (if_match != ANY or method in ("PUT", "PATCH")):
            headers["If-Match"] = if_match
        if self.banca_id is not None:
            headers["X-Active-Banca-Id"] = str(self.banca_id)
        return await self.api.send(method, target, body=body, headers=headers)

    async def get(self, target: str) -> Any:
        answer = await self.send("GET", target)
        assert answer.status == 200, answer.body
        return answer.json()

    async def write(self, method: str, target: str, document: Any = None) -> Any:
        """The answer of a write that must succeed."""
        answer = await self.send(method, target, document)
        assert answer.status in (200, 201), answer.body
        return answer.json()

    async def restrict(self, **document: Any) -> dict[str, Any]:
        """The one rule of a write that must succeed."""
        [rule] = (await self.write("POST", RESTRICTIONS, document))["data"]
        return dict(rule)


async def ruler(api: RunningApi, arena: Arena, role: Role = Role.BANCA) -> Ruler:
    return Ruler(api, await arena.add_user(role))


async def version_of(owner: Owner, banca_id: UUID) -> int:
    version: int = await owner.fetchval("SELECT rulebook_version FROM bancas WHERE id = $1", banca_id)
    return version


async def stored_rules(owner: Owner) -> str:
    """A digest of every banca's rules and versions, and of what the trail was told of them."""
    digest: str = await owner.fetchval(RULES)
    return digest


async def offered(api: RunningApi, arena: Arena, amount: str, number: str = "07", **others: Any) -> str:
    """What a sale of one NUMERO by the arena's first seller comes to: SOLD, or the code of its refusal."""
    document = ticket(arena, jugada(number, amount, **others))
    answer = await Pos(api, arena.seller).post(SALE, document, key=new_key())
    return "SOLD" if answer.status == 201 else str(answer.code)


async def somebody_waits(owner: Owner) -> bool:
    """Whether another connection waits for what this one has locked."""
    waiting = (
        "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))"
    )
    return bool(await owner.fetchval(waiting))


def places(arena: Arena) -> dict[str, str]:
    return {
        "settings": f"{API}/bancas/{arena.banca_id}/settings",
        "loteria setting": f"{API}/loterias/{arena.loteria_id}/banca-settings",
        "limits": f"{API}/sorteos/{arena.sorteo_id}/limits",
        "loteria": f"{API}/loterias/{arena.loteria_id}",
        "multipliers": f"{API}/loterias/{arena.loteria_id}/multipliers",
        "multiplier": f"{API}/multipliers/{arena.multiplier_id}",
    }


def limits(global_limit: Any = None, **numbers: Any) -> dict[str, Any]:
    """numbers: n07="1.00"."""
    listed = [{"number": name[1:], "maxAmount": amount} for name, amount in numbers.items()]
    return {"globalLimit": global_limit, "numberLimits": listed}
