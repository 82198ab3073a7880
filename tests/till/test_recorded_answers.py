"""What a key was once answered it is answered for ever."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from core.till.cancels import Cancelled, CancelledUnsold
from core.till.refusals import Refused
from core.till.sales import Sold
from tests.arena import Arena
from tests.pos import new_key
from tests.till.shop import Shop, answer_bytes, replayed, sold
from tests.till.state import row_counts, tickets_count
from tests.till.tickets import sale, ticket

if TYPE_CHECKING:
    from tests.arena import Owner


async def test_a_key_sold_under_the_rules_of_yesterday_gets_its_ticket_although_those_of_today_refuse_it(
    owner: Owner, arena: Arena, shop: Shop, other_shop: Shop
):
    other_multiplier = await arena.add_multiplier("Otro", 7_000)
    request = sale(arena.seller, ticket(arena.sorteo_id, multiplier_id=other_multiplier))
    first = sold(await shop.sell(request))
    await owner.execute("UPDATE loteria_multipliers SET is_active = false WHERE id = $1", other_multiplier)
    for place in (shop, other_shop):
        again = await place.sell(request)
        assert replayed(again)
        assert answer_bytes(sold(again)) == answer_bytes(first)
    fresh = await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, multiplier_id=other_multiplier)))
    assert isinstance(fresh, Refused)
    other = await shop.sell(
        sale(arena.seller, ticket(arena.sorteo_id, ("55", 1), multiplier_id=other_multiplier), key=request.key)
    )
    assert isinstance(other, Refused)
    assert other.code == "IDEMPOTENCY_PAYLOAD_MISMATCH"
    assert await tickets_count(owner) == 1


@pytest.mark.parametrize("reason", ["sold out", "no funds", "closed", "cutoff"])
async def test_a_recorded_refusal_is_the_same_answer_for_ever_and_another_content_is_a_mismatch(
    owner: Owner, arena: Arena, shop: Shop, other_shop: Shop, reason: str
):
    change, undo = {
        "sold out": ("UPDATE bancas SET global_max_per_number_cents = 99", "UPDATE bancas SET global_max_per_number_cents = NULL"),
        "no funds": ("UPDATE accounts SET credit_limit_cents = 99 WHERE kind = 'SELLER'", "UPDATE accounts SET credit_limit_cents = NULL"),
        "closed": ("UPDATE sorteos SET status = 'CLOSED'", "UPDATE sorteos SET status = 'OPEN'"),
        "cutoff": ("UPDATE sorteos SET scheduled_at = now()", "UPDATE sorteos SET scheduled_at = now() + interval '1 hour'"),
    }[reason]  # fmt: skip
    request = sale(arena.seller, ticket(arena.sorteo_id))
    await owner.execute(change)
    first = await shop.sell(request)
    await owner.execute(undo)
    again = await other_shop.sell(request)
    assert isinstance(first, Refused)
    assert isinstance(again, Refused)
    assert (first.recorded, first.replayed, again.replayed) == (True, False, True)
    assert replace(again, replayed=False) == first
    # The other content is refused for its key, not in the words of the first.
    other = await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, ("08", 1)), key=request.key))
    assert isinstance(other, Refused)
    assert (other.code, list(other.violations)) == ("IDEMPOTENCY_PAYLOAD_MISMATCH", [])
    assert isinstance(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id))), Sold), "a new key is judged anew"


async def test_a_replay_reads_nothing_that_a_later_step_wrote(owner: Owner, arena: Arena, shop: Shop):
    request = sale(arena.seller, ticket(arena.sorteo_id, ("07", 300), ("R07", 100)))
    first = sold(await shop.sell(request))
    assert isinstance(await shop.cancel(arena.seller, ticket_id=first.id), Cancelled)
    await owner.execute("UPDATE sorteos SET status = 'EVALUATED'")
    again = await shop.sell(request)
    assert replayed(again)
    assert answer_bytes(sold(again)) == answer_bytes(first)


async def test_the_key_of_a_sale_cannot_name_its_cancel_too(owner: Owner, arena: Arena, shop: Shop):
    key = new_key()
    before = await row_counts(owner)
    answer = await shop.cancel(arena.seller, sale_key=key, key=key)
    assert isinstance(answer, Refused)
    assert answer.code == "IDEMPOTENCY_PAYLOAD_MISMATCH"
    assert await row_counts(owner) == before
    assert isinstance(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id), key=key)), Sold)
    answer = await shop.cancel(arena.seller, sale_key=key, key=key)
    assert isinstance(answer, Refused)
    assert answer.code == "IDEMPOTENCY_PAYLOAD_MISMATCH"


async def test_the_key_of_something_else_is_no_sales_key(owner: Owner, arena: Arena, shop: Shop):
    sold_ticket = sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id))))
    cancel_key = new_key()
    await shop.cancel(arena.seller, ticket_id=sold_ticket.id, key=cancel_key)
    before = await row_counts(owner)
    answer = await shop.cancel(arena.seller, sale_key=cancel_key)
    assert isinstance(answer, Refused)
    assert answer.code == "IDEMPOTENCY_PAYLOAD_MISMATCH"
    assert await row_counts(owner) == before


async def test_a_cancel_before_its_sale_refuses_the_sale_for_ever(owner: Owner, arena: Arena, shop: Shop):
    request = sale(arena.seller, ticket(arena.sorteo_id))
    assert isinstance(await shop.cancel(arena.seller, sale_key=request.key), CancelledUnsold)
    for _ in range(2):
        answer = await shop.sell(request)
        assert isinstance(answer, Refused)
        assert answer.code == "CANCELLED_BEFORE_SALE"
    assert isinstance(await shop.cancel(arena.seller, sale_key=request.key), CancelledUnsold)
    assert await tickets_count(owner) == 0
