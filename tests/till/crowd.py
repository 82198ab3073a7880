"""Many sellers at the two tills of one database, as two API processes have them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from core.settings import Settings
from core.till.sales import SaleAnswer, SaleRequest
from tests.arena import Arena
from tests.till.shop import Shop, open_shop

if TYPE_CHECKING:
    from tests.arena import Owner


async def crowd(owner: Owner, settings: Settings, *, sellers: int, number_cap_cents: int | None = None) -> Arena:
    async with owner.transaction():
        return await Arena.create(owner, settings, sellers=sellers, number_cap_cents=number_cap_cents)


@asynccontextmanager
async def two_shops(database_url: str, *, batch_tickets_max: int) -> AsyncIterator[list[Shop]]:
    """Batches so small that many of each compete."""
    async with (
        open_shop(database_url, batch_tickets_max=batch_tickets_max) as first,
        open_shop(database_url, batch_tickets_max=batch_tickets_max) as second,
    ):
        yield [first, second]


async def sell_through_both(shops: list[Shop], requests: list[SaleRequest]) -> list[SaleAnswer]:
    """All at the same time, in turn through one shop and the other."""
    selling = [shops[place % len(shops)].sell(request) for place, request in enumerate(requests)]
    return list(await asyncio.gather(*selling))
