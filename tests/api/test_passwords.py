from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from api.login_decoys import choose
from core.security.passwords import (
    Passwords,
    Verdict,
    hashing_threads,
    parameters_of,
    password_hasher,
    processors,
)

WEAK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    made = Passwords()
    yield made
    made.close()


async def test_a_password_fits_its_own_hash_only(passwords: Passwords) -> None:
    encoded = await passwords.hash("correct horse")
    assert encoded.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.verify(encoded, "correct horse") == Verdict(True)
    for known in (encoded, "not a hash", None):
        assert await passwords.verify(known, "correct horse ") == Verdict(False)
    assert await passwords.verify(None, "correct horse") == Verdict(False)


async def test_a_hash_is_verified_with_its_own_parameters_and_then_made_anew(passwords: Passwords) -> None:
    for old in (WEAK, PasswordHasher(), password_hasher(memory_kib=1_024, time_cost=1)):
        verdict = await passwords.verify(old.hash("x"), "x")
        assert verdict.is_right
        assert verdict.rehashed is not None
        assert parameters_of(verdict.rehashed) == "$argon2id$v=19$m=19456,t=2,p=1"
        assert await passwords.verify(verdict.rehashed, "x") == Verdict(True)
        assert await passwords.verify(old.hash("x"), "y") == Verdict(False)


@pytest.mark.parametrize("costly", [False, True], ids=["as now", "as before"])
async def test_an_unknown_user_costs_as_much_as_a_wrong_password(passwords: Passwords, costly: bool) -> None:
    encoded = (PasswordHasher() if costly else password_hasher()).hash("correct horse")

    async def cost_s(known: str | None) -> float:
        times = []
        for _ in range(3):
            started = time.perf_counter()
            await passwords.verify(known, "guess", parameters=parameters_of(encoded))
            times.append(time.perf_counter() - started)
        return min(times)

    wrong, unknown = await cost_s(encoded), await cost_s(None)
    # An answer without hashing would be a thousand times quicker; the machine's noise is not.
    assert 0.2 < unknown / wrong < 5


async def test_the_event_loop_goes_on_while_passwords_are_verified(passwords: Passwords) -> None:
    encoded = await passwords.hash("x")
    verification = asyncio.create_task(passwords.verify(encoded, "x"))
    turns = 0
    while not verification.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 10


def test_as_many_passwords_are_hashed_at_once_as_leave_half_of_the_processors(tmp_path: Path) -> None:
    quota = tmp_path / "cpu.max"
    assert processors(quota) == len(os.sched_getaffinity(0))
    for text, expected in (("max 100000", processors(quota)), ("50000 100000", 1), ("100000 100000", 1), ("x", 0)):
        quota.write_text(text + "\n")
        assert processors(quota) == (expected or len(os.sched_getaffinity(0)))
    assert 1 <= hashing_threads() <= max(1, processors(quota) // 2)


def test_an_unknown_name_costs_as_some_user_does_and_always_the_same() -> None:
    costs = [("new", 30), ("old", 60), ("older", 10)]
    chosen = {name: choose(costs, name, secret=b"s") for name in map(str, range(2_000))}
    shares = Counter(chosen.values())
    for parameters, users in costs:
        assert abs(shares[parameters] / 2_000 - users / 100) < 0.05
    assert all(choose(costs, name, secret=b"s") == parameters for name, parameters in chosen.items())
    assert choose(costs, "ANA", secret=b"s") == choose(costs, "ana", secret=b"s")
    assert choose([], "ana", secret=b"s") is None
