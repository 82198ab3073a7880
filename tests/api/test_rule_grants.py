"""What the API's role may write of the rules: these columns of these tables, and nothing besides."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from core.database import Database, create_pool
from tests.arena import Arena
from tests.databases import TestDatabase

COLUMNS = """
SELECT table_name, string_agg(column_name, ' ' ORDER BY column_name)
  FROM information_schema.column_privileges
 WHERE grantee = 'banca_api' AND table_schema = 'public' AND privilege_type = $1
   AND table_name IN ('bancas', 'ventanas', 'users', 'loterias', 'loteria_multipliers', 'sorteos')
 GROUP BY 1
"""
TABLES = """
SELECT table_name, string_agg(privilege_type, ' ' ORDER BY privilege_type)
  FROM information_schema.table_privileges
 WHERE grantee = 'banca_api' AND table_schema = 'public'
   AND table_name IN ('restriction_rules', 'multiplier_overrides', 'banca_loteria_settings', 'sorteo_number_limits',
                      'rulebook_versions')
 GROUP BY 1
"""


async def test_of_a_row_the_api_may_write_its_rules_only(owner: asyncpg.Connection[asyncpg.Record]) -> None:
    assert await granted(owner, COLUMNS, "UPDATE") == {
        "bancas": "commission_policy default_min_bet_cents global_max_per_number_cents number_payout_max_cents"
        " sales_cutoff_minutes ventana_max_commission_basis_points ventana_max_multiplier_x_hundredths ventana_writes",
        "ventanas": "commission_policy updated_at",
        "users": "commission_policy updated_at",
        "loterias": "is_active name rules updated_at",
        "loteria_multipliers": "applies_to_date is_active name updated_at value_x_hundredths",
        "sorteos": "global_limit_cents updated_at",
    }
    assert await granted(owner, COLUMNS, "INSERT") == {
        "loteria_multipliers": "applies_to_date banca_id id kind loteria_id name value_x_hundredths"
    }


async def test_rules_are_switched_off_and_never_deleted(owner: asyncpg.Connection[asyncpg.Record]) -> None:
    assert await granted(owner, TABLES) == {
        "restriction_rules": "INSERT SELECT UPDATE",
        "multiplier_overrides": "INSERT SELECT UPDATE",
        "banca_loteria_settings": "INSERT SELECT UPDATE",
        "sorteo_number_limits": "DELETE INSERT SELECT UPDATE",
        "rulebook_versions": "SELECT",
    }


async def granted(owner: asyncpg.Connection[asyncpg.Record], question: str, *values: str) -> dict[str, str]:
    return {row[0]: row[1] for row in await owner.fetch(question, *values)}


WRITES = {
    "bancas": "UPDATE bancas SET sales_cutoff_minutes = 30",
    "ventanas": "UPDATE ventanas SET commission_policy = '{}'",
    "users": "UPDATE users SET commission_policy = '{}'",
    "loterias": "UPDATE loterias SET rules = '{}'",
    "loteria_multipliers": "UPDATE loteria_multipliers SET value_x_hundredths = 1",
    "sorteos": "UPDATE sorteos SET global_limit_cents = 1",
    "restriction_rules": "UPDATE restriction_rules SET is_active = false",
    "multiplier_overrides": "UPDATE multiplier_overrides SET is_active = false",
    "banca_loteria_settings": "UPDATE banca_loteria_settings SET is_active = false",
    "sorteo_number_limits": "DELETE FROM sorteo_number_limits",
}


@pytest.mark.parametrize("table", WRITES)
async def test_a_write_that_forgets_its_filter_touches_no_other_banca(
    database: TestDatabase, arena: Arena, table: str
) -> None:
    stranger = await Arena.create(arena.owner, arena.settings)
    for banca in (arena, stranger):
        await add_rules(banca)
    mine, theirs = (f"SELECT md5(string_agg(t::text, '')) FROM {table} t WHERE {tenant} = $1" for tenant in
                    ["id" if table == "bancas" else "banca_id"] * 2)  # fmt: skip
    before = [await arena.owner.fetchval(mine, arena.banca_id), await arena.owner.fetchval(theirs, stranger.banca_id)]
    pool = await create_pool(database.api_url, size=1, timeout_s=5, application_name="tests")
    async with Database(pool, acquire_timeout_s=5).tenant(arena.banca_id, readonly=False) as connection:
        await connection.execute(WRITES[table])
    await pool.close()
    after = [await arena.owner.fetchval(mine, arena.banca_id), await arena.owner.fetchval(theirs, stranger.banca_id)]
    assert after[0] != before[0]
    assert after[1] == before[1]


async def add_rules(arena: Arena) -> None:
    rows: list[tuple[str, tuple[Any, ...]]] = [
        ("restriction_rules (banca_id, id, whole_banca, max_total_cents) VALUES ($1, $2, true, 1)", (uuid4(),)),
        (
            "multiplier_overrides (banca_id, id, user_id, loteria_id, x_hundredths) VALUES ($1, $2, $3, $4, 1)",
            (uuid4(), arena.seller.id, arena.loteria_id),
        ),
        ("banca_loteria_settings (banca_id, loteria_id) VALUES ($1, $2)", (arena.loteria_id,)),
        ("sorteo_number_limits VALUES ($1, $2, 7, 100)", (arena.sorteo_id,)),
    ]
    for row, values in rows:
        await arena.owner.execute(f"INSERT INTO {row}", arena.banca_id, *values)
