"""Whose password is verified next, and who is told to come back: by counts and order, not by time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from api.login_queue import SPREAD_MIN_S, LoginQueue
from api.problems import ProblemError
from api.rate_limits import TokenBuckets
from core.security.passwords import PasswordsBusyError


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Crowd:
    """Logins that wait in a queue of one turn; the order in which they get it."""

    def __init__(self, queue: LoginQueue) -> None:
        self.queue = queue
        self.order: list[str] = []
        self.refused: list[tuple[str, Exception]] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def arrive(self, address: str, *names: str, fails: bool = False, is_gone: bool = False) -> None:
        for name in names:
            login = self._log_in(address, name, fails=fails, is_gone=is_gone)
            self.tasks.append(asyncio.create_task(login))
        await settle()

    async def all(self) -> list[str]:
        await asyncio.gather(*self.tasks)
        return self.order

    async def _log_in(self, address: str, name: str, *, fails: bool, is_gone: bool) -> None:
        try:
            async with self.queue.turn(name=name, address=address, is_gone=lambda: is_gone) as turn:
                self.order.append(name)
                await asyncio.sleep(0)
                if fails:
                    turn.failed()
        except (PasswordsBusyError, ProblemError) as refusal:
            self.refused.append((name, refusal))


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@asynccontextmanager
async def held(queue: LoginQueue) -> AsyncIterator[None]:
    """While somebody has the only turn."""
    async with queue.turn(name="holder", address="elsewhere"):
        yield


async def test_addresses_take_turns_and_so_do_the_names_of_one() -> None:
    crowd = Crowd(LoginQueue(turns=1, failures=None))
    async with held(crowd.queue):
        await crowd.arrive("crowded", "a1", "a2", "a2", "A2", "a3")
        await crowd.arrive("quiet", "b1")
        await crowd.arrive("small", "c1", "c2")
    assert await crowd.all() == ["a1", "b1", "c1", "a2", "c2", "a3", "a2", "A2"]


async def test_no_more_are_let_in_at_once_than_there_are_turns() -> None:
    queue, inside, most = LoginQueue(turns=3, failures=None), 0, 0

    async def log_in(number: int) -> None:
        nonlocal inside, most
        async with queue.turn(name=str(number), address=str(number % 5)):
            inside += 1
            most = max(most, inside)
            await settle()
            inside -= 1

    await asyncio.gather(*(log_in(number) for number in range(50)))
    assert (inside, most) == (0, 3)


async def test_connections_of_invented_names_delay_the_others_of_their_address_by_no_more_than_their_number() -> None:
    """48 that come again as soon as they are answered, before 300 sellers of the same address."""
    crowd = Crowd(LoginQueue(turns=1, failures=None))
    sellers = [f"seller-{number}" for number in range(300)]
    done = asyncio.Event()
    guesses = 0

    async def guess(number: int) -> None:
        nonlocal guesses
        while not done.is_set():
            guesses += 1
            async with crowd.queue.turn(name=f"invented-{guesses}-{number}", address="one") as turn:
                await asyncio.sleep(0)
                turn.failed()

    async with held(crowd.queue):
        guessing = [asyncio.create_task(guess(number)) for number in range(48)]
        await settle()
        await crowd.arrive("one", *sellers)
    assert await crowd.all() == sellers
    done.set()
    await asyncio.gather(*guessing)
    # Each connection once before the crowd, and once more behind it.
    assert guesses <= 2 * 48 + 1
    assert crowd.refused == []


async def test_what_is_right_or_undecided_costs_the_address_nothing() -> None:
    failures = TokenBuckets(rate_per_s=0.001, burst=2, clock=Clock())
    queue = LoginQueue(turns=2, failures=failures)
    for number in range(50):
        async with queue.turn(name=str(number), address="one"):
            pass
        with pytest.raises(OSError):
            async with queue.turn(name=str(number), address="one"):
                raise OSError
    assert failures.missing_s("one") == 0.0
    for _ in range(2):
        async with queue.turn(name="x", address="one") as turn:
            turn.failed()
    assert failures.missing_s("one") > 0


async def test_an_address_that_fails_too_often_waits_and_the_others_do_not() -> None:
    clock = Clock()
    failures = TokenBuckets(rate_per_s=100, burst=2, clock=clock)
    crowd = Crowd(LoginQueue(turns=1, failures=failures, wait_max_s=30))
    await crowd.arrive("guesser", "g1", "g2", fails=True)
    await crowd.arrive("guesser", "honest")
    await crowd.arrive("quiet", "q1")
    assert crowd.order == ["g1", "g2", "q1"]
    clock.now_s += 1
    # Its timer wakes the line.
    assert await crowd.all() == ["g1", "g2", "q1", "honest"]


@pytest.mark.parametrize("exhausted", [False, True])
async def test_who_waits_too_long_is_told_whether_the_machine_or_the_address_is_the_cause(exhausted: bool) -> None:
    failures = TokenBuckets(rate_per_s=0.001, burst=1, clock=Clock())
    queue = LoginQueue(turns=1, failures=failures, wait_max_s=0.02)
    crowd = Crowd(queue)
    if exhausted:
        await crowd.arrive("one", "guess", fails=True)
        await crowd.arrive("one", "next")
        await crowd.all()
    else:
        async with held(queue):
            await crowd.arrive("one", "next")
            await crowd.all()
    [(name, refusal)] = crowd.refused
    assert name == "next"
    if exhausted:
        assert isinstance(refusal, ProblemError)
        assert (refusal.problem.status, refusal.problem.code) == (429, "RATE_LIMITED")
    else:
        assert isinstance(refusal, PasswordsBusyError)


async def test_places_are_bounded_and_a_crowded_address_gives_its_own_to_another() -> None:
    crowd = Crowd(LoginQueue(turns=1, failures=None, waiting_max=10))
    async with held(crowd.queue):
        await crowd.arrive("crowded", *(f"a{number}" for number in range(12)))
        assert [name for name, _ in crowd.refused] == ["a10", "a11"]
        await crowd.arrive("quiet", "b1", "b2")
        assert [name for name, _ in crowd.refused] == ["a10", "a11", "a9", "a8"]
    order = await crowd.all()
    assert order[:4] == ["a0", "b1", "a1", "b2"]
    assert len(order) == 10


async def test_those_who_are_refused_come_back_spread_over_the_time_that_the_line_takes() -> None:
    clock = Clock()
    queue = LoginQueue(turns=1, failures=None, waiting_max=100, clock=clock)
    for _ in range(40):
        async with queue.turn(name="x", address="one"):
            clock.now_s += 0.5
    crowd = Crowd(queue)
    async with held(queue):
        await crowd.arrive("one", *(f"a{number}" for number in range(400)))
        seconds = [refusal.retry_after_s for _, refusal in crowd.refused if isinstance(refusal, PasswordsBusyError)]
        assert len(seconds) == 300
        # A hundred wait, half a second each.
        assert min(seconds) >= 1
        assert 40 < max(seconds) <= 50
        assert max(Counter(seconds).values()) < 30
        assert max(seconds) > SPREAD_MIN_S
    await crowd.all()


async def test_nothing_is_verified_for_who_has_gone() -> None:
    crowd = Crowd(LoginQueue(turns=1, failures=TokenBuckets(rate_per_s=1, burst=3, clock=Clock())))
    async with held(crowd.queue):
        await crowd.arrive("one", "gone-1", "gone-2", "gone-3", "gone-4", is_gone=True)
        await crowd.arrive("one", "here")
    assert await crowd.all() == ["here"]


async def test_a_login_that_is_cancelled_leaves_its_place_and_its_turn() -> None:
    queue = LoginQueue(turns=1, failures=TokenBuckets(rate_per_s=1, burst=1, clock=Clock()))
    crowd = Crowd(queue)
    async with held(queue):
        await crowd.arrive("one", "a", "b", "c")
        crowd.tasks[0].cancel()
        await settle()
    # Its turn has just come.
    crowd.tasks[1].cancel()
    await asyncio.wait(crowd.tasks)
    assert crowd.order == ["c"]
    async with queue.turn(name="d", address="one"):
        pass
