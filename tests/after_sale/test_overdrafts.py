"""How far below its limit a seller may stand: as far as a correction has pushed it, and no further once that is repaid."""

from __future__ import annotations

from core.till.cancels import Cancelled
from core.till.refusals import Refused
from tests.after_sale.desk import Desk, moved, restored
from tests.arena import Seller
from tests.evaluating import account
from tests.till.state import findings
from tests.till.tickets import sale, ticket


async def with_a_deposit(desk: Desk, cents: int) -> Seller:
    """A seller without credit, who has so much: as a transfer and in the balance."""
    owner, seller = desk.arena.owner, await desk.arena.add_seller(credit_limit_cents=0)
    await owner.execute(
        "INSERT INTO transfers SELECT banca_id, business_date, gen_random_uuid(), 0, 'PRIZE', 1, $2, $1, $3, now()"
        " FROM sorteos LIMIT 1",
        seller.id, await owner.fetchval("SELECT id FROM accounts WHERE kind = 'CASH'"), cents,
    )  # fmt: skip
    await owner.execute("UPDATE accounts SET balance_cents = $2 WHERE id = $1", seller.id, cents)
    return seller


async def test_a_seller_who_spent_the_refund_stands_under_the_limit_until_it_is_repaid(desk: Desk) -> None:
    arena = desk.arena
    seller = await with_a_deposit(desk, 1_000)
    await desk.sell(("07", 900), seller=seller)
    moved(await desk.exclude(vendedor_id=seller.id))
    other = await arena.add_sorteo(minutes=60)
    spent = [await desk.sell(("07", cents), seller=seller, sorteo_id=other) for cents in (50, 900)]
    moved(await desk.include(vendedor_id=seller.id))
    assert await account(arena.owner, seller.id) == (-850, 850)
    assert isinstance(await desk.shop.sell(sale(seller, ticket(other, ("07", 1)))), Refused)
    # What is repaid of the debt may not be overdrawn again.
    for ticket_id, stands in zip(spent, [(-800, 800), (100, 0)], strict=True):
        assert isinstance(await desk.shop.cancel(seller, ticket_id=ticket_id), Cancelled)
        assert await account(arena.owner, seller.id) == stands
    restored(await desk.restore(spent[0], seller=seller))
    assert await account(arena.owner, seller.id) == (50, 0)
    moved(await desk.exclude(vendedor_id=seller.id))
    assert await account(arena.owner, seller.id) == (950, 0)


async def test_the_books_tell_of_an_account_that_may_be_overdrawn_for_no_debt(desk: Desk) -> None:
    arena = desk.arena
    seller = await arena.add_seller(credit_limit_cents=1_000)
    await desk.sell(("07", 900), seller=seller)
    await arena.owner.execute("UPDATE accounts SET allowed_overdraft_cents = 1 WHERE id = $1", seller.id)
    [found] = await findings(arena.owner, arena.banca_id)
    assert "account_balances" in str(found)
