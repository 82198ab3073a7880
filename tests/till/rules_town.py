"""The people and products of a banca on which scenarios of rules are played, one after another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from core.domain.permissions import Role
from core.settings import Settings
from core.till.order import Actor
from tests.arena import Arena
from tests.till.rules_terms import BASIS_POINTS, VENTANAS
from tests.till.tickets import actor_for, actor_of

if TYPE_CHECKING:
    from tests.arena import Owner

# What a scenario leaves behind, besides the rules that it made.
SOLD = ["tickets", "jugadas", "jugada_moves", "transfers", "exposure", "exposure_tracking", "idempotency", "outbox"]
RULES = ["restriction_rules", "banca_loteria_settings", "sorteo_number_limits", "sorteo_limit_versions"]
DRAWS = ["sorteo_states", "sorteos", "rulebook_versions"]


@dataclass(repr=False)
class Town:
    """Two lotteries, two ventanas, three sellers, and those who sell in their names."""

    arena: Arena
    lotteries: list[UUID]
    multipliers: list[list[UUID]]
    ventanas: list[UUID]
    actors: dict[tuple[int, str], Actor]

    @classmethod
    async def build(cls, owner: Owner, settings: Settings) -> Town:
        await owner.execute("UPDATE instance SET test_clock = true")
        async with owner.transaction():
            arena = await Arena.create(owner, settings, sellers=0, sorteos=0)
            await owner.execute("UPDATE bancas SET sales_cutoff_minutes = 5 WHERE id = $1", arena.banca_id)
            ventanas = [arena.ventana_id, await arena.add_ventana()]
            for ventana, basis_points in zip(VENTANAS, BASIS_POINTS, strict=True):
                seller = await arena.add_seller(ventana_id=ventanas[ventana])
                arena.sellers.append(seller)
                if basis_points is not None:
                    await arena.give_policy("users", seller.id, f"{basis_points / 100:.2f}")
            other = replace(arena, loteria_id=uuid4())
            await owner.execute(
                "INSERT INTO loterias (banca_id, id, name, rules) SELECT banca_id, $1, 'Nica', rules FROM loterias",
                other.loteria_id,
            )
            multipliers = [[arena.multiplier_id], [await other.add_multiplier("Base", 9_000)]]
            for place, of_loteria in enumerate([arena, other]):
                multipliers[place].append(await of_loteria.add_multiplier("Alta", 9_500))
                multipliers[place].append(await of_loteria.add_multiplier("Extra", 20_000, kind="REVENTADO"))
            actors = await _actors(arena, ventanas)
            await owner.execute("UPDATE sessions SET expires_at = '2040-01-01'")
        return cls(arena, [arena.loteria_id, other.loteria_id], multipliers, ventanas, actors)

    async def forget(self) -> None:
        """What the last scenario made of it."""
        owner, banca_id = self.arena.owner, self.arena.banca_id
        async with owner.transaction():
            await owner.execute("SET LOCAL session_replication_role = replica")
            for table in SOLD + RULES + DRAWS:
                await owner.execute(f"DELETE FROM {table} WHERE banca_id = $1", banca_id)
            await owner.execute("UPDATE bancas SET global_max_per_number_cents = NULL WHERE id = $1", banca_id)
            await owner.execute(
                "UPDATE accounts SET balance_cents = 0, credit_limit_cents = NULL"
                " WHERE banca_id = $1 AND kind = 'SELLER'",
                banca_id,
            )
            await owner.execute("SET LOCAL session_replication_role = origin")
            await owner.execute("SELECT bump_rulebook($1)", banca_id)


async def _actors(arena: Arena, ventanas: list[UUID]) -> dict[tuple[int, str], Actor]:
    admin, of_banca = await arena.add_user(Role.ADMIN), await arena.add_user(Role.BANCA)
    of_ventana = [await arena.add_user(Role.VENTANA, ventana_id=ventana_id) for ventana_id in ventanas]
    found: dict[tuple[int, str], Actor] = {}
    for place, seller in enumerate(arena.sellers):
        people = {"ADMIN": admin, "BANCA": of_banca, "VENTANA": of_ventana[VENTANAS[place]]}
        found[place, "SELF"] = actor_of(seller)
        for name, person in people.items():
            found[place, name] = actor_for(person, arena.banca_id, seller.terminal)
    return found
