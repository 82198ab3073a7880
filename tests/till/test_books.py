"""Each check of the books finds what it is for, and only that: a row tampered with as the superuser."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import asyncpg
import pytest

from core.books import CHECKS, check_books
from core.database import Database, create_pool
from core.events import Event, to_wire
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.till.shop import Shop, sold
from tests.till.tickets import sale, ticket
from workers.audit import Auditor

if TYPE_CHECKING:
    from tests.arena import Owner

POLICY = '{"version": 1, "defaultPercent": "10", "rules": []}'
AGED = "interval '1 minute'"
# What every row of a last event is in: it can be taken back as if it had never been audited.
LAST_EVENT = "event_id = (SELECT max(id) FROM outbox)"

# Check → changes of which each breaks that promise and no other.
TAMPERING: dict[str, list[str]] = {
    "account_balances": ["UPDATE accounts SET balance_cents = balance_cents + 1 WHERE balance_cents <> 0"],
    "transfer_accounts": ["DELETE FROM accounts WHERE kind = 'VENTANA'"],
    "ticket_transfers": [
        # Between accounts of the house, which store no balance.
        "DELETE FROM transfers WHERE kind = 'LISTERO_COMMISSION'",
        "UPDATE transfers SET amount_cents = amount_cents + 1 WHERE kind = 'LISTERO_COMMISSION'",
        "UPDATE transfers SET debit_account_id = credit_account_id, credit_account_id = debit_account_id"
        " WHERE kind = 'LISTERO_COMMISSION'",
        "DELETE FROM transfers WHERE kind = 'LISTERO_COMMISSION_REVERSAL'",
        "UPDATE transfers SET reference_id = gen_random_uuid() WHERE kind = 'LISTERO_COMMISSION'",
        "INSERT INTO transfers SELECT (t).* FROM (SELECT t #= hstore('ordinal', '2') AS t FROM transfers t"
        " WHERE kind = 'LISTERO_COMMISSION') x",
    ],
    "ticket_jugadas": [
        "UPDATE jugadas SET commission_cents = commission_cents + 1 WHERE sequence = 1",
        "UPDATE jugadas SET listero_commission_cents = 0 WHERE sequence = 1",
        "UPDATE jugadas SET commission_origin = 'BANCA' WHERE sequence = 1",
        "UPDATE jugadas SET line = 3 WHERE line = 2",
    ],
    "exposure": [
        "UPDATE exposure SET amount_cents = amount_cents + 1 WHERE number = 7",
        "DELETE FROM exposure WHERE number = 7",
        "INSERT INTO exposure SELECT banca_id, sorteo_id, scope, scope_id, multiplier_key, 55, 1 FROM exposure LIMIT 1",
    ],
    "caps": ["UPDATE rulebook_versions SET limits = '{\"globalMaxPerNumberCents\": 399}'"],
    "rulebook_versions": ["DELETE FROM rulebook_versions"],
    "sequences": [
        "UPDATE sorteos SET last_sequence = last_sequence + 1",
        "UPDATE sorteos SET last_sequence = last_sequence - 1",
    ],
    "idempotency": [
        "DELETE FROM idempotency WHERE outcome = 'SOLD' AND sequence = 1",
        "INSERT INTO idempotency SELECT banca_id, actor_id, 'a-second-key', fingerprint, outcome, render_version,"
        " business_date, sorteo_id, sequence, violations, created_at FROM idempotency"
        " WHERE outcome = 'SOLD' AND sequence = 1",
        "UPDATE idempotency SET sequence = 1 WHERE outcome = 'CANCELLED'",
    ],
    "sold_in_time": [
        "UPDATE tickets t SET created_at = s.scheduled_at + interval '1 second' FROM sorteos s"
        " WHERE s.id = t.sorteo_id AND t.sequence = 1"
    ],
    "events_published": [f"UPDATE outbox SET published_at = NULL WHERE id = (SELECT min(id) FROM outbox)"],
    "events_audited": [
        f"DELETE FROM audit_chain WHERE {LAST_EVENT}; DELETE FROM activity_log WHERE {LAST_EVENT}",
    ],
    "audit_chain": [
        "UPDATE activity_log SET details = '{}' WHERE line = 1",
        "UPDATE activity_log SET actor_id = gen_random_uuid() WHERE line = 1",
        "UPDATE audit_chain SET hash = decode(repeat('00', 32), 'hex') WHERE position = 1",
        "UPDATE audit_chain SET position = position + 1 WHERE position = (SELECT max(position) FROM audit_chain)",
        "UPDATE outbox SET payload = (payload::jsonb || '{\"rulebookVersion\": 99}')::json WHERE type = 'tickets.sold'",
    ],
}
CHANGES = [(check, change) for check, changes in TAMPERING.items() for change in changes]

Tamper = Callable[[str], Awaitable[set[str]]]


async def audit(owner: Owner, database: TestDatabase) -> None:
    """What relay and worker would have done by now."""
    events = await owner.fetch("SELECT id, banca_id, type, payload::text, created_at FROM outbox ORDER BY id")
    pool = await create_pool(database.worker_url, size=1, timeout_s=10, application_name="tests")
    try:
        auditor = Auditor(Database(pool, acquire_timeout_s=10))
        await auditor.record([to_wire(Event(**event)) for event in events])
    finally:
        await pool.close()
    await owner.execute("UPDATE outbox SET published_at = now(), publish_count = 1")


@pytest.fixture
async def tamper(owner: Owner, arena: Arena, shop: Shop, database: TestDatabase) -> Tamper:
    """Changes right books, a minute old: tickets with commissions, of which one was cancelled, all of it audited.

    Returns the names of the checks that found something.
    """
    await owner.execute("UPDATE users SET commission_policy = $1", POLICY)
    await owner.execute("UPDATE ventanas SET commission_policy = $1", POLICY)
    await owner.execute("UPDATE bancas SET global_max_per_number_cents = 400")
    for _ in range(2):
        sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, ("07", 100), ("R07", 100)))))
    cancelled = sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, ("08", 300)))))
    await shop.cancel(arena.seller, ticket_id=cancelled.id)
    await audit(owner, database)
    await change(
        owner,
        f"UPDATE outbox SET created_at = created_at - {AGED};"
        f"UPDATE tickets SET created_at = created_at - {AGED}, cancelled_at = cancelled_at - {AGED}",
    )
    assert (await check_books(database.owner_url)).findings == ()

    async def found_after(statements: str) -> set[str]:
        await change(owner, statements)
        report = await check_books(database.owner_url)
        assert {finding.banca_id for finding in report.findings} <= {arena.banca_id}
        return {finding.check for finding in report.findings}

    return found_after


async def change(owner: Owner, statements: str) -> None:
    """As nobody but the superuser can: no trigger and no foreign key objects."""
    async with owner.transaction():
        await owner.execute("SET LOCAL session_replication_role = replica")
        await owner.execute(statements)


def test_every_check_has_its_tampering():
    assert set(TAMPERING) == set(CHECKS)


@pytest.mark.parametrize(("check", "tampering"), CHANGES, ids=[f"{check}-{n}" for n, (check, _) in enumerate(CHANGES)])
async def test_tampered_books_are_found_by_their_check_and_no_other(tamper: Tamper, check: str, tampering: str):
    assert await tamper(tampering) == {check}


async def test_events_that_nobody_carried_on_are_overdue_after_their_grace(
    owner: Owner, arena: Arena, shop: Shop, database: TestDatabase
):
    sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id))))
    assert (await check_books(database.owner_url)).findings == (), "still on their way"
    await change(owner, f"UPDATE outbox SET created_at = created_at - {AGED}")
    report = await check_books(database.owner_url)
    assert {finding.check for finding in report.findings} == {"events_published", "events_audited"}


async def test_the_books_of_one_banca_say_nothing_of_another(
    owner: Owner, arena: Arena, shop: Shop, database: TestDatabase, settings
):
    other = await Arena.create(owner, settings)
    for place in (arena, other):
        sold(await shop.sell(sale(place.seller, ticket(place.sorteo_id))))
    await change(owner, f"UPDATE exposure SET amount_cents = 1 WHERE banca_id = '{other.banca_id}'")
    findings = (await check_books(database.owner_url)).findings
    assert [(finding.check, finding.banca_id) for finding in findings] == [("exposure", other.banca_id)]
