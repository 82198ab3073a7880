"""Rules that change between the price and its judgement."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from core.domain.rulebook import Rulebook
from core.rulebooks import RulebookStore
from core.till.refusals import Refused
from core.till.sales import PriceKeepsChangingError
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.till.shop import Shop, open_shop, sold
from tests.till.state import findings, tickets_count
from tests.till.tickets import sale, ticket

if TYPE_CHECKING:
    from tests.arena import Owner


class CountingStore(RulebookStore):
    """Counts how often the rulebook was asked for anew."""

    reloads = 0

    async def reload(self, banca_id: UUID, *, older_than: int | None) -> Rulebook:
        self.reloads += older_than is not None
        return await super().reload(banca_id, older_than=older_than)


async def test_a_stale_price_is_made_again_with_the_rules_of_now(owner: Owner, arena: Arena, database: TestDatabase):
    async with open_shop(database.api_url, rulebooks=CountingStore) as shop:
        first = sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id))))
        await arena.give_policy("users", arena.seller.id, "10")
        second = sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id))))
        assert isinstance(shop.rulebooks, CountingStore)
        assert shop.rulebooks.reloads == 1
    assert (first.commission_cents, second.commission_cents) == (0, 10)
    assert second.rulebook_version == first.rulebook_version + 1
    assert await tickets_count(owner) == 2
    assert await findings(owner, arena.banca_id) == []


async def test_rules_that_changed_refuse_a_ticket_that_the_rules_before_allowed(owner: Owner, arena: Arena, shop: Shop):
    await shop.sell(sale(arena.seller, ticket(arena.sorteo_id)))
    await owner.execute("UPDATE bancas SET default_min_bet_cents = 500")
    answer = await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, ("07", 100))))
    assert isinstance(answer, Refused)
    assert (answer.code, answer.recorded) == ("BET_MIN_VIOLATION", False)
    assert await tickets_count(owner) == 1


async def test_rules_that_changed_allow_a_ticket_that_the_rules_before_refused(owner: Owner, arena: Arena, shop: Shop):
    await owner.execute("UPDATE bancas SET default_min_bet_cents = 500")
    refused = await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, ("07", 100))))
    assert isinstance(refused, Refused)
    await owner.execute("UPDATE bancas SET default_min_bet_cents = 100")
    sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, ("07", 100)))))


class RestlessStore(RulebookStore):
    """Whatever it hands out, the banca has a newer one by then."""

    async def rulebook(self, banca_id: UUID) -> Rulebook:
        rulebook = await super().rulebook(banca_id)
        await self._change()
        return rulebook

    async def reload(self, banca_id: UUID, *, older_than: int | None) -> Rulebook:
        rulebook = await super().reload(banca_id, older_than=older_than)
        await self._change()
        return rulebook

    async def _change(self) -> None:
        assert self.owner is not None
        await self.owner.execute("UPDATE bancas SET default_min_bet_cents = default_min_bet_cents + 1")

    owner: Owner | None = None


async def test_rules_that_keep_changing_end_the_sale_and_the_cancel_with_nothing_written(
    owner: Owner, arena: Arena, database: TestDatabase, shop: Shop, intruder: Owner
):
    record = sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id))))
    async with open_shop(database.api_url, rulebooks=RestlessStore) as restless:
        assert isinstance(restless.rulebooks, RestlessStore)
        restless.rulebooks.owner = intruder
        version = await owner.fetchval("SELECT rulebook_version FROM bancas")
        with pytest.raises(PriceKeepsChangingError):
            await restless.sell(sale(arena.seller, ticket(arena.sorteo_id)))
        # reload() serves rulebook()'s first reading too.
        assert await owner.fetchval("SELECT rulebook_version FROM bancas") == version + 4, "three rounds"
        with pytest.raises(PriceKeepsChangingError):
            await restless.cancel(arena.seller, ticket_id=record.id)
    assert await tickets_count(owner) == 1
    assert await owner.fetchval("SELECT count(*) FROM idempotency") == 1
