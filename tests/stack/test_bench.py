"""Two tiny rows of the benchmark, end to end, on a real stack."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from cli.stack import ROOT
from loadtests.bench.queries import bench_sql

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the embedded servers")
BENCH_SQL = ROOT / "sql" / "bench"


@pytest.mark.timeout(300)
def test_rows_are_measured_against_their_yardsticks_and_leave_nothing_behind(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    options = ("--quick", "--rows", "P1,P5", "--seconds", "0.5", "--scale", "1", "--json", str(figures))
    environment = {name: value for name, value in os.environ.items() if name != "AMQP_URL"}
    run = subprocess.run(
        [sys.executable, "-P", "-m", "cli", "bench", *options, "--data", str(tmp_path / "data")],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    told = json.loads(figures.read_text())
    # W comes with P5; both have an API of their own, which sells past the functions.
    assert [row["id"] for row in told["rows"]] == ["P1", "P5", "W"]
    for row in told["rows"]:
        assert row["value"] > 0
        assert row["yardstick"] > 0, row
        assert row["ratio"] == pytest.approx(row["value"] / row["yardstick"], rel=0.01)
        assert [each["value"] for each in row["rounds"]] == [row["value"]]
        assert row["failures"] == {}
    costs = told["rows"][0]["costs"]
    assert costs["api µs"] > 0
    assert costs["tickets a batch"] > 1
    assert told["machine"]["cores"] >= 1
    assert told["findings"] == []
    assert "The books are right." in run.stdout
    assert ET.parse(figures.with_suffix(".svg")).getroot().tag.endswith("svg")  # noqa: S314 - we drew it
    assert {path.name for path in tmp_path.iterdir()} == {"figures.json", "figures.svg"}


def test_every_query_of_the_benchmark_is_used() -> None:
    code = "".join(path.read_text() for path in (ROOT / "loadtests" / "bench").glob("*.py"))
    for path in BENCH_SQL.rglob("*.sql"):
        assert bench_sql(path.relative_to(BENCH_SQL).with_suffix("").as_posix())
        assert f'"{path.stem}"' in code or f'/{path.stem}"' in code, path.name
