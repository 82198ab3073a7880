"""Troubles: what failed rests, and whoever waits for it neither waits too long nor never."""

from __future__ import annotations

import asyncio
import time
from uuid import uuid4

import pytest

from workers.rounds import Rounds
from workers.troubles import Troubles


def test_one_waits_for_what_rests_and_not_for_what_does_no_more() -> None:
    troubles = Troubles(at_once_min=1)
    assert troubles.rest_s(5.0) == 5.0
    resting, over = uuid4(), uuid4()
    troubles.note(resting, full=8)
    assert 0 < troubles.rest_s(5.0) <= 0.1
    # Nobody tried it: its banca has nothing to do, or the database does not answer.
    troubles.note(over, full=8).rests_until_s = 0.0
    troubles.forget_others({over})
    assert troubles.rest_s(5.0) == 5.0


async def test_a_round_that_fails_is_followed_by_a_rest_whatever_else_is_in_trouble(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("workers.rounds.backoff_s", lambda failures: 0.05 * failures)
    troubles = Troubles(at_once_min=1)
    troubles.note(uuid4(), full=8).rests_until_s = 0.0
    rounds, stop = Rounds(), asyncio.Event()
    told: list[int] = []

    async def run_once() -> int:
        raise OSError("nobody answers")

    async def fail(_: Exception, failures: int) -> None:
        told.append(failures)
        if failures == 3:
            stop.set()

    began_s = time.monotonic()
    await asyncio.wait_for(rounds.run(run_once, stop=stop, rest_s=troubles.rest_s, fail=fail), 10)
    assert told == [1, 2, 3]
    assert time.monotonic() - began_s >= 0.05 + 0.1


async def test_after_a_stop_no_step_begins() -> None:
    rounds = Rounds()
    made: list[int] = []

    async def step(n: int) -> int:
        made.append(n)
        if n == 2:
            rounds.stop.set()
        return 1

    assert await rounds.each([1, 2, 3], step) == 2
    assert made == [1, 2]
