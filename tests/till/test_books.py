"""Each check of the books finds what it is for: a row tampered with as the superuser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from core.books import CHECKS, PIPELINE_CHECKS, check_books
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.till.shop import Shop, sold
from tests.till.state import TILL_CHECKS, findings
from tests.till.tickets import sale, ticket

if TYPE_CHECKING:
    from tests.arena import Owner

# Check → a change that only it, or it among others, must find.
STATEMENT = "INSERT INTO statements (banca_id, dimension, entity_id, business_date, created_at, updated_at"
TAMPERING = {
    "account_balances": "UPDATE accounts SET balance_cents = balance_cents + 1 WHERE kind = 'SELLER'",
    "transfer_accounts": "UPDATE transfers SET credit_account_id = gen_random_uuid() WHERE kind = 'SALE'",
    "ticket_transfers": "DELETE FROM transfers WHERE kind = 'SALE_REVERSAL'",
    "ticket_jugadas": "UPDATE jugadas SET amount_cents = amount_cents + 1 WHERE sequence = 1",
    "exposure": "UPDATE exposure SET amount_cents = amount_cents + 1 WHERE number = 7",
    "payouts": "UPDATE exposure SET payout_cents = payout_cents + 1 WHERE number = 7",
    "caps": "UPDATE rulebook_versions SET limits = '{\"globalMaxPerNumberCents\": 150}'",
    "limits": "INSERT INTO sorteo_limit_versions SELECT banca_id, id, 0, NULL, '{\"7\": 150}' FROM sorteos",
    "rulebook_versions": "DELETE FROM rulebook_versions",
    "sequences": "UPDATE tickets SET sequence = 99 WHERE sequence = 2",
    "idempotency": "DELETE FROM idempotency WHERE outcome = 'SOLD' AND sequence = 1",
    "sold_in_time": "UPDATE sorteos SET scheduled_at = now() - interval '1 day'",
    "sold_while_open": (
        "INSERT INTO sorteo_states (banca_id, sorteo_id, ordinal, to_status, is_active, last_sequence, at)"
        " SELECT banca_id, id, 1, 'CLOSED', true, last_sequence - 1, now() FROM sorteos"
    ),
    "sorteo_states": (
        "INSERT INTO sorteo_states (banca_id, sorteo_id, ordinal, to_status, is_active, last_sequence, at)"
        " SELECT banca_id, id, 1, 'OPEN', false, last_sequence, now() FROM sorteos"
    ),
    "prizes": (
        "INSERT INTO prizes (banca_id, business_date, sorteo_id, sequence, line, evaluation, vendedor_id, x_hundredths,"
        " amount_cents) SELECT banca_id, business_date, sorteo_id, sequence, 1, 1, vendedor_id, 9000, 9000 FROM tickets"
    ),
    "prize_transfers": (
        "INSERT INTO transfers (banca_id, business_date, reference_id, event_id, kind, debit_account_id,"
        " credit_account_id, amount_cents, created_at) SELECT t.banca_id, t.business_date, t.id, 1, 'PRIZE', a.id,"
        " t.vendedor_id, 9000, now() FROM tickets t JOIN accounts a ON a.kind = 'PRIZES'"
    ),
    "results": (
        "INSERT INTO sorteo_results (banca_id, sorteo_id, evaluation, winning_number, last_sequence, progressed_at,"
        " event_id, requested_by, requested_at) SELECT banca_id, id, 1, 7, last_sequence, now(), 1, banca_id, now()"
        " FROM sorteos"
    ),
    "evaluations": (
        "INSERT INTO sorteo_results (banca_id, sorteo_id, evaluation, winning_number, last_sequence, progressed_at,"
        " event_id, requested_by, requested_at, failed_at, failure) SELECT banca_id, id, 1, 99, last_sequence, now(), 1,"
        " banca_id, now(), now(), 'x' FROM sorteos"
    ),
    "jugada_moves": "DELETE FROM jugada_moves",
    "exclusions": "UPDATE jugadas SET exclusion_id = gen_random_uuid() WHERE sequence = 1",
    "payments": (
        "INSERT INTO ticket_payments (banca_id, business_date, ticket_id, ordinal, sorteo_id, sequence, evaluation,"
        " amount_cents, method, is_final, paid_by, paid_by_role, terminal_id, created_at) SELECT banca_id, business_date,"
        " id, 1, sorteo_id, sequence, 1, 1, 'cash', false, created_by, created_by_role, terminal_id, now() FROM tickets"
    ),
    "cash_memos": (
        "INSERT INTO cash_memos (banca_id, business_date, ticket_id, sorteo_id, sequence, vendedor_id, ventana_id,"
        " cash_cents, prize_cents, created_at, updated_at) SELECT banca_id, business_date, id, sorteo_id, sequence,"
        " vendedor_id, ventana_id, 1, 0, now(), now() FROM tickets WHERE sequence = 1"
    ),
    "write_offs": (
        "INSERT INTO transfers (banca_id, business_date, reference_id, event_id, kind, debit_account_id,"
        " credit_account_id, amount_cents, created_at) SELECT t.banca_id, t.business_date, t.id, 1, 'WRITE_OFF', a.id,"
        " t.vendedor_id, 9000, now() FROM tickets t JOIN accounts a ON a.kind = 'PRIZES'"
    ),
    "sorteo_takings": (
        "INSERT INTO sorteo_results (banca_id, sorteo_id, evaluation, winning_number, state, last_sequence, progressed_at,"
        " event_id, requested_by, requested_at, settled_at, total_in_cents, net_profit_cents)"
        " SELECT banca_id, id, 1, 99, 'DONE', last_sequence, now(), 1, id, now(), now(), 0, 0 FROM sorteos"
    ),
    "movement_transfers": (
        "INSERT INTO movements (banca_id, id, dimension, entity_id, business_date, occurred_at, type, method, amount_cents,"
        " is_final, registered_by, registered_by_role, registered_by_name, created_at)"
        " SELECT banca_id, gen_random_uuid(), 'VENDEDOR', id, costa_rica_date(now()), now(), 'payment', 'cash', 1, false,"
        " id, 'ADMIN', 'x', now() FROM accounts WHERE kind = 'SELLER'"
    ),
    "statement_chain": f"{STATEMENT}, opening_cents) SELECT banca_id, 'VENTANA', id, now(), now(), now(), 1 FROM ventanas",
    "statement_ledger": (
        f"{STATEMENT}, sales_cents) SELECT banca_id, 'VENDEDOR', id, now(), now(), now(), 1 FROM accounts"
        " WHERE kind = 'SELLER'"
    ),
    "monthly_closings": (
        "INSERT INTO monthly_closings (banca_id, month, dimension, entity_id, opening_cents, sales_cents, payouts_cents,"
        " commission_cents, corrections_cents, paid_cents, collected_cents, ticket_count, closing_cents, closed_at,"
        " updated_at) SELECT id, '2026-01-01', 'BANCA', id, 1, 0, 0, 0, 0, 0, 0, 0, 1, now(), now() FROM bancas"
    ),
}


async def trade(arena: Arena, shop: Shop) -> None:
    """Two tickets that stand, and one that was cancelled."""
    for _ in range(2):
        sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, ("07", 100)))))
    cancelled = sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, ("08", 100)))))
    await shop.cancel(arena.seller, ticket_id=cancelled.id)


def test_every_check_of_the_till_has_its_tampering():
    assert set(TAMPERING) == set(TILL_CHECKS)


async def test_a_sale_whose_key_names_another_terminal_is_found(owner: Owner, arena: Arena, shop: Shop):
    await trade(arena, shop)
    await owner.execute(
        "UPDATE idempotency SET terminal_id = gen_random_uuid() WHERE outcome = 'SOLD' AND sequence = 1"
    )
    assert "idempotency" in {name for name, _ in await findings(owner, arena.banca_id)}


@pytest.mark.parametrize("check", TAMPERING)
async def test_tampered_books_are_found_by_their_check(owner: Owner, arena: Arena, shop: Shop, check: str):
    await trade(arena, shop)
    assert await findings(owner, arena.banca_id) == []
    async with owner.transaction():
        await owner.execute("SET LOCAL session_replication_role = replica")
        if check == "sold_in_time":
            await owner.execute("ALTER TABLE sorteos DROP CONSTRAINT sorteos_business_date_is_costa_ricas")
        await owner.execute(TAMPERING[check])
    assert check in {name for name, _ in await findings(owner, arena.banca_id)}


async def test_a_report_names_every_check_and_what_the_pipeline_still_owes(
    owner: Owner, arena: Arena, shop: Shop, database: TestDatabase
):
    await trade(arena, shop)
    report = await check_books(database.owner_url)
    assert report.findings == ()
    # An hour later the same events would be overdue: nobody carried them on.
    async with owner.transaction():
        await owner.execute("SET LOCAL session_replication_role = replica")
        await owner.execute("UPDATE outbox SET created_at = created_at - interval '1 hour'")
    overdue = (await check_books(database.owner_url)).findings
    assert {"events_published", "events_audited"} <= {finding.check for finding in overdue} <= PIPELINE_CHECKS
    assert set(CHECKS) >= {finding.check for finding in overdue}
