"""The traffic model: who comes when, and what a run must hold to."""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from itertools import pairwise

import pytest

from cli.load import SCENARIOS, seconds_of
from cli.stack import ROOT
from cli.trouble import UsageTrouble
from loadtests.arrivals import Arrivals
from loadtests.history_check import CHECKS
from loadtests.plan import Draw, Plan
from loadtests.rates import CLOSINGS, CROWD_PER_MIN, LAST_PER_S, day_per_s, offline_per_s, rush_per_s
from loadtests.thresholds import THRESHOLDS, Figures, exceeded
from loadtests.tickets import ticket_for

RATES = {"day": (day_per_s, CROWD_PER_MIN / 60), "rush": (rush_per_s, LAST_PER_S), "offline": (offline_per_s, 0.05)}
STEPS = [step / 10_000 for step in range(10_000)]


def test_every_scenario_has_its_rate_its_closings_and_its_threshold() -> None:
    assert set(SCENARIOS) == set(CLOSINGS) == set(THRESHOLDS) == set(RATES)


@pytest.mark.parametrize("name", RATES)
def test_a_rate_is_positive_and_never_above_its_maximum(name: str) -> None:
    rate, rate_max = RATES[name]
    assert all(0 < rate(step) <= rate_max + 1e-9 for step in STEPS)


@pytest.mark.parametrize("name", ["day", "rush"])
def test_the_crowd_is_greatest_just_before_a_closing(name: str) -> None:
    rate, rate_max = RATES[name]
    for closing in CLOSINGS[name]:
        assert rate(closing - 0.0001) == pytest.approx(rate_max, rel=0.01)
        assert rate(closing) < rate_max / 1.5


def test_customers_come_as_often_as_the_rate_says_and_in_order() -> None:
    arrivals = Arrivals(rush_per_s, LAST_PER_S, 1000.0, 11_000.0, random.Random(7))
    times = [arrivals.due_s, *iter(arrivals.advance, math.inf)]
    assert all(1000.0 < first < second < 11_000.0 for first, second in pairwise(times))
    expected = sum(rush_per_s(step) for step in STEPS)
    assert len(times) == pytest.approx(expected, rel=0.05)
    last_tenth = sum(1 for time in times if 8_000 <= time < 9_000)
    assert last_tenth == pytest.approx(sum(rush_per_s(step) for step in STEPS[7_000:8_000]), rel=0.1)
    assert arrivals.advance() == math.inf


def test_a_ticket_has_one_to_five_numbers_and_never_more_reventado_than_numero() -> None:
    chance, lines = random.Random(7), Counter[int]()
    for _ in range(2_000):
        jugadas = ticket_for("draw", "multiplier", chance)["jugadas"]
        numeros = {jugada["number"]: jugada for jugada in jugadas if jugada["type"] == "NUMERO"}
        lines[len(numeros)] += 1
        for jugada in jugadas:
            assert jugada["amount"] == numeros[jugada["number"]]["amount"]
    assert set(lines) == {1, 2, 3, 4, 5}
    assert sum(count * often for count, often in lines.items()) / 2_000 == pytest.approx(3, abs=0.1)


GOOD = Figures(requests=1_000, failed=10, done=900, p95_ms=100, p99_ms=200)


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        (GOOD, []),
        (Figures(1_000, 11, 900, 100, 200), ["1.10% of the requests failed"]),
        (Figures(1_000, 0, 900, 3_001, 3_001), ["p95 of 'sale' was 3,001 ms"]),
        (Figures(1_000, 0, 900, 100, 8_001), ["p99 of 'sale' was 8,001 ms"]),
        (Figures(0, 0, 0, 0, 0), ["nothing was done"]),
        (Figures(1_000, 0, 900, 100, 200, errors=2), ["the scenario itself failed 2 times"]),
    ],
)
def test_what_a_run_did_not_hold_is_said(figures: Figures, said: list[str]) -> None:
    sentences = exceeded(THRESHOLDS["rush"], figures)
    assert len(sentences) == len(said)
    assert all(sentence.startswith(start) for sentence, start in zip(sentences, said, strict=True))


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("5m", 300), ("1h", 3600), ("1h2m3s", 3723)])
def test_a_run_time_is_read_as_locust_reads_it(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "soon", "5 m", "-3s", "m"])
def test_what_is_no_run_time_is_said_so(text: str) -> None:
    with pytest.raises(UsageTrouble):
        seconds_of(text)


def test_a_draw_is_coming_until_it_closes() -> None:
    draws = [Draw("a", 10.0), Draw("b", 20.0)]
    plan = Plan(scenario="day", seed=1, processes=1, api_url="", multiplier_id="", begins_at_s=0, ends_at_s=30,
                draws=draws, sellers=[])  # fmt: skip
    assert [plan.coming(at_s) for at_s in (5, 10, 20)] == [draws, draws[1:], []]


def test_the_page_about_load_says_what_the_code_does() -> None:
    page = (ROOT / "docs" / "load.md").read_text()
    for name, threshold in THRESHOLDS.items():
        scenario = SCENARIOS[name]
        limits = f"{threshold.p95_ms / 1000:g} s | {threshold.p99_ms / 1000:g} s |"
        assert f"| `{name}` | {threshold.failure_ratio_max:.0%}".replace("%", " %") in page
        assert f"| `POS {threshold.row}` | {limits}" in page
        assert re.search(rf"^\| `{name}` \| .+ \| {scenario.users} \| {scenario.run_time} \|$", page, re.MULTILINE)
    assert dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|$", page, re.MULTILINE)) == dict(CHECKS)
