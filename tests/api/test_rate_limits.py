from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.problems import ProblemError
from api.rate_limits import ADDRESS_LOGINS_FACTOR, LoginBuckets, TokenBuckets


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


def test_logins_of_many_names_from_one_address_come_to_an_end() -> None:
    buckets = LoginBuckets(per_min=2, clock=Clock())
    for number in range(2 * ADDRESS_LOGINS_FACTOR):
        buckets.require(username=f"name-{number}", address="192.0.2.1")
    with pytest.raises(ProblemError):
        buckets.require(username="one-more", address="192.0.2.1")
    buckets.require(username="one-more", address="192.0.2.2")


def test_a_name_that_is_refused_does_not_use_up_its_addresss_logins() -> None:
    buckets = LoginBuckets(per_min=1, clock=Clock())
    buckets.require(username="stuck", address="192.0.2.1")
    for _ in range(10 * ADDRESS_LOGINS_FACTOR):
        with pytest.raises(ProblemError):
            buckets.require(username="STUCK", address="192.0.2.1")
    buckets.require(username="neighbour", address="192.0.2.1")
