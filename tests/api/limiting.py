"""What the tests of limits share: rules as storage has them, and the readings as a client sees them."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from tests.api.selling import SALE, jugada, ticket
from tests.arena import Arena, Person
from tests.pos import Pos, new_key
from tests.running_api import Answer, RunningApi

BALANCES = "/api/v1/tickets/validation/balances"


def cents_of(text: str) -> int:
    return int(text.replace(".", ""))


def colones(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


async def restrict(arena: Arena, **columns: Any) -> UUID:
    """A rule; columns of restriction_rules, amounts in cents."""
    rule_id = uuid4()
    names = ["banca_id", "id", *columns]
    places = ", ".join(f"${place}" for place in range(1, len(names) + 1))
    await arena.owner.execute(
        f"INSERT INTO restriction_rules ({', '.join(names)}) VALUES ({places})", arena.banca_id, rule_id,
        *columns.values(),
    )  # fmt: skip
    return rule_id


async def limit_draw(arena: Arena, cents: int | None = None, **numbers: int) -> None:
    """Of each number of the first draw; limit_draw(arena, n07=500): of one."""
    await arena.owner.execute("UPDATE sorteos SET global_limit_cents = $2 WHERE id = $1", arena.sorteo_id, cents)
    await arena.owner.executemany(
        "INSERT INTO sorteo_number_limits (banca_id, sorteo_id, number, max_amount_cents) VALUES ($1, $2, $3, $4)",
        [(arena.banca_id, arena.sorteo_id, int(name[1:]), cents) for name, cents in numbers.items()],
    )


async def limit_banca(arena: Arena, cents: int) -> None:
    await arena.owner.execute("UPDATE bancas SET global_max_per_number_cents = $2 WHERE id = $1", arena.banca_id, cents)


async def limit_whole_sales(arena: Arena, cents: int) -> None:
    await arena.owner.execute(
        "INSERT INTO banca_loteria_settings (banca_id, loteria_id, max_total_per_sorteo_cents) VALUES ($1, $2, $3)",
        arena.banca_id, arena.loteria_id, cents,
    )  # fmt: skip


async def bet(pos: Pos, arena: Arena, number: str, cents: int, **others: Any) -> Answer:
    return await pos.post(SALE, ticket(arena, jugada(number, colones(cents), **others)), key=new_key())


async def ask_balances(
    api: RunningApi, arena: Arena, person: Person, *, vendedor_id: UUID | None = None, sorteo_id: UUID | None = None
) -> Answer:
    query = f"sorteoId={sorteo_id or arena.sorteo_id}" + (f"&vendedorId={vendedor_id}" if vendedor_id else "")
    return await api.get(f"{BALANCES}?{query}", token=person.token, X_Active_Banca_Id=str(arena.banca_id))


async def balances(api: RunningApi, arena: Arena, person: Person, *, vendedor_id: UUID | None = None) -> dict[str, Any]:
    answer = await ask_balances(api, arena, person, vendedor_id=vendedor_id)
    assert answer.status == 200, answer.body
    read: dict[str, Any] = answer.json()
    return read


async def ask_exposure(api: RunningApi, arena: Arena, person: Person, query: str = "") -> Answer:
    return await api.get(
        f"/api/v1/sorteos/{arena.sorteo_id}/exposure{query}",
        token=person.token,
        X_Active_Banca_Id=str(arena.banca_id),
    )
