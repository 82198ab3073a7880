"""What a sale or a cancel judges is read once it holds its locks: what changed while it waited counts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from core.till.cancels import Cancelled
from core.till.operations import TicketNotFound
from core.till.outcomes import Verdict
from core.till.refusals import Refused
from core.till.sales import Sold
from tests.arena import Arena
from tests.till.locks import hold_draw, waiting
from tests.till.shop import Shop, sold
from tests.till.state import exposure, findings, tickets_count
from tests.till.tickets import sale, ticket

if TYPE_CHECKING:
    from tests.arena import Owner

# With the verdict of a sale that was priced before, and the code of a cancel.
CHANGES = {
    "the rules": ("UPDATE bancas SET sales_cutoff_minutes = 2", Verdict.STALE, None),
    "the draw is closed": ("UPDATE sorteos SET status = 'CLOSED'", Verdict.CLOSED, "SORTEO_LOCKED"),
    "the session": (
        "UPDATE sessions SET revoked_at = now(), revoked_reason = 'logout'",
        Verdict.SESSION_REVOKED,
        "SESSION_REVOKED",
    ),
    "the seller": (
        "UPDATE users SET is_active = false WHERE role = 'VENDEDOR'",
        Verdict.USER_INACTIVE,
        "USER_INACTIVE",
    ),
    "the terminal": ("UPDATE terminals SET is_active = false", Verdict.TERMINAL_DISABLED, "TERMINAL_DISABLED"),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_what_changed_while_a_sale_waited_for_its_draw_counts(
    owner: Owner, arena: Arena, shop: Shop, intruder: Owner, name: str
):
    change, verdict, _ = CHANGES[name]
    order = await shop.order(sale(arena.seller, ticket(arena.sorteo_id)))
    held = await hold_draw(intruder, arena.sorteo_id)
    recording = asyncio.create_task(shop.recorder.record(arena.banca_id, [order]))
    await waiting(owner)
    await intruder.execute(change)
    await held.commit()
    [outcome] = await recording
    assert outcome.verdict is verdict
    assert await tickets_count(owner) == 0


async def test_a_sale_that_waited_while_the_rules_changed_is_priced_anew(
    owner: Owner, arena: Arena, shop: Shop, intruder: Owner
):
    """Under the new rules it is refused, and under others sold: never under those that it was priced by."""
    for cents, is_sold in ((99, False), (100, True)):
        await shop.rulebooks.rulebook(arena.banca_id)
        held = await hold_draw(intruder, arena.sorteo_id)
        selling = asyncio.create_task(shop.sell(sale(arena.seller, ticket(arena.sorteo_id, ("07", 100)))))
        await waiting(owner)
        await intruder.execute("UPDATE bancas SET global_max_per_number_cents = $1", cents)
        await held.commit()
        assert isinstance(await selling, Sold) is is_sold
    assert await findings(owner, arena.banca_id) == []


@pytest.mark.parametrize("name", CHANGES)
async def test_what_changed_while_a_cancel_waited_for_its_draw_counts(
    owner: Owner, arena: Arena, shop: Shop, intruder: Owner, name: str
):
    change, _, code = CHANGES[name]
    ticket_id = sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id)))).id
    held = await hold_draw(intruder, arena.sorteo_id)
    cancelling = asyncio.create_task(shop.cancel(arena.seller, ticket_id=ticket_id))
    await waiting(owner)
    await intruder.execute(change)
    await held.commit()
    answer = await cancelling
    if code is None:
        # The cutoff was read anew.
        assert isinstance(answer, Cancelled)
    else:
        assert isinstance(answer, Refused)
        assert answer.code == code
    assert await findings(owner, arena.banca_id) == []


async def test_a_ticket_that_was_cancelled_while_another_cancel_waited_is_cancelled_once(
    owner: Owner, arena: Arena, shop: Shop, other_shop: Shop, intruder: Owner
):
    ticket_id = sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id)))).id
    held = await hold_draw(intruder, arena.sorteo_id)
    cancelling = [asyncio.create_task(one.cancel(arena.seller, ticket_id=ticket_id)) for one in (shop, other_shop)]
    await waiting(owner, calls=2)
    await held.rollback()
    answers = [await one for one in cancelling]
    assert sum(isinstance(answer, Cancelled) for answer in answers) == 1
    assert not [answer for answer in answers if isinstance(answer, TicketNotFound)]
    assert await owner.fetchval("SELECT balance_cents FROM accounts WHERE id = $1", arena.seller.id) == 0
    assert await findings(owner, arena.banca_id) == []


async def test_one_seller_with_a_credit_limit_who_sells_two_draws_at_once_spends_it_once(
    owner: Owner, arena: Arena, shop: Shop, other_shop: Shop, intruder: Owner
):
    """Two draws: no lock but the account's keeps the two apart."""
    seller = await arena.add_seller(credit_limit_cents=150)
    draws = [arena.sorteo_id, await arena.add_sorteo(minutes=2_000)]
    transaction = intruder.transaction()
    await transaction.start()
    # A sale that was judged waits here with its locks.
    await intruder.execute("LOCK TABLE outbox IN SHARE MODE")
    selling = [
        asyncio.create_task(one.sell(sale(seller, ticket(draw, ("07", 100)))))
        for one, draw in zip((shop, other_shop), draws, strict=True)
    ]
    await waiting(owner, calls=2)
    await transaction.rollback()
    answers: list[Any] = [await one for one in selling]
    assert sorted(getattr(answer, "code", "SOLD") for answer in answers) == ["INSUFFICIENT_FUNDS", "SOLD"]
    assert await owner.fetchval("SELECT balance_cents FROM accounts WHERE id = $1", seller.id) == -100
    assert await findings(owner, arena.banca_id) == []


