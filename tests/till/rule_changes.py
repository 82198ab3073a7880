"""An admin who changes rules of every kind, and remembers what stood when."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from tests.arena import Arena


@dataclass
class Admin:
    """Changes rules on a connection of its own. versions: what was committed, oldest first; limits: the restrictions'
    maxTotal by rule at each of them, None for one that sets none; begun: how many changes were sent.
    """

    connection: asyncpg.Connection[asyncpg.Record]
    arena: Arena
    versions: list[int] = field(default_factory=list)
    limits: list[Mapping[str, int | None]] = field(default_factory=list)
    begun: int = 0

    @property
    def version(self) -> int:
        """Every batch that begins now is judged by this one or a later one."""
        return self.versions[-1]

    async def change(self, statement: str, *arguments: Any) -> None:
        self.begun += 1
        await self.connection.execute(statement, *arguments)
        await self.look()

    async def look(self) -> None:
        banca_id = self.arena.banca_id
        row = await self.connection.fetchrow(
            "SELECT rulebook_version, (SELECT jsonb_object_agg(id, max_total_cents) FROM restriction_rules r"
            " WHERE r.banca_id = b.id AND is_active) AS limits FROM bancas b WHERE id = $1",
            banca_id,
        )
        assert row is not None
        self.versions.append(row["rulebook_version"])
        self.limits.append(row["limits"] or {})


Change = Callable[[Admin, random.Random], Awaitable[None]]


def changes_of(arena: Arena, band: UUID) -> list[Change]:
    """Each puts or changes what it is about; now and then one takes all restrictions away."""
    seller_ids = [seller.id for seller in arena.sellers]
    pair = {"loteria_id": arena.loteria_id, "multiplier_id": band}

    def rule(**columns: Any) -> Change:
        async def put(admin: Admin, dice: random.Random) -> None:
            values = {name: value(dice) if callable(value) else value for name, value in columns.items()}
            await _put(admin, arena, values)

        return put

    async def forget(admin: Admin, _: random.Random) -> None:
        await admin.change("UPDATE restriction_rules SET is_active = false WHERE banca_id = $1", arena.banca_id)

    async def limit_draw(admin: Admin, dice: random.Random) -> None:
        sorteo_id, cents = dice.choice(arena.sorteo_ids), dice.choice([None, None, 5_000, 20_000])
        await admin.change("UPDATE sorteos SET global_limit_cents = $2 WHERE id = $1", sorteo_id, cents)

    async def limit_number(admin: Admin, dice: random.Random) -> None:
        await admin.change(
            "INSERT INTO sorteo_number_limits VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (banca_id, sorteo_id, number) DO UPDATE SET max_amount_cents = excluded.max_amount_cents",
            arena.banca_id, dice.choice(arena.sorteo_ids), dice.choice([7, 8]), _cents(dice),
        )  # fmt: skip

    async def limit_total(admin: Admin, dice: random.Random) -> None:
        await admin.change(
            "INSERT INTO banca_loteria_settings (banca_id, loteria_id, max_total_per_sorteo_cents) VALUES ($1, $2, $3)"
            " ON CONFLICT (banca_id, loteria_id)"
            " DO UPDATE SET max_total_per_sorteo_cents = excluded.max_total_per_sorteo_cents",
            arena.banca_id, arena.loteria_id, dice.choice([None, 60_000]),
        )  # fmt: skip

    return [
        rule(whole_banca=True, number=7, max_total_cents=_cents),
        rule(whole_banca=True, base_amount_cents=_cents, sales_basis_points=1_000),
        rule(ventana_id=arena.ventana_id, max_total_cents=_cents),
        rule(user_id=lambda dice: dice.choice(seller_ids), max_total_cents=_cents),
        rule(whole_banca=True, applies_to_vendedor=True, max_total_cents=_cents),
        rule(whole_banca=True, max_total_cents=_cents, **pair),
        rule(ventana_id=arena.ventana_id, **pair),
        rule(max_amount_cents=lambda dice: dice.choice([300, 700]), number=8, **pair),
        forget,
        limit_draw,
        limit_number,
        limit_total,
    ]


async def _put(admin: Admin, arena: Arena, values: dict[str, Any]) -> None:
    """A new rule, or the active one that is the same but for its amounts."""
    names = ["banca_id", "id", *values]
    places = ", ".join(f"${place + 1}" for place in range(len(names)))
    amounts = [name for name in names if name.endswith(("_cents", "_points"))] or ["message"]
    await admin.change(
        f"INSERT INTO restriction_rules ({', '.join(names)}) VALUES ({places})"
        " ON CONFLICT (banca_id, user_id, ventana_id, whole_banca, number, is_auto_date, auto_date_of, loteria_id,"
        " multiplier_id, applies_to_vendedor, applies_to_date, applies_to_hour, (sales_cutoff_minutes IS NULL)) WHERE is_active"
        f" DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in amounts)}",
        arena.banca_id, uuid4(), *values.values(),
    )  # fmt: skip


def _cents(dice: random.Random) -> int:
    return dice.choice([3_000, 9_000, 20_000, 60_000])
