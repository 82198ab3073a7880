"""The days of statements: the worked examples of the domain (§14.6), to the cent."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import pytest

from core.domain.calendar import COSTA_RICA
from tests.statements.office import Office, noon

DAY = timedelta(days=1)


@pytest.fixture
async def sold(office: Office) -> date:
    """STM's day: sales 100,000; prizes 45,000; listero's commission 15,000; the seller's own 10,000."""
    await office.arena.give_policy("users", office.arena.seller.id, "10")
    await office.arena.give_policy("ventanas", office.arena.ventana_id, "15")
    await office.sell(("07", 50_000), ("15", 9_950_000))
    await office.evaluate("07")
    await office.compute()
    return await office.day_of_draw()


async def closing(office: Office, day: date, *, dimension: str = "VENDEDOR", entity_id: UUID | None = None) -> int:
    return int((await office.day(day, dimension=dimension, entity_id=entity_id))["closing_cents"])


async def test_a_day_is_what_its_draws_come_to(office: Office, sold: date) -> None:
    """STM-1 and STM-2."""
    arena = office.arena
    seller = await office.day(sold)
    assert (seller["sales_cents"], seller["payouts_cents"], seller["ticket_count"]) == (10_000_000, 4_500_000, 1)
    assert (seller["vendedor_commission_cents"], seller["listero_commission_cents"]) == (1_000_000, 1_500_000)
    assert seller["balance_cents"] == 4_500_000
    for dimension, entity in (("VENTANA", arena.ventana_id), ("BANCA", arena.banca_id)):
        assert (await office.day(sold, dimension=dimension, entity_id=entity))["balance_cents"] == 4_000_000
    assert await office.findings() == []


async def test_movements_change_their_own_entity_alone_and_are_carried_on(office: Office, sold: date) -> None:
    """STM-4 and STM-9; and each moves the ledger."""
    arena = office.arena
    await arena.owner.execute("UPDATE instance SET test_clock = true")
    later = datetime.combine(sold + 3 * DAY, time(12), COSTA_RICA)
    for amount, kind in ((500_000, "payment"), (800_000, "collection")):
        assert (await office.move(sold, amount, kind=kind, now=later))["outcome"] == "REGISTERED"
    assert await closing(office, sold) == 4_500_000 + 500_000 - 800_000
    assert await closing(office, sold, dimension="VENTANA", entity_id=arena.ventana_id) == 4_000_000
    answer = await office.move(sold + DAY, 100, now=later)
    assert answer["answer"]["statement"]["openingCents"] == 4_200_000
    balance = await arena.owner.fetchval("SELECT balance_cents FROM accounts WHERE id = $1", arena.seller.id)
    assert (answer["account_id"], answer["balance_cents"], balance) == (arena.seller.id, -4_199_900, -4_199_900)
    for dimension, entity in (("VENTANA", arena.ventana_id), ("BANCA", arena.banca_id)):
        await office.move(sold, 700, kind="payment", dimension=dimension, entity_id=entity, now=later)
        assert await closing(office, sold, dimension=dimension, entity_id=entity) == 4_000_700
    assert await office.findings() == []


async def test_a_late_change_of_an_early_day_moves_all_later_ones(office: Office, sold: date) -> None:
    await office.arena.owner.execute("UPDATE instance SET test_clock = true")
    later = datetime.combine(sold + 9 * DAY, time(12), COSTA_RICA)
    for days in (8, 1, 4):
        await office.move(sold + days * DAY, 100, now=later)
    before = [await closing(office, sold + days * DAY) for days in (1, 4, 8)]
    assert before == [4_499_900, 4_499_800, 4_499_700]
    await office.move(sold - DAY, 1_000, kind="payment", now=later)
    assert [await closing(office, sold + days * DAY) for days in (1, 4, 8)] == [each + 1_000 for each in before]
    await office.revert()
    await office.compute()
    assert [await closing(office, sold + days * DAY) for days in (0, 1, 4, 8)] == [1_000, 900, 800, 700]
    assert await office.findings() == []


async def test_a_wrong_result_corrected_ends_like_a_right_one(office: Office, sold: date) -> None:
    right = await office.day(sold)
    await office.revert()
    await office.evaluate("15")
    await office.compute()
    assert (await office.day(sold))["payouts_cents"] == 9_950_000 * 90
    await office.revert()
    await office.evaluate("07")
    await office.compute()
    assert await office.day(sold) | {"updated_at": None} == right | {"updated_at": None}
    assert await office.findings() == []


async def test_excluded_and_cancelled_tickets_drop_from_the_day(office: Office) -> None:
    """STM-11: what does not count when the draw is evaluated is on no statement."""
    other = office.arena.sellers[1]
    await office.sell(("07", 2_000_000), seller=other)
    cancelled = await office.sell(("07", 300))
    await office.sell(("15", 700))
    await office.shop.cancel(office.arena.seller, ticket_id=cancelled)
    await office.exclude(other)
    await office.evaluate("07")
    await office.compute()
    day = await office.day_of_draw()
    banca = await office.day(day, dimension="BANCA", entity_id=office.arena.banca_id)
    assert (banca["sales_cents"], banca["payouts_cents"], banca["ticket_count"]) == (700, 0, 1)
    assert await office.day(day, entity_id=other.id) == {}
    assert await office.findings() == []


