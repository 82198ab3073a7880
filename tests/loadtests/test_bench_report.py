"""What becomes of a benchmark's figures, without measuring any."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson
import pytest
from rich.console import Console

from cli.trouble import Trouble, UsageTrouble
from core.books import Finding
from loadtests.bench.chart import chart
from loadtests.bench.goals import GOALS
from loadtests.bench.machine import Machine
from loadtests.bench.plan import Plan
from loadtests.bench.report import document, show
from loadtests.bench.run import Run
from loadtests.bench.samples import Result, Sample, results_of
from loadtests.bench.table import ROWS, chosen_rows
from loadtests.bench.yardstick import tps_of

MACHINE = Machine("A processor", 2, 8.0, "Linux 6", "3.12.1", "18.6", "Valkey", 0.1)


def result(id_: str, *rounds: tuple[float, float | None], **others: Any) -> Result:
    samples = [Sample(id_, value, yardstick) for value, yardstick in rounds]
    return Result(id_, samples, others.get("failures", {}), others.get("trouble"))


def run_of(*results: Result, findings: tuple[Finding, ...] = ()) -> Run:
    return Run(MACHINE, Plan(), results, findings, 12.0, 60.0)


def test_a_ratio_is_the_median_of_the_rounds_ratios() -> None:
    measured = result("P1", (100, 100), (900, 1000), (80, 400))
    assert (measured.value, measured.yardstick, measured.ratio) == (100, 400, 0.9)


def test_a_round_without_a_yardstick_has_no_ratio() -> None:
    assert result("P8", (4.0, None)).ratio is None
    assert Sample("P1", 5.0, 0.0).ratio is None


@pytest.mark.parametrize(
    ("id_", "value", "yardstick", "verdict"),
    [
        ("P1", 100, 100, "target"),
        ("P1", 60, 100, "floor"),
        ("P1", 59, 100, "missed"),
        ("P8", 5, None, "target"),
        ("P8", 10, None, "floor"),
        ("P8", 10.1, None, "missed"),
        ("W", 1, 100, "informative"),
    ],
)
def test_more_is_better_of_ratios_and_less_of_times(
    id_: str, value: float, yardstick: float | None, verdict: str
) -> None:
    assert result(id_, (value, yardstick)).verdict == verdict


def test_samples_of_several_figures_become_a_result_each() -> None:
    samples = [Sample("P8", 1.0), Sample("P8-alone", 2.0), Sample("P8", 3.0)]
    found = results_of(samples, Result("P8", [], {}))
    assert [(each.id, each.value) for each in found] == [("P8", 2.0), ("P8-alone", 2.0)]


def test_a_row_without_a_sample_says_why() -> None:
    [found] = results_of([], Result("P3", [], {}, "round 1: it broke"))
    assert (found.id, found.value, found.verdict, found.trouble) == ("P3", None, None, "round 1: it broke")


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (None, list(ROWS)),
        ("P3,P1", ["P1", "P3"]),
        ("p8B, r20", ["P8b"]),
        ("H,W", ["P5"]),
    ],
)
def test_rows_are_chosen_by_name(text: str | None, rows: list[str]) -> None:
    assert chosen_rows(text) == rows


def test_a_quick_run_has_no_time_for_large_rows_unless_they_are_named() -> None:
    assert set(ROWS) - set(chosen_rows(None, quick=True)) == {"P12", "P13"}
    assert chosen_rows("P12", quick=True) == ["P12"]


def test_a_row_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageTrouble, match="P99"):
        chosen_rows("P1,P99")


@pytest.mark.parametrize(
    ("done", "is_clean"),
    [
        (run_of(result("P1", (1, 100))), True),
        (run_of(result("P1", (1, 1), failures={"503": 2})), False),
        (run_of(result("P1", trouble="round 1")), False),
        (run_of(result("P1", (1, 1)), findings=(Finding("exposure", UUID(int=1), "off by one"),)), False),
    ],
)
def test_a_missed_goal_is_no_fault_but_a_failed_request_is(done: Run, is_clean: bool) -> None:
    assert done.is_clean is is_clean


def test_the_document_holds_every_row_and_its_rounds() -> None:
    told = orjson.loads(orjson.dumps(document(run_of(result("P1", (100, 200)), result("P8", trouble="broke")))))
    assert told["machine"]["cores"] == 2
    first, second = told["rows"]
    parts = (first["id"], first["ratio"], first["value"], first["yardstick"], first["rounds"])
    assert parts == ("P1", 0.5, 100, 200, [{"value": 100, "yardstick": 200, "ratio": 0.5}])
    assert (first["floor"], first["target"], first["verdict"]) == (0.6, 1.0, "missed")
    assert (second["id"], second["value"], second["trouble"]) == ("P8", None, "broke")


def test_a_person_sees_what_failed_beside_what_did_not() -> None:
    told = io.StringIO()
    finding = Finding("exposure", UUID(int=1), "off by one")
    show(
        run_of(result("P1", (1, 1), failures={"503": 2}), result("P3", trouble="it broke"), findings=(finding,)),
        Console(file=told, width=140),
    )
    text = told.getvalue()
    for words in ("503: 2", "it broke", "off by one", "not measured", "target", "12 µs"):
        assert words in text


def test_the_chart_is_a_drawing_with_a_bar_per_goal() -> None:
    done = run_of(
        result("P1", (150, 100)), result("P8", (20, None)), result("P3", trouble="broke"), result("W", (3, 1))
    )
    drawing = ET.fromstring(chart(done))  # noqa: S314 - we drew it
    texts = [element.text or "" for element in drawing.iter() if element.tag.endswith("text")]
    names = {text.split()[0] for text in texts if text.split()[0] in GOALS}
    assert names == {"P1", "P8"}
    widths = bar_widths(drawing)
    assert widths["#2f9e44"] > widths["#e03131"] > 0


def bar_widths(drawing: ET.Element) -> Mapping[str, float]:
    return {element.attrib["fill"]: float(element.attrib["width"]) for element in drawing if "rx" in element.attrib}


def test_pgbench_is_read_or_said_not_to_be_understood() -> None:
    assert tps_of("latency average = 3 ms\ntps = 2088.177862 (without initial connection time)\n") == 2088.177862
    with pytest.raises(Trouble, match="no tps"):
        tps_of("pgbench: error")
