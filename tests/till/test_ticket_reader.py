"""Replays that are read together: each hears of trouble, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Any, cast
from uuid import uuid4

import orjson
import pytest

from core.database import Database, DatabaseUnavailableError
from core.till.outcomes import TicketPlace
from core.till.ticket_reader import TicketReader
from tests.arena import Arena
from tests.till.shop import Shop, sold
from tests.till.tickets import sale, ticket


class Wayward:
    """A database whose first answers are nonsense, or never come."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error
        self.asked = asyncio.Event()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        self.asked.set()
        if self.error is None:
            await asyncio.Event().wait()
        yield self

    async def fetch(self, *_: object) -> list[Any]:
        assert self.error is not None
        raise self.error


def place() -> TicketPlace:
    return TicketPlace(date(2026, 1, 15), uuid4(), 1)


@pytest.mark.parametrize("error", [orjson.JSONDecodeError("no", "{", 0), DatabaseUnavailableError("gone")])
async def test_each_caller_hears_of_trouble_in_words_of_its_own(error: Exception):
    reader = TicketReader(cast("Database", Wayward(error)))
    banca_id = uuid4()
    answers = await asyncio.gather(
        *(reader.records(banca_id, [place()]) for _ in range(3)), return_exceptions=True
    )  # fmt: skip
    assert {type(answer) for answer in answers} == {DatabaseUnavailableError}
    assert len({id(answer) for answer in answers}) == 3


async def test_whoever_waits_when_the_reading_is_ended_is_told():
    database = Wayward(None)
    reader = TicketReader(cast("Database", database))
    banca_id = uuid4()
    waiting = [asyncio.create_task(reader.records(banca_id, [place()]))]
    await database.asked.wait()
    waiting.append(asyncio.create_task(reader.records(banca_id, [place()])))
    await asyncio.sleep(0)
    [reading] = [task for task in asyncio.all_tasks() if task.get_name() == f"ticket reader {banca_id}"]
    reading.cancel()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(answer) for answer in answers} == {DatabaseUnavailableError}


async def test_a_place_without_a_ticket_is_left_out(arena: Arena, shop: Shop):
    record = sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id))))
    stored = TicketPlace(record.business_date, record.sorteo_id, record.sequence)
    nowhere = TicketPlace(record.business_date, record.sorteo_id, 99)
    found = await TicketReader(shop.database).records(arena.banca_id, [stored, nowhere])
    assert list(found) == [stored]
