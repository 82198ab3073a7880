from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from core.security.passwords import WAITING_MAX, Passwords, PasswordsBusyError


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    made = Passwords()
    yield made
    made.close()


async def test_a_password_fits_its_own_hash_only(passwords: Passwords) -> None:
    encoded = await passwords.hash("correct horse")
    assert encoded.startswith("$argon2id$")
    assert await passwords.matches(encoded, "correct horse")
    assert not await passwords.matches(encoded, "correct horse ")
    assert not await passwords.matches("not a hash", "correct horse")
    assert not await passwords.matches(None, "correct horse")


async def test_an_unknown_user_costs_as_much_as_a_wrong_password(passwords: Passwords) -> None:
    encoded = await passwords.hash("correct horse")
    await passwords.matches(None, "warm")

    async def cost_s(known: str | None) -> float:
        times = []
        for _ in range(3):
            started = time.perf_counter()
            await passwords.matches(known, "guess")
            times.append(time.perf_counter() - started)
        return min(times)

    wrong, unknown = await cost_s(encoded), await cost_s(None)
    # An answer without hashing would be a thousand times quicker; the machine's noise is not.
    assert 0.2 < unknown / wrong < 5


async def test_the_event_loop_goes_on_while_passwords_are_verified(passwords: Passwords) -> None:
    encoded = await passwords.hash("x")
    verification = asyncio.create_task(passwords.matches(encoded, "x"))
    turns = 0
    while not verification.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 10


async def test_too_many_logins_at_once_are_told_to_wait() -> None:
    weak = Passwords(hasher=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    encoded = await weak.hash("x")
    results = await asyncio.gather(
        *(weak.matches(encoded, "x") for _ in range(WAITING_MAX + 10)), return_exceptions=True
    )
    assert results.count(True) == WAITING_MAX
    assert sum(isinstance(result, PasswordsBusyError) for result in results) == 10
    assert await weak.matches(encoded, "x")
    weak.close()
