"""Selling and cancelling in a seller's name: who may, what it says of them, and that nobody else's tickets are touched."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from core.domain.permissions import Role
from tests.api.selling import BATCH, CANCEL, SALE, Shop, batch, jugada, open_shop, read_books, sell, ticket
from tests.arena import Person
from tests.pos import Pos, new_key


@pytest.fixture(scope="module")
async def shop(server_url: str, template_database: str) -> AsyncIterator[Shop]:
    async with open_shop(server_url, template_database) as opened:
        yield opened


async def acting(shop: Shop, role: Role) -> Pos:
    """Somebody of the role at the seller's terminal."""
    return Pos(shop.api, await shop.arena.add_user(role), shop.arena.seller.terminal)


def in_name_of(shop: Shop, seller: Person, *jugadas: Any) -> dict[str, Any]:
    return ticket(shop.arena, *jugadas, vendedorId=str(seller.id))


@pytest.mark.parametrize("role", [Role.ADMIN, Role.BANCA, Role.VENTANA])
async def test_a_ticket_in_a_sellers_name_is_the_sellers_and_says_who_made_it(shop: Shop, role: Role) -> None:
    pos, seller = await acting(shop, role), shop.arena.seller
    key, asked = new_key(), in_name_of(shop, seller)
    sold = await sell(pos, asked, key=key)
    assert (sold["vendedorId"], sold["createdBy"], sold["createdByRole"]) == (str(seller.id), str(pos.user.id), role)
    again = await pos.post(SALE, asked, key=key)
    assert (again.status, again.json()) == (201, sold)
    # The key is the actor's, and the terminal's: the seller's own is another only on another terminal.
    own = await shop.pos.post(SALE, ticket(shop.arena), key=key)
    assert (own.status, own.code) == (422, "IDEMPOTENCY_PAYLOAD_MISMATCH")
    elsewhere = Pos(shop.api, seller, await shop.arena.add_terminal())
    own = await elsewhere.post(SALE, ticket(shop.arena), key=key)
    assert own.json()["ticketNumber"] != sold["ticketNumber"]
    cancelled = await pos.post(f"{SALE}/{sold['id']}/cancel", b"", key=new_key())
    assert (cancelled.status, cancelled.json()["status"]) == (200, "CANCELLED")


@pytest.mark.parametrize("role", [Role.ADMIN, Role.BANCA, Role.VENTANA])
async def test_a_sale_in_a_sellers_name_is_cancelled_by_its_key_whether_it_came_or_not(shop: Shop, role: Role) -> None:
    pos, key, late = await acting(shop, role), new_key(), new_key()
    sold = await sell(pos, in_name_of(shop, shop.arena.seller), key=key)
    by_key = await pos.post(CANCEL, {"saleKey": key}, key=new_key())
    assert (by_key.status, by_key.json()["id"]) == (200, sold["id"])
    unsold = await pos.post(CANCEL, {"saleKey": late}, key=new_key())
    assert unsold.json()["status"] == "CANCELLED_BEFORE_SALE"
    refused = await pos.post(SALE, in_name_of(shop, shop.arena.seller), key=late)
    assert (refused.status, refused.json()["code"]) == (409, "CANCELLED_BEFORE_SALE")


@pytest.mark.parametrize("role", [Role.ADMIN, Role.BANCA, Role.VENTANA])
async def test_whoever_is_no_seller_must_name_one(shop: Shop, role: Role) -> None:
    pos, before = await acting(shop, role), await read_books(shop.arena.owner)
    unnamed = await pos.post(SALE, ticket(shop.arena), key=new_key())
    assert (unnamed.status, unnamed.json()["code"]) == (400, "VENDEDOR_ID_REQUIRED")
    unknown = await pos.post(SALE, ticket(shop.arena, vendedorId=str(uuid4())), key=new_key())
    assert (unknown.status, unknown.json()["code"]) == (404, "SELLER_NOT_FOUND")
    several = await pos.post(BATCH, batch(ticket(shop.arena), in_name_of(shop, shop.arena.seller, jugada("08"))))
    assert [result["status"] for result in several.json()["results"]] == [400, 201]
    assert (await read_books(shop.arena.owner)).tickets == before.tickets + 1


