"""Settled days stay as they are for ever; what is found out later is posted on a later day."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from core.domain.calendar import COSTA_RICA
from tests.databases import TestDatabase
from tests.statements.office import DIMENSIONS, Office, noon
from tests.till.locks import waiting

DAY = timedelta(days=1)


async def settled_through(office: Office) -> date | None:
    day: date | None = await office.arena.owner.fetchval(
        "SELECT max(business_date) FROM statements WHERE settled_at IS NOT NULL"
    )
    return day


async def test_only_days_before_the_cutoff_are_settled_the_oldest_first(office: Office, sold: date) -> None:
    """SET-1's edge, and the batch's."""
    assert await office.settle(sold) == (0, 0, 0)
    assert await office.settle(sold + DAY, limit=2) == (2, 0, 1)
    assert await office.settle(sold + DAY, limit=2) == (1, 0, 0)
    assert await office.settle(sold + DAY) == (0, 0, 0)
    assert await office.findings() == []


async def test_nothing_is_closed_that_waits_to_be_computed(office: Office, sold: date) -> None:
    await office.revert()
    settled, skipped, pending = await office.settle(sold + DAY)
    assert (settled, skipped, pending) == (0, 3, 3)
    assert await settled_through(office) is None


async def test_a_settled_day_stays_and_its_correction_is_posted_later(office: Office, sold: date) -> None:
    before = await office.day(sold)
    await office.settle(sold + DAY)
    await office.revert()
    await office.evaluate("15")
    today = sold + 9 * DAY
    await office.compute_on(today)
    after = await office.day(sold)
    assert after["settled_at"] is not None
    assert {name: after[name] for name in before if name not in ("settled_at", "updated_at")} == {
        name: value for name, value in before.items() if name not in ("settled_at", "updated_at")
    }
    row = await office.day(today)
    assert await office.close_month(sold.replace(day=1)) == len(DIMENSIONS)
    # The prize was 450.00, and is 99,500 × 90 cents now.
    assert row["corrections_cents"] == 45_000 - 99_500 * 90
    assert row["closing_cents"] == before["closing_cents"] + row["corrections_cents"]
    await office.revert()
    await office.evaluate("07")
    await office.compute_on(today + DAY)
    assert (await office.day(today + DAY))["closing_cents"] == before["closing_cents"]
    assert await office.findings() == []


async def test_whoever_writes_a_settled_day_is_refused(office: Office, sold: date) -> None:
    await office.settle(sold + DAY)
    for statement in ("UPDATE statements SET sales_cents = 0", "DELETE FROM statements"):
        with pytest.raises(asyncpg.CheckViolationError, match="settled"):
            await office.arena.owner.execute(statement)


@pytest.mark.parametrize("days", [-1, 0])
async def test_no_movement_on_a_closed_day(office: Office, sold: date, days: int) -> None:
    await office.settle(sold + DAY)
    before = await office.arena.owner.fetchval("SELECT count(*) FROM transfers")
    row = await office.move(sold + days * DAY, 100, now=noon(sold + 9 * DAY))
    assert (row["outcome"], row["settled_through"]) == ("STATEMENT_SETTLED", sold)
    assert await office.arena.owner.fetchval("SELECT count(*) FROM transfers") == before
    assert await office.reset(datetime.now(COSTA_RICA) - 3 * DAY, now=noon(sold + 9 * DAY)) == "STATEMENT_SETTLED"
    assert await office.findings() == []


@pytest.mark.parametrize(("kind", "cents"), [("collection", 5_000), ("payment", -5_000)])
async def test_a_movement_of_a_closed_day_is_taken_back_today(
    office: Office, sold: date, kind: str, cents: int
) -> None:
    today = sold + 9 * DAY
    payment = (await office.move(sold, 5_000, kind=kind, now=noon(today)))["answer"]["payment"]
    closing = (await office.day(sold))["closing_cents"]
    await office.settle(sold + DAY)
    assert (await office.reverse(UUID(payment["id"]), now=noon(today)))["outcome"] == "REVERSED"
    assert (await office.day(sold))["closing_cents"] == closing
    assert (await office.day(today))["closing_cents"] == closing + cents
    assert await office.findings() == []


@pytest.mark.parametrize(
    ("kind", "cents", "owed", "is_carried"),
    [("collection", 54_999, 1, True), ("collection", 55_000, 0, False), ("collection", 60_000, -5_000, True)],
)
async def test_who_owes_or_is_owed_is_carried_to_today(
    office: Office, sold: date, kind: str, cents: int, owed: int, is_carried: bool
) -> None:
    today = sold + 2 * DAY
    await office.move(sold, cents, kind=kind, now=noon(today))
    row = await office.arena.owner.fetchrow(
        "SELECT created, skipped, last FROM carry_forward($1, $2)", office.arena.banca_id, today
    )
    assert row is not None
    # Besides the seller: another one without a history, a ventana and a banca that owe.
    assert tuple(row) == (2 + is_carried, 2 - is_carried, None)
    day = await office.day(today)
    assert day.get("closing_cents", 0) == day.get("opening_cents", 0) == owed
    again = await office.arena.owner.fetchval("SELECT created FROM carry_forward($1, $2)", office.arena.banca_id, today)
    assert again == 0
    assert await office.findings() == []


async def test_what_a_reset_left_out_of_a_settled_day_changes_with_its_draw(office: Office) -> None:
    await office.arena.owner.execute("UPDATE instance SET test_clock = true")
    await office.sell(("07", 500), ("15", 99_500))
    day = await office.day_of_draw()
    later = noon(day + DAY)
    assert await office.reset(datetime.now(UTC), now=later) == "DONE"
    await office.sell(("15", 1_000))
    await office.evaluate("07")
    await office.compute()
    assert await office.findings() == []
    await office.settle(day + DAY)
    await office.revert()
    await office.compute_on(day + 9 * DAY)
    assert await office.findings() == []


async def test_who_waits_to_be_computed_keeps_nobody_from_being_settled(office: Office, sold: date) -> None:
    """However many wait, and however old: a batch is filled with the others."""
    await office.move(sold - DAY, 100)
    await office.arena.owner.execute(
        "INSERT INTO statement_work (banca_id, dimension, entity_id, business_date) SELECT $1, 'VENDEDOR', $2, $3",
        office.arena.banca_id, office.arena.seller.id, sold - DAY,
    )  # fmt: skip
    assert await office.settle(sold + DAY, limit=1) == (1, 1, 2)
    assert await office.settle(sold + DAY, limit=1) == (1, 1, 1)
    assert await office.settle(sold + DAY, limit=1) == (0, 1, 1)
    await office.compute()
    assert await office.settle(sold + DAY, limit=1) == (1, 0, 0)
    assert await office.findings() == []


@pytest.mark.parametrize("days_before", [0, 1])
async def test_work_that_arrives_while_the_settlement_waits_keeps_its_day_open(
    office: Office, sold: date, database: TestDatabase, days_before: int
) -> None:
    """The settlement chose its days before it held their statements: what it waited for may have changed them."""
    owner = office.arena.owner
    settler, writer = [
        await asyncpg.connect(database.owner_url, server_settings={"application_name": name})
        for name in ("shop", "writer")
    ]
    try:
        async with writer.transaction():
            # Who writes the seller's statements, and asks for them again.
            await writer.execute("SELECT set_config('app.banca_id', $1, true)", str(office.arena.banca_id))
            await writer.execute("SELECT lock_statements(ARRAY[$1::uuid])", office.arena.seller.id)
            settling = asyncio.create_task(
                settler.fetchrow(
                    "SELECT settled, skipped, pending FROM settle_statements($1, $2, 1000, NULL)",
                    office.arena.banca_id, sold + DAY,
                )
            )  # fmt: skip
            await waiting(owner)
            await writer.execute(
                "INSERT INTO statement_work (banca_id, dimension, entity_id, business_date)"
                " VALUES ($1, 'VENDEDOR', $2, $3)",
                office.arena.banca_id, office.arena.seller.id, sold - days_before * DAY,
            )  # fmt: skip
        row = await settling
    finally:
        await settler.close()
        await writer.close()
    assert row is not None
    assert tuple(row) == (2, 1, 1)
    open_days = await owner.fetch("SELECT dimension::text FROM statements WHERE settled_at IS NULL")
    assert [day["dimension"] for day in open_days] == ["VENDEDOR"]
    await office.compute()
    assert await office.settle(sold + DAY) == (1, 0, 0)
    assert await office.findings() == []


async def test_the_oldest_days_are_settled_first_whoevers_they_are(office: Office, sold: date) -> None:
    later = await office.arena.add_sorteo(minutes=3 * 24 * 60)
    await office.sell(("07", 500), sorteo_id=later)
    await office.evaluate("15", sorteo_id=later)
    await office.compute_on(await office.day_of_draw(later))
    for _ in range(len(DIMENSIONS)):
        assert (await office.settle(sold + 30 * DAY, limit=1))[0] == 1
        assert await settled_through(office) == sold
    assert (await office.settle(sold + 30 * DAY, limit=1))[0] == 1
    assert await settled_through(office) == await office.day_of_draw(later)
    assert await office.findings() == []


async def test_what_another_worker_computes_is_passed_over(office: Office, sold: date, database: TestDatabase) -> None:
    """Nobody waits for it, and nothing is computed twice."""
    arena = office.arena
    await arena.owner.execute(
        "INSERT INTO statement_work (banca_id, dimension, entity_id, business_date) VALUES ($1, 'VENDEDOR', $2, $3)",
        arena.banca_id, arena.seller.id, sold,
    )  # fmt: skip
    other = await asyncpg.connect(database.owner_url)
    computing = "SELECT done FROM recompute_statements($1, 100)"
    try:
        async with other.transaction():
            assert await other.fetchval(computing, arena.banca_id) == 1
            assert await arena.owner.fetchval(computing, arena.banca_id, timeout=10) == 0
    finally:
        await other.close()
    assert await office.findings() == []
