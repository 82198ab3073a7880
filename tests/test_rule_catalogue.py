"""Every rule id that code, SQL, tests and documents cite is defined once in docs/rules, and what a rule cites is there."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CATALOGUE = ROOT / "docs" / "rules"
PAGES = sorted(CATALOGUE.glob("*.md"))
# What may cite a rule. The examples of ./banca explain carry the ids in their titles.
CITING = (
    "*.md",
    "docs/**/*.md",
    "docs/examples/explain/*.json",
    "sql/**/*.sql",
    *(f"{room}/**/*.py" for room in ("api", "cli", "core", "loadtests", "tests", "workers")),
)
HEADING = re.compile(r"^#+ ([A-Z]{2,5}-[0-9]+)\b", re.MULTILINE)
CITATION = re.compile(r"(?<![\w-])([A-Z]{2,5})-([0-9]+)\b(?!-)")
# A test may carry the id of its rule in its name: test_com_11_each_line_is_rounded.
TEST_NAME = re.compile(r"\bdef test_([a-z]{2,5})_([0-9]+)_")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
CITED_TEST = re.compile(r"(tests/[\w/]+\.py)::(\w+)")
# Names of standards that have the form of a rule id.
STANDARDS = {"ISO", "RFC", "SHA", "UTC", "UTF"}


@cache
def texts() -> dict[str, str]:
    files = {file for pattern in CITING for file in ROOT.glob(pattern)}
    return {str(file.relative_to(ROOT)): file.read_text() for file in sorted(files)}


def defined() -> list[str]:
    return [rule for page in PAGES for rule in HEADING.findall(page.read_text())]


def prefixes() -> set[str]:
    return {rule.partition("-")[0] for rule in defined()}


def citations() -> Iterator[tuple[str, str]]:
    """(file, rule id) of every text that has the form of one, standards left out."""
    for name, text in texts().items():
        for prefix, number in CITATION.findall(text):
            if prefix not in STANDARDS:
                yield name, f"{prefix}-{number}"
        for prefix, number in TEST_NAME.findall(text):
            if prefix.upper() in prefixes():
                yield name, f"{prefix.upper()}-{number}"


@cache
def functions_of(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text())
    return frozenset(n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


def test_every_cited_rule_is_in_the_catalogue() -> None:
    rules, known = set(defined()), prefixes()
    missing = {(name, rule) for name, rule in citations() if rule.partition("-")[0] in known and rule not in rules}
    assert missing == set()


def test_every_prefix_in_use_is_one_of_the_catalogue() -> None:
    """An id with a prefix that no page defines; or the name of a standard, which belongs in STANDARDS."""
    known = prefixes()
    assert {(name, rule) for name, rule in citations() if rule.partition("-")[0] not in known} == set()


def test_no_rule_is_defined_twice() -> None:
    assert [rule for rule, count in Counter(defined()).items() if count > 1] == []


def test_the_catalogue_and_its_citations_are_read() -> None:
    assert len(defined()) > 50
    assert {name.partition("/")[0] for name, _ in citations()} >= {"api", "core", "docs", "tests"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_links_to_is_there(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text()) if "://" not in link]
    assert links
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_tests_that_a_page_names_exist(page: Path) -> None:
    cited = CITED_TEST.findall(page.read_text())
    assert [
        f"{file}::{name}"
        for file, name in cited
        if not (ROOT / file).is_file() or name not in functions_of(file)
    ] == []  # fmt: skip


def test_every_rule_names_where_it_is_enforced_and_what_holds_it() -> None:
    for page in PAGES:
        for section in re.split(r"^## ", page.read_text(), flags=re.MULTILINE)[1:]:
            rule = section.split(maxsplit=1)[0].rstrip(":")
            if not HEADING.match(f"## {rule}"):
                continue
            assert all(part in section for part in ("Example:", "Enforced in:", "Held by:")), rule
            assert CITED_TEST.search(section), rule