async def test_a_ventana_and_a_seller_keep_to_their_own(shop: Shop) -> None:
    elsewhere = await shop.arena.add_seller(ventana_id=await shop.arena.add_ventana())
    theirs = await sell(Pos(shop.api, elsewhere), ticket(shop.arena))
    colleague = shop.arena.sellers[1]
    own = await sell(Pos(shop.api, colleague), ticket(shop.arena))
    before = await read_books(shop.arena.owner)
    listero = await acting(shop, Role.VENTANA)
    for pos, seller, sold in ((listero, elsewhere, theirs), (shop.pos, elsewhere, theirs), (shop.pos, colleague, own)):
        refused = await pos.post(SALE, in_name_of(shop, seller), key=new_key())
        assert (refused.status, refused.json()["code"]) == (403, "SELLER_NOT_OWN")
        hidden = await pos.post(f"{SALE}/{sold['id']}/cancel", b"", key=new_key())
        assert (hidden.status, hidden.json()["code"]) == (404, "TICKET_NOT_FOUND")
    assert await read_books(shop.arena.owner) == before


async def test_who_was_disabled_or_moved_since_the_token_sells_nothing(shop: Shop) -> None:
    owner, arena = shop.arena.owner, shop.arena
    disabled, moved = await acting(shop, Role.VENTANA), await acting(shop, Role.VENTANA)
    await owner.execute("UPDATE users SET is_active = false WHERE id = $1", disabled.user.id)
    await owner.execute("UPDATE users SET ventana_id = $2 WHERE id = $1", moved.user.id, await arena.add_ventana())
    before = await read_books(owner)
    for pos, code in ((disabled, "USER_INACTIVE"), (moved, "SELLER_NOT_OWN")):
        refused = await pos.post(SALE, in_name_of(shop, arena.seller), key=new_key())
        assert (refused.status, refused.json()["code"]) == (403, code)
    assert await read_books(owner) == before


async def test_a_terminal_sells_for_the_sellers_of_its_ventana_only(shop: Shop) -> None:
    elsewhere = await shop.arena.add_seller(ventana_id=await shop.arena.add_ventana())
    pos = await acting(shop, Role.BANCA)
    refused = await pos.post(SALE, in_name_of(shop, elsewhere), key=new_key())
    assert (refused.status, refused.json()["code"]) == (403, "TERMINAL_MISMATCH")


async def test_what_an_admin_is_let_pass_is_said_and_said_again(shop: Shop) -> None:
    arena, rule_id = shop.arena, uuid4()
    band = await arena.add_multiplier(f"Banda {rule_id.hex[:4]}", 8_500)
    await arena.owner.execute(
        "INSERT INTO restriction_rules (banca_id, id, whole_banca, loteria_id, multiplier_id)"
        " VALUES ($1, $2, true, $3, $4)", arena.banca_id, rule_id, arena.loteria_id, band,
    )  # fmt: skip
    blocked = in_name_of(shop, arena.seller, jugada("07", multiplierId=str(band)))
    refused = await shop.pos.post(SALE, blocked, key=new_key())
    assert (refused.status, refused.json()["code"]) == (400, "LOTTERY_MULTIPLIER_RESTRICTED")
    admin, key = await acting(shop, Role.ADMIN), new_key()
    first = await admin.post(SALE, blocked, key=key)
    [warning] = first.json()["warnings"]
    assert (first.status, warning["code"], warning["ruleId"]) == (201, "LOTTERY_MULTIPLIER_RESTRICTED", str(rule_id))
    shop.contract.require(first, "POST", SALE)
    again = await admin.post(SALE, blocked, key=key)
    assert again.body == first.body
    read = await admin.get(f"{SALE}/{first.json()['id']}")
    assert read.body == first.body
    await remove(shop, rule_id)


async def remove(shop: Shop, rule_id: UUID) -> None:
    await shop.arena.owner.execute("DELETE FROM restriction_rules WHERE id = $1", rule_id)
