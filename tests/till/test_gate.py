"""Who may not sell any more: judged under the lock, whatever the API believed, and nothing is written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from core.till.outcomes import Verdict
from core.till.refusals import Refused
from core.till.sales import Sold
from tests.arena import Arena
from tests.pos import new_key
from tests.till.shop import Shop, sold
from tests.till.state import everything
from tests.till.tickets import actor_of, sale, ticket

if TYPE_CHECKING:
    from tests.arena import Owner

ROTATED = (
    "UPDATE terminals SET key_version = 2, previous_key_version = 1, previous_master_key_id = master_key_id,"
    " previous_valid_until = now() + interval "
)
GATES = [
    ("UPDATE bancas SET is_active = false", Verdict.BANCA_INACTIVE),
    ("UPDATE sessions SET revoked_at = now(), revoked_reason = 'logout'", Verdict.SESSION_REVOKED),
    ("UPDATE sessions SET expires_at = now() - interval '1 second'", Verdict.SESSION_REVOKED),
    ("UPDATE users SET is_active = false", Verdict.USER_INACTIVE),
    ("UPDATE ventanas SET is_active = false", Verdict.VENTANA_INACTIVE),
    ("UPDATE terminals SET is_active = false", Verdict.TERMINAL_DISABLED),
    ("UPDATE terminals SET key_version = 2", Verdict.TERMINAL_KEY_REVOKED),
    (f"{ROTATED} '-1 second'", Verdict.TERMINAL_KEY_REVOKED),
]


@pytest.mark.parametrize(("change", "verdict"), GATES, ids=[f"{v}-{n}" for n, (_, v) in enumerate(GATES)])
async def test_who_lost_the_right_to_sell_is_refused_with_nothing_written(
    owner: Owner, arena: Arena, shop: Shop, change: str, verdict: Verdict
):
    order = await shop.order(sale(arena.seller, ticket(arena.sorteo_id)))
    key = new_key()
    known = sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id), key=key)))
    await owner.execute(change)
    before = await everything(owner)
    [outcome] = await shop.recorder.record(arena.banca_id, [order])
    assert outcome.verdict is verdict
    answers = [
        # A known key opens nothing to who may not sell; nor does a ticket that the rules refuse.
        await shop.sell(sale(arena.seller, ticket(arena.sorteo_id), key=key)),
        await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, ("7", 100)))),
        await shop.cancel(arena.seller, ticket_id=known.id),
    ]
    assert [getattr(answer, "code", answer) for answer in answers] == [verdict.value] * 3
    assert await everything(owner) == before


async def test_a_previous_key_is_good_until_its_end(owner: Owner, arena: Arena, shop: Shop):
    await owner.execute(f"{ROTATED} '1 hour'")
    assert isinstance(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id))), Sold)


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ("UPDATE sessions SET expires_at = $1", Verdict.SESSION_REVOKED),
        (f"{ROTATED.removesuffix('now() + interval ')}$1", Verdict.TERMINAL_KEY_REVOKED),
    ],
)
async def test_a_session_and_a_previous_key_end_at_their_instant(
    owner: Owner, arena: Arena, shop: Shop, change: str, verdict: Verdict
):
    await owner.execute("UPDATE instance SET test_clock = true")
    orders = [await shop.order(sale(arena.seller, ticket(arena.sorteo_id))) for _ in range(2)]
    ends = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)
    await owner.execute(change, ends)
    moments = ends - timedelta(milliseconds=1), ends
    outcomes = [
        (await shop.recorder.record(arena.banca_id, [order], at=at))[0].verdict
        for order, at in zip(orders, moments, strict=True)
    ]
    assert outcomes == [Verdict.SOLD, verdict]


async def test_a_terminal_of_another_ventana_or_seller_is_no_terminal_of_this_one(
    owner: Owner, arena: Arena, shop: Shop
):
    elsewhere = await arena.add_terminal(ventana_id=await arena.add_ventana())
    colleagues = await arena.add_terminal(vendedor_id=arena.sellers[1].id)
    for terminal in (elsewhere, colleagues):
        answer = await shop.sell(
            sale(arena.seller, ticket(arena.sorteo_id), actor=actor_of(arena.seller, terminal=terminal))
        )
        assert isinstance(answer, Refused)
        assert answer.code == "TERMINAL_MISMATCH"
    assert await owner.fetchval("SELECT count(*) FROM tickets") == 0


async def test_one_sellers_gate_does_not_touch_the_neighbours_in_the_batch(owner: Owner, arena: Arena, shop: Shop):
    orders = [await shop.order(sale(seller, ticket(arena.sorteo_id))) for seller in arena.sellers]
    await owner.execute("UPDATE users SET is_active = false WHERE id = $1", arena.seller.id)
    # Only the flag changed for the neighbour: its price is stale by the version, not refused.
    verdicts = [outcome.verdict for outcome in await shop.recorder.record(arena.banca_id, orders)]
    assert verdicts == [Verdict.USER_INACTIVE, Verdict.STALE]
