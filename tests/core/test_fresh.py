from __future__ import annotations

import asyncio

import pytest

from core.fresh import Fresh


class Source:
    """Counts its reads; answers when told to."""

    def __init__(self) -> None:
        self.reads = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def read(self, key: str) -> str:
        self.reads += 1
        mine = self.reads
        await self.may_answer.wait()
        if key == "bad":
            raise LookupError(key)
        return f"{key}{mine}"


async def test_a_young_value_is_not_read_again() -> None:
    source = Source()
    values = Fresh(source.read, entries_max=10)
    assert [await values.get("a", max_age_s=60) for _ in range(3)] == ["a1"] * 3
    assert await values.get("a", max_age_s=-1) == "a2"


async def test_all_who_wait_for_a_value_share_one_read() -> None:
    source = Source()
    source.may_answer.clear()
    values = Fresh(source.read, entries_max=10)
    waiting = [asyncio.create_task(values.get("a", max_age_s=60)) for _ in range(50)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    source.may_answer.set()
    assert set(await asyncio.gather(*waiting[1:])) == {"a1"}
    assert source.reads == 1


async def test_a_failed_read_is_told_to_all_and_kept_by_nobody() -> None:
    source = Source()
    values = Fresh(source.read, entries_max=10)
    results = await asyncio.gather(*(values.get("bad", max_age_s=60) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [LookupError] * 3
    with pytest.raises(LookupError):
        await values.get("bad", max_age_s=60)
    assert source.reads == 2


async def test_what_was_read_before_it_was_forgotten_is_not_kept() -> None:
    source = Source()
    source.may_answer.clear()
    values = Fresh(source.read, entries_max=10)
    early = asyncio.create_task(values.get("a", max_age_s=60))
    await asyncio.sleep(0)
    values.forget("a")
    source.may_answer.set()
    assert await early == "a1"
    assert await values.get("a", max_age_s=60) == "a2"
    assert await values.get("a", max_age_s=60) == "a2"


async def test_the_number_of_values_is_bounded() -> None:
    source = Source()
    values = Fresh(source.read, entries_max=2)
    for key in "abc":
        await values.get(key, max_age_s=60)
    assert values.age_s("a") == float("inf")
    assert values.age_s("c") < 60


async def test_closing_ends_reads_that_are_under_way() -> None:
    source = Source()
    source.may_answer.clear()
    values = Fresh(source.read, entries_max=10)
    waiting = asyncio.create_task(values.get("a", max_age_s=60))
    await asyncio.sleep(0)
    await values.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_read_that_somebody_begins_is_joined_and_needs_nobody_to_wait() -> None:
    source = Source()
    source.may_answer.clear()
    values = Fresh(source.read, entries_max=10)
    begun = values.begin("a")
    assert values.begin("a") is begun
    assert values.is_reading("a")
    waiting = asyncio.create_task(values.get("a", max_age_s=60))
    source.may_answer.set()
    await begun
    assert await waiting == "a1"
    assert not values.is_reading("a")
    assert (values.kept("a"), source.reads) == ("a1", 1)
    assert values.begin("a") is not begun, "however young the value is"


async def test_what_is_kept_is_told_however_old_it_is() -> None:
    values = Fresh(Source().read, entries_max=10)
    assert values.kept("a") is None
    await values.get("a", max_age_s=60)
    assert values.peek("a", max_age_s=-1) is None
    assert values.kept("a") == "a1"


async def test_when_all_is_cleared_no_read_under_way_is_kept() -> None:
    source = Source()
    values = Fresh(source.read, entries_max=10)
    assert await values.get("a", max_age_s=60) == "a1"
    source.may_answer.clear()
    early = asyncio.create_task(values.get("b", max_age_s=60))
    await asyncio.sleep(0)
    values.clear()
    assert values.kept("a") is None
    source.may_answer.set()
    assert await early == "b2"
    assert values.kept("b") is None
    assert [await values.get(key, max_age_s=60) for key in "ab"] == ["a3", "b4"]


async def test_what_is_amended_is_no_younger_for_it() -> None:
    values = Fresh(Source().read, entries_max=10)
    values.amend("a", "amended")
    assert values.kept("a") is None, "there was nothing"
    await values.get("a", max_age_s=60)
    age_s = values.age_s("a")
    values.amend("a", "amended")
    assert await values.get("a", max_age_s=60) == "amended"
    assert values.age_s("a") >= age_s