async def test_of_a_ticket_that_is_excluded_in_part_the_rest_counts(office: Office) -> None:
    banda = await office.arena.add_multiplier("Banda 85", 8_500)
    await office.arena.give_policy("users", office.arena.seller.id, "10")
    await office.sell(("07", 1_000), ("15", 300), half=banda)
    await office.exclude(office.arena.seller, multiplier_id=banda)
    await office.evaluate("15")
    await office.compute()
    row = await office.day(await office.day_of_draw())
    assert (row["sales_cents"], row["payouts_cents"], row["vendedor_commission_cents"]) == (1_000, 0, 100)
    assert await office.findings() == []


async def test_a_reset_begins_at_nothing_and_leaves_the_account_alone(office: Office, sold: date) -> None:
    """STM-12: of that day only what came after the instant; the days before stay; it can be taken back."""
    arena = office.arena
    await arena.owner.execute("UPDATE instance SET test_clock = true")
    later = datetime.combine(sold + 3 * DAY, time(23), COSTA_RICA)
    # Of the same day as the first, at any hour.
    half_an_hour = 30 if datetime.now(COSTA_RICA).hour < 12 else -30
    sorteo_id = await arena.add_sorteo(minutes=24 * 60 + half_an_hour)
    await office.move(sold - 3 * DAY, 500, kind="payment", now=later)
    await office.sell(("07", 300), sorteo_id=sorteo_id)
    assert await office.reset(datetime.now(UTC), now=later) == "DONE"
    await office.sell(("15", 1_000), sorteo_id=sorteo_id)
    await office.evaluate("07", sorteo_id=sorteo_id)
    await office.compute()
    row = await office.day(await office.day_of_draw(sorteo_id))
    assert (row["opening_cents"], row["sales_cents"], row["closing_cents"]) == (0, 1_000, 900)
    assert await office.findings() == []
    assert await office.reset(None, now=later) == "DONE"
    await office.compute()
    assert (await office.day(sold))["sales_cents"] == 10_001_300
    assert await office.findings() == []


@pytest.mark.parametrize(("later", "sales_cents"), [(timedelta(), 300), (timedelta(milliseconds=1), 0)])
async def test_a_reset_cuts_what_was_sold_before_its_moment(office: Office, later: timedelta, sales_cents: int) -> None:
    """And of that what still counts: a ticket that was cancelled is no part of it."""
    owner = office.arena.owner
    await owner.execute("UPDATE instance SET test_clock = true")
    cancelled = await office.sell(("15", 50))
    await office.shop.cancel(office.arena.seller, ticket_id=cancelled)
    await office.sell(("15", 200))
    last = await office.sell(("15", 300))
    sold_at = await owner.fetchval("SELECT created_at FROM tickets WHERE id = $1", last)
    day = await office.day_of_draw()
    assert await office.reset(sold_at + later, now=noon(day + timedelta(days=1))) == "DONE"
    await office.evaluate("07")
    await office.compute_on(day)
    assert (await office.day(day))["sales_cents"] == sales_cents
    assert await owner.fetchval("SELECT sales_cents FROM statement_cuts") == 500 - sales_cents
    assert await office.findings() == []


async def test_a_movement_late_in_the_evening_is_on_costa_ricas_day(office: Office) -> None:
    """STM-14; and a reversed one counts no more (STM-15)."""
    await office.arena.owner.execute("UPDATE instance SET test_clock = true")
    now = datetime(2026, 1, 16, 6, tzinfo=UTC)
    row = await office.move(date(2026, 1, 15), 5_000, at=time(18, 30), now=now)
    payment = row["answer"]["payment"]
    assert (payment["date"], payment["occurredAt"]) == ("2026-01-15", "2026-01-16T00:30:00+00:00")
    assert await closing(office, date(2026, 1, 15)) == -5_000
    assert (await office.reverse(UUID(payment["id"]), now=now))["outcome"] == "REVERSED"
    assert await closing(office, date(2026, 1, 15)) == 0
    assert (await office.reverse(UUID(payment["id"]), now=now))["outcome"] == "PAYMENT_ALREADY_REVERSED"
    assert await office.findings() == []


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE statements SET sales_cents = sales_cents + 1 WHERE dimension = 'VENTANA'",
        "DELETE FROM statements WHERE dimension = 'VENDEDOR'",
        "UPDATE jugadas SET listero_commission_cents = 0",
        "UPDATE movements SET reversed_at = now(), reversed_by = id",
        "INSERT INTO statement_work (banca_id, dimension, entity_id, business_date) SELECT id, 'BANCA', id, now() FROM bancas",
    ],
)
async def test_the_books_see_a_day_that_is_not_what_happened(office: Office, sold: date, tampering: str) -> None:
    await office.move(sold - 2 * DAY, 500)
    assert await office.findings() == []
    async with office.arena.owner.transaction():
        await office.arena.owner.execute("SET LOCAL session_replication_role = replica")
        await office.arena.owner.execute(tampering)
    assert "statements" in {check for check, _ in await office.findings()}
