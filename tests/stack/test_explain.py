"""./banca explain: exit codes and what is printed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "examples" / "explain"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli", "explain", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def test_what_is_sold_exits_0_and_what_is_refused_exits_1() -> None:
    sold, refused = run(EXAMPLES / "res-5.json"), run(EXAMPLES / "res-all.json")
    assert (sold.returncode, sold.stderr, sold.stdout.split()[0]) == (0, "", "SOLD")
    assert (refused.returncode, refused.stderr, refused.stdout.split()[0]) == (1, "", "REFUSED")
    assert "2818.50" in sold.stdout
    assert all(rule in refused.stdout for rule in ("R-15", "R-ventana", "R-banca"))


def test_json_is_the_whole_decision() -> None:
    told = run(EXAMPLES / "mul-11-admin.json", "--json")
    decision = json.loads(told.stdout)
    assert (told.returncode, decision["decision"], len(decision["warnings"])) == (0, "SOLD", 1)
    assert run(EXAMPLES / "mul-11-admin.json").stdout.count("LOTTERY_MULTIPLIER_RESTRICTED") == 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"at": NaN}', '{"banca": 1}', "\ufeff{}", "[" * 100_000])
def test_a_malformed_case_exits_2_with_one_line_of_why(tmp_path: Path, text: str) -> None:
    case = tmp_path / "case.json"
    case.write_text(text, encoding="utf-8")
    told = run(case)
    assert (told.returncode, told.stdout, told.stderr.count("\n")) == (2, "", 1)
    assert str(case) in told.stderr


def test_a_case_that_is_not_there_exits_2(tmp_path: Path) -> None:
    assert run(tmp_path / "none.json").returncode == 2
    assert run(tmp_path).returncode == 2
    (tmp_path / "latin.json").write_bytes(b"\xff\xfe\x00")
    assert run(tmp_path / "latin.json").returncode == 2


def test_a_name_in_a_case_is_no_markup(tmp_path: Path) -> None:
    case = json.loads((EXAMPLES / "res-3.json").read_text())
    case["restrictions"][0]["id"] = "[bold]R1[/bold] [/x]"
    (tmp_path / "case.json").write_text(json.dumps(case))
    assert "[bold]R1[/bold] [/x]" in run(tmp_path / "case.json").stdout
