"""What the API's role can see when a query forgets its filter."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import asyncpg
import pytest

from core.database import Database, create_pool
from tests.arena import Arena
from tests.databases import TestDatabase

if TYPE_CHECKING:
    Owner = asyncpg.Connection[asyncpg.Record]

TENANT_TABLES = """
SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = 'banca_id'
 ORDER BY 1
"""


@pytest.fixture(params=["banca_api", "banca_worker"])
async def database_of_role(database: TestDatabase, request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    url = database.api_url if request.param == "banca_api" else database.worker_url
    pool = await create_pool(url, size=2, timeout_s=5, application_name="tests")
    yield Database(pool, acquire_timeout_s=5)
    await pool.close()


@pytest.fixture
async def stranger(arena: Arena) -> Arena:
    """Another tenant, with a row in every table that has tenants."""
    made = await Arena.create(arena.owner, arena.settings)
    await fill(made)
    await fill(arena)
    return made


async def fill(arena: Arena) -> None:
    """Rows that only functions write otherwise; what they say does not matter here."""
    owner, banca, day = arena.owner, arena.banca_id, "(now() - interval '6 hours')::date"
    user = await owner.fetchval("SELECT id FROM users WHERE banca_id = $1 AND role = 'VENDEDOR' LIMIT 1", banca)
    statements = [
        "INSERT INTO user_bancas (banca_id, user_id) VALUES ($1, $2)",
        (
            f"INSERT INTO tickets SELECT $1, {day}, gen_random_uuid(), 1, gen_random_uuid(), 1, 1, $2, $2, $2, 'VENDEDOR',"
            " $2, 100, 0, 0, 0, 'x', now()"
        ),
        f"INSERT INTO jugadas SELECT $1, {day}, $2, 1, 1, 7, 'NUMERO', NULL, 9000, 0, 100, 0, 0, NULL, NULL",
        f"INSERT INTO transfers SELECT $1, {day}, gen_random_uuid(), 1, 'SALE', 1, $2, gen_random_uuid(), 100, now()",
        (
            "INSERT INTO idempotency SELECT $1, $2, gen_random_uuid()::text, decode(repeat('00', 32), 'hex'), 'CLOSED', 1,"
            " NULL, NULL, NULL, NULL, now()"
        ),
        "INSERT INTO exposure SELECT $1, $2, 'BANCA', $1, $2, 7, 100",
        "INSERT INTO exposure_tracking (banca_id, sorteo_id, scope, scope_id, multiplier_key) SELECT $1, $2, 'BANCA', $1, $2",
        (
            "INSERT INTO banca_loteria_settings (banca_id, loteria_id) SELECT $1, id FROM loterias"
            " WHERE banca_id = $1 AND $2::uuid IS NOT NULL"
        ),
        (
            "INSERT INTO multiplier_overrides (banca_id, id, user_id, loteria_id, x_hundredths)"
            " SELECT $1, gen_random_uuid(), $2, id, 9000 FROM loterias WHERE banca_id = $1"
        ),
        "INSERT INTO restriction_rules (banca_id, id, user_id, max_total_cents) SELECT $1, gen_random_uuid(), $2, 100",
        (
            "INSERT INTO sorteo_number_limits SELECT $1, id, 7, 100 FROM sorteos"
            " WHERE banca_id = $1 AND $2::uuid IS NOT NULL"
        ),
        f"INSERT INTO activity_log SELECT $1, {day}, 1, 1, now(), 'TEST', $2, NULL, NULL, 'api', NULL, '{{}}'",
        (
            "INSERT INTO audit_chain SELECT $1, 1, 1, 1, x, x, x, now() FROM (SELECT decode(repeat('00', 32), 'hex') x) y"
            " WHERE $2::uuid IS NOT NULL"
        ),
        (
            "INSERT INTO sorteo_states SELECT $1, id, 1, NULL, 'OPEN', true, 0, now(), $2 FROM sorteos"
            " WHERE banca_id = $1"
        ),
        (
            "INSERT INTO sorteo_results (banca_id, sorteo_id, evaluation, winning_number, last_sequence, progressed_at,"
            " event_id, requested_by, requested_at) SELECT $1, id, 1, 7, 0, now(), 1, $2, now() FROM sorteos"
            " WHERE banca_id = $1"
        ),
        (
            "INSERT INTO evaluation_failures (banca_id, sorteo_id, evaluation, state, sequence, reason, failed_at)"
            " SELECT banca_id, sorteo_id, 1, 'RUNNING', 1, 'refused', now() FROM sorteo_results WHERE banca_id = $1"
            " AND $2::uuid IS NOT NULL"
        ),
        (
            "INSERT INTO prizes (banca_id, business_date, sorteo_id, sequence, line, evaluation, vendedor_id, x_hundredths,"
            f" amount_cents) SELECT $1, {day}, $2, 1, 1, 1, $2, 9000, 9000"
        ),
        (
            "INSERT INTO ticket_payments (banca_id, business_date, ticket_id, ordinal, sorteo_id, sequence, evaluation,"
            " amount_cents, method, is_final, paid_by, paid_by_role, terminal_id, created_at)"
            f" SELECT $1, {day}, $2, 1, $2, 1, 1, 1, 'cash', false, $2, 'VENDEDOR', $2, now()"
        ),
        (
            "INSERT INTO lista_exclusions (banca_id, id, sorteo_id, ventana_id, event_id, excluded_at, excluded_by)"
            " SELECT $1, gen_random_uuid(), s.id, v.id, 1, now(), $2 FROM sorteos s, ventanas v"
            " WHERE s.banca_id = $1 AND v.banca_id = $1"
        ),
        (
            "INSERT INTO cash_memos (banca_id, business_date, ticket_id, sorteo_id, sequence, vendedor_id, ventana_id,"
            f" cash_cents, prize_cents, created_at, updated_at) SELECT $1, {day}, $2, id, 1, $2, $2, 1, 0, now(), now()"
            " FROM sorteos WHERE banca_id = $1"
        ),
        (
            "INSERT INTO cash_memo_entries (banca_id, id, business_date, ticket_id, kind, amount_cents, reason, sorteo_id,"
            " vendedor_id, ventana_id, created_by, created_by_role, created_by_name, created_at)"
            f" SELECT $1, $2, {day}, $2, 'SETTLEMENT', 1, 'came back', id, $2, $2, $2, 'ADMIN', 'x', now() FROM sorteos"
            " WHERE banca_id = $1"
        ),
        f"INSERT INTO jugada_moves SELECT $1, {day}, $2, 1, 1, 1, false",
        f"INSERT INTO ticket_restores SELECT $1, {day}, $2, 1, 1, 1, $2, 'VENDEDOR', now()",
        (
            "INSERT INTO sorteo_takings (banca_id, business_date, sorteo_id, evaluation, vendedor_id, ventana_id, sales_cents,"
            " payouts_cents, commission_cents, vendedor_commission_cents, listero_commission_cents, ticket_count,"
            f" winning_tickets) SELECT $1, {day}, $2, 1, $2, $2, 1, 0, 0, 0, 0, 1, 0"
        ),
        (
            "INSERT INTO movements (banca_id, id, dimension, entity_id, business_date, occurred_at, type, method,"
            " amount_cents, is_final, registered_by, registered_by_role, registered_by_name, created_at)"
            " SELECT $1, $2, 'VENDEDOR', $2, costa_rica_date(now()), now(), 'payment', 'cash', 1, false, $2, 'ADMIN', 'x',"
            " now()"
        ),
        (
            "INSERT INTO balance_resets (banca_id, vendedor_id, ordinal, at, business_date, cut_days, created_at,"
            " created_by) SELECT $1, $2, 1, now(), costa_rica_date(now()), '{}', now(), $2"
        ),
        (
            "INSERT INTO statements (banca_id, dimension, entity_id, business_date, created_at, updated_at)"
            f" SELECT $1, 'VENDEDOR', $2, {day}, now(), now()"
        ),
        f"INSERT INTO statement_cuts SELECT $1, $2, {day}, 0, 0, 0, 0, 0, 1, 0",
        (
            "INSERT INTO statement_corrections (banca_id, dimension, entity_id, posted_on, ordinal, business_date,"
            " sales_cents, payouts_cents, listero_commission_cents, vendedor_commission_cents, ticket_count, paid_cents,"
            f" collected_cents, created_at) SELECT $1, 'VENDEDOR', $2, {day} + 1, 1, {day}, 0, 0, 0, 0, 0, 1, 0, now()"
        ),
        f"INSERT INTO statement_work (banca_id, dimension, entity_id, business_date) SELECT $1, 'VENDEDOR', $2, {day}",
        (
            "INSERT INTO monthly_closings (banca_id, month, dimension, entity_id, opening_cents, sales_cents,"
            " payouts_cents, commission_cents, corrections_cents, paid_cents, collected_cents, ticket_count,"
            " closing_cents, closed_at, updated_at)"
            f" SELECT $1, date_trunc('month', {day}), 'VENDEDOR', $2, 0, 0, 0, 0, 0, 0, 0, 0, 0, now(), now()"
        ),
        f"INSERT INTO closed_months SELECT $1, date_trunc('month', {day}), now() WHERE $2::uuid IS NOT NULL",
        "INSERT INTO job_settings (banca_id, job, since, updated_by, updated_at) SELECT $1, 'settlement', now(), $2, now()",
        (
            "INSERT INTO job_runs (banca_id, id, job, period, trigger, state, due_at, next_attempt_at, requested_by,"
            " requested_at) SELECT $1, gen_random_uuid(), 'settlement', '2026-01-15', 'MANUAL', 'REQUESTED', now(),"
            " now(), $2, now()"
        ),
        "INSERT INTO retention_cuts SELECT $1, 'idempotency', now() WHERE $2::uuid IS NOT NULL",
        "INSERT INTO outbox SELECT nextval('outbox_id'), $1, 'tests.done', '{}', now() WHERE $2::uuid IS NOT NULL",
    ]
    for statement in statements:
        await owner.execute(statement, banca, user)


async def tenant_tables(arena: Arena) -> list[str]:
    return [row[0] for row in await arena.owner.fetch(TENANT_TABLES)]


async def test_every_table_with_tenants_is_guarded(arena: Arena) -> None:
    guarded = {
        row[0]
        for row in await arena.owner.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relrowsecurity"
        )
    }
    assert set(await tenant_tables(arena)) <= guarded
    assert {"bancas", "inbox"} <= guarded


async def seen(database: Database, table: str, banca_id: UUID) -> set[UUID]:
    """The tenants whose rows a query without a filter sees."""
    async with database.tenant(banca_id) as connection:
        return {row[0] for row in await connection.fetch(f"SELECT DISTINCT banca_id FROM {table}")}


async def test_another_tenants_rows_do_not_exist(database_of_role: Database, arena: Arena, stranger: Arena) -> None:
    unreadable = set()
    for table in await tenant_tables(arena):
        both = {row[0] for row in await arena.owner.fetch(f"SELECT DISTINCT banca_id FROM {table}")}
        assert {arena.banca_id, stranger.banca_id} <= both or table.endswith(tuple("0123456789")), f"{table} is empty"
        try:
            for banca in (arena, stranger):
                if table == "outbox":
                    await seen(database_of_role, table, banca.banca_id)
                    continue  # The pipeline carries every banca's events; the API may not look at all.
                assert await seen(database_of_role, table, banca.banca_id) <= {banca.banca_id}, table
        except asyncpg.InsufficientPrivilegeError:
            unreadable.add(table)
    parents = {table for table in unreadable if not table[-1].isdigit()}
    assert parents <= {"sessions", "outbox"}


async def test_a_tenants_own_rows_are_there(database_of_role: Database, arena: Arena, stranger: Arena) -> None:
    for table in ("ventanas", "terminals", "loterias", "sorteos", "accounts", "tickets", "jugadas", "transfers",
                  "idempotency", "exposure", "activity_log", "audit_chain", "user_bancas"):  # fmt: skip
        assert await seen(database_of_role, table, arena.banca_id) == {arena.banca_id}, table


async def test_without_a_tenant_nothing_is_seen(database_of_role: Database, arena: Arena, stranger: Arena) -> None:
    for table in await tenant_tables(arena):
        async with database_of_role.connection() as connection:
            try:
                rows = await connection.fetch(f"SELECT 1 FROM {table} LIMIT 1")
            except asyncpg.InsufficientPrivilegeError:
                continue
        # The pipeline carries every banca's events.
        assert not rows or table == "outbox", table


async def test_a_row_of_another_tenant_can_be_neither_written_nor_taken(
    database: TestDatabase, arena: Arena, stranger: Arena
) -> None:
    pool = await create_pool(database.api_url, size=1, timeout_s=5, application_name="tests")
    api = Database(pool, acquire_timeout_s=5)
    insert = "INSERT INTO terminals (banca_id, id, ventana_id, master_key_id) VALUES ($1, $2, $3, 'k1')"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with api.tenant(arena.banca_id, readonly=False) as connection:
            await connection.execute(insert, stranger.banca_id, uuid4(), stranger.ventana_id)
    async with api.tenant(arena.banca_id, readonly=False) as connection:
        changed = await connection.execute("UPDATE terminals SET is_active = false")
        assert changed == f"UPDATE {len(arena.sellers)}"
    active = "SELECT bool_and(is_active) FROM terminals WHERE banca_id = $1"
    assert await arena.owner.fetchval(active, stranger.banca_id) is True
    await pool.close()


@pytest.mark.parametrize("table", ["transfers", "tickets", "idempotency", "activity_log", "audit_chain", "accounts"])
@pytest.mark.parametrize("change", ["UPDATE {} SET banca_id = banca_id", "DELETE FROM {}"])
async def test_history_cannot_be_changed_by_the_applications_roles(
    database_of_role: Database, arena: Arena, stranger: Arena, table: str, change: str
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with database_of_role.tenant(arena.banca_id, readonly=False) as connection:
            await connection.execute(change.format(table))


async def test_the_tenant_does_not_stay_with_the_connection(database_of_role: Database, arena: Arena) -> None:
    async with database_of_role.tenant(arena.banca_id) as connection:
        assert await connection.fetchval("SELECT current_banca()") == arena.banca_id
    async with database_of_role.connection() as connection:
        assert await connection.fetchval("SELECT current_banca()") is None