async def test_what_is_taken_from_one_account_by_two_draws_at_once_adds_up(
    owner: Owner, arena: Arena, shop: Shop, other_shop: Shop, intruder: Owner
):
    """Without a limit nothing is refused, and each balance that was answered is the one after its own ticket."""
    draws = [arena.sorteo_id, await arena.add_sorteo(minutes=2_000)]
    transaction = intruder.transaction()
    await transaction.start()
    await intruder.execute("LOCK TABLE outbox IN SHARE MODE")
    selling = [
        asyncio.create_task(one.sell(sale(arena.seller, ticket(draw, ("07", 100)))))
        for one, draw in zip((shop, other_shop), draws, strict=True)
    ]
    await waiting(owner, calls=2)
    await transaction.rollback()
    for one in selling:
        sold(await one)
    told = sorted(shop.balances + other_shop.balances)
    assert [cents for _, cents, _ in told] == [-200, -100]
    assert sorted(version for _, _, version in told) == [1, 2]
    assert {number: cents for draw in draws for number, cents in (await exposure(owner, draw)).items()} == {7: 100}
    assert await findings(owner, arena.banca_id) == []


async def test_a_ticket_is_of_the_time_at_which_it_got_its_locks(
    owner: Owner, arena: Arena, shop: Shop, intruder: Owner
):
    """Else one that waited for the draw's close would be older than it, or sold past its cutoff."""
    held = await hold_draw(intruder, arena.sorteo_id)
    selling = asyncio.create_task(shop.sell(sale(arena.seller, ticket(arena.sorteo_id))))
    await waiting(owner)
    released_at = await intruder.fetchval("SELECT date_trunc('milliseconds', clock_timestamp())")
    await held.rollback()
    record = sold(await selling)
    assert record.created_at >= released_at
    held = await hold_draw(intruder, arena.sorteo_id)
    cancelling = asyncio.create_task(shop.cancel(arena.seller, ticket_id=record.id))
    await waiting(owner)
    released_at = await intruder.fetchval("SELECT date_trunc('milliseconds', clock_timestamp())")
    await held.rollback()
    answer = await cancelling
    assert isinstance(answer, Cancelled)
    assert answer.at >= released_at
