"""What the database does not take: a lost conflict is repeated a few times, other trouble is not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from core.database import DatabaseUnavailableError
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.till.locks import waiting
from tests.till.shop import Shop, open_shop, sold
from tests.till.state import everything, findings, poll, tickets_count
from tests.till.stumbles import attempts, stumble
from tests.till.tickets import sale, ticket

if TYPE_CHECKING:
    from tests.arena import Owner


@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
async def test_a_batch_that_loses_a_conflict_is_repeated(owner: Owner, arena: Arena, shop: Shop, sqlstate: str):
    await stumble(owner, last=3, sqlstate=sqlstate)
    assert sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id)))).sequence == 1
    assert await attempts(owner) == 4
    assert await findings(owner, arena.banca_id) == []


async def test_a_batch_that_keeps_losing_is_given_up_with_nothing_written(owner: Owner, arena: Arena, shop: Shop):
    await stumble(owner, last=99, sqlstate="40001")
    before = await everything(owner)
    with pytest.raises(DatabaseUnavailableError):
        await shop.sell(sale(arena.seller, ticket(arena.sorteo_id)))
    assert await attempts(owner) == 4, "one attempt and three repetitions"
    assert await everything(owner) == before


@pytest.mark.parametrize("sqlstate", ["53100", "XX000", "42501"])
async def test_trouble_of_the_database_is_neither_repeated_nor_bisected(
    owner: Owner, arena: Arena, shop: Shop, sqlstate: str
):
    await stumble(owner, last=99, sqlstate=sqlstate)
    requests = [sale(arena.seller, ticket(arena.sorteo_id)) for _ in range(8)]
    answers = await shop.counter.sell_all(requests)
    assert [type(answer) for answer in answers] == [DatabaseUnavailableError] * 8
    assert await attempts(owner) == 1
    assert await tickets_count(owner) == 0


async def test_a_real_deadlock_costs_the_sale_repetitions_only(
    owner: Owner, arena: Arena, database: TestDatabase, intruder: Owner
):
    # The sale notices first and is the one that is rolled back. Who waits looks for a deadlock once, so long after it
    # began to wait: by then the intruder must wait too.
    name = await owner.fetchval("SELECT current_database()")
    await owner.execute(f"ALTER DATABASE {name} SET deadlock_timeout = '1s'")
    await intruder.execute("SET deadlock_timeout = '60s'")
    async with open_shop(database.api_url) as shop:
        transaction = intruder.transaction()
        await transaction.start()
        await intruder.execute("SELECT 1 FROM accounts WHERE id = $1 FOR UPDATE", arena.seller.id)
        selling = asyncio.create_task(shop.sell(sale(arena.seller, ticket(arena.sorteo_id))))
        await waiting(owner)
        await intruder.execute("SELECT 1 FROM sorteos WHERE id = $1 FOR UPDATE", arena.sorteo_id)
        await transaction.commit()
        assert sold(await selling).sequence == 1
    # The repetition may be back before the intruder has taken what was let go.
    assert await deadlocks(owner) >= 1
    assert await findings(owner, arena.banca_id) == []


async def deadlocks(owner: Owner) -> int:
    async def check() -> int:
        count: int = await owner.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return count

    found: int = await poll(check)
    return found
