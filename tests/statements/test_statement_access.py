"""Whose statements the roles see (§5.8): of every scope and dimension, and of ids that are not theirs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest

from core.domain.permissions import Role
from tests.arena import Arena
from tests.running_api import Answer, RunningApi
from tests.statements.clerk import Clerk, days_ago

VENDEDOR, VENTANA, BANCA, ADMIN = Role.VENDEDOR, Role.VENTANA, Role.BANCA, Role.ADMIN
FORBIDDEN, INVALID, UNKNOWN = (403, "FORBIDDEN"), (400, "INVALID_DIMENSION"), (404, "ENTITY_NOT_FOUND")
# role, scope, dimension: whose days it answers, or with which problem.
SCOPES: list[tuple[Role, str | None, str | None, Any]] = [
    (VENDEDOR, None, None, {"seller"}), (VENDEDOR, "mine", "vendedor", {"seller"}),
    (VENDEDOR, "mine", "ventana", INVALID), (VENDEDOR, "mine", "banca", INVALID),
    (VENDEDOR, "ventana", "vendedor", FORBIDDEN), (VENDEDOR, "all", "vendedor", FORBIDDEN),
    (VENTANA, None, None, {"ventana"}), (VENTANA, "mine", None, {"ventana"}), (VENTANA, "mine", "ventana", {"ventana"}),
    (VENTANA, "mine", "vendedor", INVALID), (VENTANA, "mine", "banca", INVALID),
    (VENTANA, "ventana", None, {"seller", "colleague"}), (VENTANA, "ventana", "vendedor", {"seller", "colleague"}),
    (VENTANA, None, "vendedor", {"seller", "colleague"}), (VENTANA, None, "banca", INVALID),
    (VENTANA, "ventana", "ventana", INVALID), (VENTANA, "ventana", "banca", INVALID),
    *((VENTANA, "all", dimension, FORBIDDEN) for dimension in (None, "vendedor", "ventana", "banca")),
    *(
        (role, scope, dimension, whose)
        for role in (BANCA, ADMIN)
        for scope in (None, "mine", "ventana", "all")
        for dimension, whose in (
            (None, {"banca"}), ("banca", {"banca"}), ("ventana", {"ventana", "elsewhere"}),
            ("vendedor", {"seller", "colleague", "foreign"}),
        )
    ),
]  # fmt: skip
# role, query: whose days, or which problem. Names in braces are ids.
IDS: list[tuple[Role, str, Any]] = [
    (VENDEDOR, "vendedorId={seller}", {"seller"}), (VENDEDOR, "vendedorId={colleague}", UNKNOWN),
    (VENDEDOR, "ventanaId={ventana}&bancaId={banca}", {"seller"}), (VENDEDOR, "ventanaId={elsewhere}", UNKNOWN),
    (VENDEDOR, "bancaId={stranger}", UNKNOWN), (VENDEDOR, "ignoreReset=true", FORBIDDEN),
    (VENTANA, "vendedorId={seller}", {"seller"}), (VENTANA, "vendedorId={foreign}", UNKNOWN),
    (VENTANA, "vendedorId={nobody}", UNKNOWN), (VENTANA, "ventanaId={elsewhere}", UNKNOWN),
    (VENTANA, "scope=mine&vendedorId={seller}", INVALID), (VENTANA, "ventanaId={ventana}", {"ventana"}),
    (BANCA, "vendedorId={foreign}", {"foreign"}), (BANCA, "ventanaId={elsewhere}", {"elsewhere"}),
    (BANCA, "ventanaId={elsewhere}&dimension=vendedor", {"foreign"}), (BANCA, "vendedorId={nobody}", UNKNOWN),
    (BANCA, "ventanaId={nobody}", UNKNOWN), (BANCA, "bancaId={nobody}", UNKNOWN),
    (BANCA, "vendedorId={seller}&dimension=ventana", INVALID), (BANCA, "ventanaId={ventana}&dimension=banca", INVALID),
    (BANCA, "vendedorId={stranger_seller}", UNKNOWN), (BANCA, "ventanaId={stranger_ventana}", UNKNOWN),
    (BANCA, "bancaId={stranger}", UNKNOWN), (ADMIN, "vendedorId={stranger_seller}", UNKNOWN),
    (ADMIN, "bancaId={banca}", {"banca"}), (ADMIN, "dimension=everything", (400, "VALIDATION_FAILED")),
]  # fmt: skip


@dataclass(frozen=True)
class Town:
    """Everybody has a movement of yesterday, each of another amount."""

    clerks: dict[Role, Clerk]
    ids: dict[str, UUID]

    def whose(self, answer: Answer) -> set[str]:
        """Who is in the answer."""
        names = {str(entity): name for name, entity in self.ids.items()}
        found = set()
        for day in answer.json()["statements"]:
            lines = day.get("byVendedor") or day.get("byVentana") or ([day] if day["id"] else [])
            found |= {names[line["id"].split(":")[1]] for line in lines}
        return found


@pytest.fixture
async def town(api: RunningApi, arena: Arena) -> Town:
    elsewhere = await arena.add_ventana()
    foreign = await arena.add_seller(ventana_id=elsewhere)
    stranger = await Arena.create(arena.owner, arena.settings)
    ids = {
        "seller": arena.seller.id, "colleague": arena.sellers[1].id, "foreign": foreign.id, "ventana": arena.ventana_id,
        "elsewhere": elsewhere, "banca": arena.banca_id, "nobody": uuid4(), "stranger": stranger.banca_id,
        "stranger_seller": stranger.seller.id, "stranger_ventana": stranger.ventana_id,
    }  # fmt: skip
    boss, other = await Clerk.of(api, arena), await Clerk.of(api, stranger)
    for name, field in (("seller", "vendedorId"), ("colleague", "vendedorId"), ("foreign", "vendedorId"),
                        ("ventana", "ventanaId"), ("elsewhere", "ventanaId"), ("banca", "bancaId")):  # fmt: skip
        await boss.moved(**{field: ids[name]})
    await other.moved(vendedorId=stranger.seller.id)
    clerks = {
        VENDEDOR: Clerk(api, arena.seller),
        VENTANA: await Clerk.of(api, arena, VENTANA),
        BANCA: boss,
        ADMIN: Clerk(api, await arena.add_user(ADMIN, has_banca=False), arena.banca_id),
    }
    return Town(clerks, ids)


async def test_every_scope_and_dimension_answers_each_role_with_its_own(town: Town) -> None:
    for role, scope, dimension, expected in SCOPES:
        given = {"scope": scope, "dimension": dimension, "date": days_ago(1)}
        query = "&".join(f"{name}={value}" for name, value in given.items() if value is not None)
        await require(town, role, query, expected)


async def test_ids_reach_as_far_as_the_role(town: Town) -> None:
    for role, query, expected in IDS:
        await require(town, role, query.format_map(town.ids) + f"&date={days_ago(1)}", expected)


async def require(town: Town, role: Role, query: str, expected: Any) -> None:
    """Of the statement, of the balance, and of the draws of the day."""
    for path in ("/statement?", "/balance/current?", f"/statement/{days_ago(1)}/bySorteo?"):
        asked = query
        if path != "/statement?":
            asked = query.replace(f"&date={days_ago(1)}", "").replace(f"date={days_ago(1)}", "")
        if "ignoreReset" in asked and path != "/statement?":
            continue
        answer = await town.clerks[role].send("GET", path + asked)
        if isinstance(expected, tuple):
            assert (answer.status, answer.code) == expected, (role, path, query)
        else:
            assert answer.status == 200, (role, path, query, answer.body)
            if path == "/statement?":
                assert town.whose(answer) == expected, (role, query)
