"""Master keys belong to an installation: a process with others does not begin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from uuid import UUID

import pytest
from pydantic import SecretStr

from api.keys import MISFIT
from core.installation import MasterKeyMisfitError
from core.security.terminal_secrets import MasterKeys, derive_secret
from core.settings import Settings
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.running_api import RunningApi


def with_keys(settings: Settings, current: str, **keys: str) -> Settings:
    """keys: by id; the current one is the first, the others are retired."""
    retired = ",".join(f"{key_id}:{key * 32}" for key_id, key in keys.items() if key_id != current)
    return settings.model_copy(
        update={
            "terminal_master_key_id": current,
            "terminal_master_key": SecretStr(keys[current] * 32),
            "terminal_master_keys_retired": SecretStr(retired),
        }
    )


async def begin(settings: Settings) -> None:
    async with RunningApi(settings):
        pass


async def bound(arena: Arena) -> set[str]:
    return {row["key_id"] for row in await arena.owner.fetch("SELECT key_id FROM master_key_checks")}


@pytest.mark.parametrize(
    ("current", "keys", "words"),
    [
        ("k1", {"k1": "x"}, "k1 is another one"),
        ("k2", {"k2": "n"}, "k1, and it is not among those given"),
        ("k2", {"k2": "n", "k1": "x"}, "k1 is another one"),
        ("k2", {"k2": "m"}, "k1, and it is not among those given"),
    ],
    ids=["replaced", "renamed without the old one", "rotated with a wrong old one", "only renamed"],
)
async def test_a_process_with_another_key_does_not_begin_and_binds_nothing(
    settings: Settings, arena: Arena, current: str, keys: Mapping[str, str], words: str
) -> None:
    await begin(settings)
    with pytest.raises(MasterKeyMisfitError, match=words):
        await begin(with_keys(settings, current, **keys))
    assert await bound(arena) == {"k1"}
    await begin(settings)


async def test_keys_are_rotated_and_the_retired_one_may_go(settings: Settings, arena: Arena) -> None:
    await begin(settings)
    await begin(with_keys(settings, "k2", k2="n", k1="m"))
    assert await bound(arena) == {"k1", "k2"}
    await begin(with_keys(settings, "k2", k2="n"))
    with pytest.raises(MasterKeyMisfitError, match="k2 is another one"):
        await begin(with_keys(settings, "k2", k2="x", k1="m"))


async def test_two_processes_that_begin_at_once_with_two_keys_do_not_both_begin(
    settings: Settings, arena: Arena
) -> None:
    ended = await asyncio.gather(
        *(begin(with_keys(settings, "k1", k1=key)) for key in "mxmxmx"), return_exceptions=True
    )
    kinds = [[type(end) for end in ended[first::2]] for first in (0, 1)]
    assert sorted(map(str, kinds)) == sorted(map(str, [[type(None)] * 3, [MasterKeyMisfitError] * 3]))


@pytest.fixture
async def closed(database: TestDatabase, settings: Settings, arena: Arena) -> AsyncIterator[str]:
    """The database takes no connections until it is opened by the statement."""
    await begin(settings)
    name = await arena.owner.fetchval("SELECT current_database()")
    await arena.owner.execute(f"ALTER DATABASE {name} CONNECTION LIMIT 0")
    yield f"ALTER DATABASE {name} CONNECTION LIMIT -1"


async def test_what_is_found_only_once_the_database_is_there_ends_the_process(
    settings: Settings, arena: Arena, closed: str
) -> None:
    async with RunningApi(with_keys(settings, "k1", k1="x")) as api:
        assert (await api.get("/health/live")).status == 200
        await arena.owner.execute(closed)
        with pytest.raises(MasterKeyMisfitError):
            await asyncio.wait_for(api.app[MISFIT], 30)


async def test_a_value_of_a_key_is_of_one_installation_and_one_id_and_no_terminals_secret(
    settings: Settings,
) -> None:
    keys = MasterKeys("k1", {"k1": b"m" * 32, "k2": b"m" * 32})
    values = {*keys.checks("one").values(), *keys.checks("two").values()}
    assert len(values) == 4
    assert derive_secret(b"m" * 32, UUID(int=0), key_version=1, master_key_id="k1") not in values
