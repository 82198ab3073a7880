from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.problems import ProblemError, refuse
from api.rate_limits import LoginBuckets, TokenBuckets
from core.security.passwords import PasswordsBusyError


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_passes_and_then_the_rate_holds() -> None:
    clock = Clock()
    buckets = TokenBuckets(rate_per_s=10, burst=3, clock=clock)
    assert [buckets.take("a") for _ in range(3)] == [0.0] * 3
    assert buckets.take("a") == 0.1
    clock.now += 0.1
    assert buckets.take("a") == 0.0
    assert buckets.take("b") == 0.0


def test_a_request_larger_than_the_burst_needs_a_full_bucket() -> None:
    clock = Clock()
    buckets = TokenBuckets(rate_per_s=1, burst=5, clock=clock)
    assert buckets.take("a", 500) == 0.0
    assert buckets.take("a", 500) == 5.0
    clock.now += 5
    assert buckets.take("a", 500) == 0.0


def test_the_number_of_buckets_is_bounded() -> None:
    buckets = TokenBuckets(rate_per_s=1, burst=1, keys_max=2, clock=Clock())
    for key in ("a", "b", "c"):
        assert buckets.take(key) == 0.0
    assert buckets.take("c") > 0
    assert buckets.take("a") == 0.0, "the oldest was dropped and starts full"


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 4)), max_size=60))
def test_nobody_gets_more_than_burst_and_rate_allow(steps: list[tuple[float, int]]) -> None:
    clock, taken = Clock(), 0
    buckets = TokenBuckets(rate_per_s=2, burst=5, clock=clock)
    for wait_s, tokens in steps:
        clock.now += wait_s
        if buckets.take("a", tokens) == 0.0:
            taken += tokens
        assert taken <= 5 + 2 * clock.now + 1e-6


def test_a_token_that_is_given_back_can_be_taken_again() -> None:
    buckets = TokenBuckets(rate_per_s=1, burst=2, clock=Clock())
    for _ in range(10):
        assert buckets.take("a") == 0.0
        buckets.give_back("a")
    assert [buckets.take("a") for _ in range(3)] == [0.0, 0.0, 1.0]
    assert buckets.missing_s("a") == 1.0
    buckets.give_back("a", 5)
    assert (buckets.missing_s("a"), buckets.missing_s("b")) == (0.0, 0.0)
    assert [buckets.take("a") for _ in range(3)] == [0.0, 0.0, 1.0]
    buckets.give_back("never seen")


def test_a_name_has_its_logins_at_an_address_whatever_its_case() -> None:
    buckets = LoginBuckets(per_min=2, clock=Clock())
    for username in ("Ana", "ANA"):
        with buckets.name(username=username, address="192.0.2.1"):
            pass
    with pytest.raises(ProblemError), buckets.name(username="ana", address="192.0.2.1"):
        raise AssertionError("not reached")
    with buckets.name(username="ana", address="192.0.2.2"), buckets.name(username="eva", address="192.0.2.1"):
        pass


@pytest.mark.parametrize(
    "undecided",
    [PasswordsBusyError(), refuse(503, "DATABASE_UNAVAILABLE", ""), refuse(429, "RATE_LIMITED", ""), OSError()],
    ids=repr,
)
def test_a_login_without_a_verdict_costs_its_name_nothing(undecided: Exception) -> None:
    buckets = LoginBuckets(per_min=1, clock=Clock())
    for _ in range(5):
        with pytest.raises(type(undecided)), buckets.name(username="ana", address=None):
            raise undecided
    with buckets.name(username="ana", address=None):
        pass
    with pytest.raises(ProblemError), buckets.name(username="ana", address=None):
        raise AssertionError("not reached")
