"""Where a cancel and a restore end, to the millisecond: the functions asked as of an instant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from core.domain.calendar import costa_rica_date
from tests.after_sale.desk import Desk
from tests.pos import new_key

if TYPE_CHECKING:
    from tests.arena import Owner

# A cutoff of 5 minutes, and its second of grace.
CUTOFF_S = 300
MOMENT = timedelta(milliseconds=1)
LAST = timedelta(seconds=CUTOFF_S - 1)
EMPTY = ", ".join(["'{}'"] * 20)


async def ask(
    desk: Desk,
    function: str,
    ticket_id: UUID,
    *,
    at: datetime,
    since: datetime,
    until: datetime,
    terms_of: UUID | None = None,
) -> str:
    """The code of what speaks against it, or the outcome. terms_of: whose cutoff is told; the seller's own unless named."""
    arena = desk.arena
    seller = arena.seller
    version = await arena.owner.fetchval("SELECT rulebook_version FROM bancas WHERE id = $1", arena.banca_id)
    begins = [
        arena.banca_id,
        seller.id,
        terms_of or seller.id,
        seller.session_id,
        seller.terminal.id,
        1,
        new_key(),
        bytes(32),
    ]
    if function == "cancel_ticket":
        call = "cancel_ticket($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, NULL, 'r', $11, $12, $13, $14, $15)"
    else:
        call = f"restore_ticket($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'r', $11, $12, $13, $14, NULL, {EMPTY}, $15)"
    answer: str = await arena.owner.fetchval(
        f"SELECT coalesce(violations -> 0 ->> 'code', outcome) FROM {call}",
        *begins, ticket_id, costa_rica_date(at) - timedelta(days=2), version, CUTOFF_S, since, until, at,
    )  # fmt: skip
    return answer


@pytest.fixture
async def drawn_at(desk: Desk, owner: Owner) -> datetime:
    """When the draw is; tests tell the time."""
    await owner.execute("UPDATE instance SET test_clock = true")
    instant: datetime = await owner.fetchval(
        "UPDATE sorteos SET scheduled_at = date_trunc('second', scheduled_at) WHERE id = $1 RETURNING scheduled_at",
        desk.arena.sorteo_id,
    )
    return instant


@pytest.fixture(params=["cancel_ticket", "restore_ticket"])
async def asked(request: pytest.FixtureRequest, desk: Desk, drawn_at: datetime) -> tuple[str, str, UUID]:
    """The function, what it says of a ticket that it does it to, and such a ticket."""
    function: str = request.param
    ticket_id = await desk.sell()
    if function == "restore_ticket":
        await desk.shop.cancel(desk.arena.seller, ticket_id=ticket_id)
    return function, {"cancel_ticket": "CANCELLED", "restore_ticket": "RESTORED"}[function], ticket_id


@pytest.mark.parametrize("is_over", [False, True])
async def test_the_cutoff_is_exact(desk: Desk, asked: tuple[str, str, UUID], drawn_at: datetime, is_over: bool) -> None:
    function, done, ticket_id = asked
    at = drawn_at - LAST - (timedelta() if is_over else MOMENT)
    since, until = at - timedelta(days=1), at + timedelta(days=1)
    answer = await ask(desk, function, ticket_id, at=at, since=since, until=until)
    assert answer == ("SALES_CUTOFF_REACHED" if is_over else done)


@pytest.mark.parametrize(
    ("since", "until", "is_in_force"),
    [(timedelta(), MOMENT, True), (-MOMENT, timedelta(), False), (MOMENT, 2 * MOMENT, False)],
)
async def test_terms_hold_from_their_first_moment_and_not_at_their_end(
    desk: Desk, asked: tuple[str, str, UUID], drawn_at: datetime, since: timedelta, until: timedelta, is_in_force: bool
) -> None:
    function, done, ticket_id = asked
    at = drawn_at - timedelta(hours=2)
    answer = await ask(desk, function, ticket_id, at=at, since=at + since, until=at + until)
    assert answer == (done if is_in_force else "STALE")


async def test_at_the_instant_of_the_draw_it_has_passed(desk: Desk, drawn_at: datetime) -> None:
    ticket_id = await desk.sell()
    await desk.shop.cancel(desk.arena.seller, ticket_id=ticket_id)
    for at, code in ((drawn_at - MOMENT, "SALES_CUTOFF_REACHED"), (drawn_at, "DRAW_PASSED")):
        since, until = at - timedelta(days=1), at + timedelta(days=1)
        assert await ask(desk, "restore_ticket", ticket_id, at=at, since=since, until=until) == code


async def test_the_terms_of_another_seller_are_not_the_tickets(desk: Desk, asked: tuple[str, str, UUID]) -> None:
    function, done, ticket_id = asked
    at = datetime.now(UTC)
    since, until = at - timedelta(days=1), at + timedelta(days=1)
    for terms_of, outcome in ((desk.arena.sellers[1].id, "STALE"), (desk.arena.seller.id, done)):
        answer = await ask(desk, function, ticket_id, at=at, since=since, until=until, terms_of=terms_of)
        assert answer == outcome
