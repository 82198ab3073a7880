"""Time is judged by the database: to the millisecond, and by nobody else's clock."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from core.till.outcomes import Verdict
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.till.shop import Shop
from tests.till.tickets import sale, ticket

if TYPE_CHECKING:
    from tests.arena import Owner

# §14.3, CUT-1 and CUT-2: a cutoff of 5 minutes, and one second of grace.
CUTOFF = timedelta(minutes=5)


async def drawn_at(owner: Owner, sorteo_id: UUID) -> datetime:
    instant: datetime = await owner.fetchval("SELECT scheduled_at FROM sorteos WHERE id = $1", sorteo_id)
    return instant


@pytest.mark.parametrize(
    ("after_cutoff", "verdict"),
    [
        (timedelta(milliseconds=999), Verdict.SOLD),
        (timedelta(seconds=1), Verdict.CUTOFF),
        (timedelta(minutes=4), Verdict.CUTOFF),
    ],
)
async def test_the_cutoff_is_exact_to_the_millisecond(
    owner: Owner, arena: Arena, shop: Shop, after_cutoff: timedelta, verdict: Verdict
):
    await owner.execute("UPDATE instance SET test_clock = true")
    await owner.execute("UPDATE bancas SET sales_cutoff_minutes = 5")
    at = (await drawn_at(owner, arena.sorteo_id)).replace(microsecond=0) - CUTOFF + after_cutoff
    await owner.execute("UPDATE sorteos SET scheduled_at = date_trunc('second', scheduled_at)")
    [outcome] = await shop.record([sale(arena.seller, ticket(arena.sorteo_id))], at=at)
    assert outcome.verdict is verdict


async def test_the_api_cannot_move_the_clock(owner: Owner, arena: Arena, shop: Shop):
    past = await arena.add_sorteo(minutes=-60)
    request = sale(arena.seller, ticket(past))
    async with shop.pool.acquire() as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("UPDATE instance SET test_clock = true")
    [outcome] = await shop.record([request], at=datetime.now(UTC) - timedelta(hours=2))
    assert outcome.verdict is Verdict.CUTOFF
    assert await owner.fetchval("SELECT count(*) FROM tickets") == 0


async def test_a_price_outside_its_interval_is_stale(owner: Owner, arena: Arena, shop: Shop):
    await owner.execute("UPDATE instance SET test_clock = true")
    until = datetime.now(UTC) + timedelta(hours=1)
    await owner.execute(
        "UPDATE bancas SET commission_policy = jsonb_build_object('version', 1, 'effectiveFrom', null,"
        " 'effectiveTo', $1::text, 'defaultPercent', 5, 'rules', '[]'::jsonb)",
        until.isoformat(),
    )
    requests = [sale(arena.seller, ticket(arena.sorteo_id)) for _ in range(2)]
    [inside] = await shop.record(requests[:1], at=until - timedelta(milliseconds=2))
    [outside] = await shop.record(requests[1:], at=until)
    assert (inside.verdict, outside.verdict) == (Verdict.SOLD, Verdict.STALE)


async def test_a_price_holds_from_its_first_moment(owner: Owner, arena: Arena, shop: Shop):
    await owner.execute("UPDATE instance SET test_clock = true")
    since = (datetime.now(UTC) - timedelta(hours=1)).replace(microsecond=0)
    orders = [await shop.order(sale(arena.seller, ticket(arena.sorteo_id))) for _ in range(2)]
    for order, at, verdict in zip(
        orders, (since - timedelta(milliseconds=1), since), (Verdict.STALE, Verdict.SOLD), strict=True
    ):
        beginning = msgspec.structs.replace(order, priced=msgspec.structs.replace(order.priced, valid_from=since))
        [outcome] = await shop.recorder.record(arena.banca_id, [beginning], at=at)
        assert outcome.verdict is verdict


@pytest.mark.parametrize(
    ("status", "is_active", "verdict"),
    [
        ("SCHEDULED", True, Verdict.SORTEO_NOT_OPEN),
        ("OPEN", False, Verdict.SORTEO_NOT_OPEN),
        ("CLOSED", True, Verdict.CLOSED),
        ("EVALUATED", True, Verdict.CLOSED),
    ],
)
async def test_only_an_open_draw_sells(
    owner: Owner, arena: Arena, shop: Shop, status: str, is_active: bool, verdict: Verdict
):
    """Of a draw that is over the refusal is recorded: it is never open again under the same key."""
    order = await shop.order(sale(arena.seller, ticket(arena.sorteo_id)))
    await owner.execute("UPDATE sorteos SET status = $1::text::sorteo_status, is_active = $2", status, is_active)
    [outcome] = await shop.recorder.record(arena.banca_id, [order])
    assert outcome.verdict is verdict
    assert await owner.fetchval("SELECT count(*) FROM idempotency") == int(verdict is Verdict.CLOSED)


@pytest.mark.parametrize(
    ("later", "outcome"), [(timedelta(milliseconds=-1), "EARLY"), (timedelta(), "DONE"), (timedelta(hours=1), "DONE")]
)
@pytest.mark.parametrize("change", [None, "the time", "the rules", "a sale"])
async def test_a_draw_moves_by_itself_when_it_is_due_and_nothing_changed(
    owner: Owner, arena: Arena, later: timedelta, outcome: str, change: str | None
):
    """What it was concluded from: the draw's time, the version of the rules, and what was sold."""
    await owner.execute("UPDATE instance SET test_clock = true")
    at = await drawn_at(owner, arena.sorteo_id)
    version = await owner.fetchval("SELECT rulebook_version FROM bancas WHERE id = $1", arena.banca_id)
    due_at = at - timedelta(minutes=10)
    answer = await owner.fetchval(
        "SELECT outcome FROM act_on_sorteo($1, $2, 'CLOSE', '{OPEN}', '{true}', '{CLOSED}', '{true}', NULL, 'tests', NULL,"
        " 'r', $3, $4, $5, $6, $7)",
        arena.banca_id,
        arena.sorteo_id,
        at + timedelta(minutes=1) if change == "the time" else at,
        version - 1 if change == "the rules" else version,
        due_at,
        due_at + later,
        1 if change == "a sale" else 0,
    )
    assert answer == (outcome if change is None else "STALE")


async def test_draws_of_a_new_month_made_at_once_share_its_partitions(arena: Arena, database: TestDatabase):
    async def make(place: int) -> None:
        connection = await asyncpg.connect(database.owner_url)
        try:
            await connection.execute(
                "INSERT INTO sorteos (banca_id, id, loteria_id, name, digits, status, scheduled_at)"
                " VALUES ($1, $2, $3, 'far', 2, 'OPEN', now() + make_interval(days => $4))",
                arena.banca_id, uuid4(), arena.loteria_id, 300 + place,
            )  # fmt: skip
        finally:
            await connection.close()

    await asyncio.gather(*(make(place * 20) for place in range(12)))
