"""What breaks in a round is its seed's; and every breakage has its turn in the rounds of the test run."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtests.faults.breakages import BREAKAGES
from loadtests.faults.schedule import FIRST_AT, LAST_AT, LASTS_MAX, LASTS_MIN, OPERATIONS, STRIKES, schedule_of
from tests.faults.seeds import RABBITMQ_SEED, SEEDS

DOCS = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
NAMES = tuple(BREAKAGES)


@pytest.mark.parametrize("seed", [0, 7, 123_456_789])
def test_the_same_seed_breaks_the_same_things_at_the_same_moments(seed: int) -> None:
    assert schedule_of(seed, NAMES) == schedule_of(seed, tuple(reversed(NAMES)))


def test_another_seed_breaks_other_things() -> None:
    assert len({schedule_of(seed, NAMES) for seed in range(100)}) == 100


@pytest.mark.parametrize("seed", range(50))
def test_a_round_breaks_several_things_in_its_midst(seed: int) -> None:
    strikes = schedule_of(seed, NAMES)
    assert len({strike.breakage for strike in strikes}) == STRIKES
    assert list(strikes) == sorted(strikes, key=lambda strike: strike.at)
    assert all(FIRST_AT <= strike.at < LAST_AT for strike in strikes)
    assert all(LASTS_MIN <= strike.lasts <= LASTS_MAX for strike in strikes)
    assert all(strike.at + strike.lasts < OPERATIONS for strike in strikes)


def test_the_rounds_of_the_test_run_break_everything() -> None:
    broken = {strike.breakage for seed in SEEDS for strike in schedule_of(seed, NAMES)}
    assert broken == set(BREAKAGES)


def test_the_round_on_rabbitmq_breaks_the_broker() -> None:
    broken = {strike.breakage for strike in schedule_of(RABBITMQ_SEED, NAMES)}
    assert {"broker_cut", "broker_hung", "relay_killed", "worker_killed"} <= broken


def test_the_page_tells_every_breakage() -> None:
    text = DOCS.read_text()
    assert [name for name, breakage in BREAKAGES.items() if f"| `{name}` | {breakage.what}" not in text] == []
