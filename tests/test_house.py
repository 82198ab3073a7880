"""The house's own rules: what the linters check, and what they cannot."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Not resolved: the interpreter of a virtual environment is a link, and its neighbours are the tools.
TOOLS = Path(sys.executable).parent
PACKAGES = ("api", "cli", "core", "loadtests", "workers")
QUERIES = ROOT / "sql" / "queries"

# They say that something is in the file, not what.
NAMELESS = frozenset({"base", "common", "helper", "helpers", "manager", "misc", "service", "util", "utils"})
LOCK_FILES = re.compile(r"^(uv|poetry|pdm|Pipfile|conda|Cargo|yarn)[.-]lock|lock\.(json|yaml)$|^pylock.*\.toml$")
# In parts, so that this file does not find itself.
REGISTRIES = tuple(
    name + end
    for name, end in (
        ("pypi", ".org"), ("pythonhosted", ".org"), ("npmjs", ".org"), ("npmjs", ".com"), ("unpkg", ".com"),
        ("jsdelivr", ".net"), ("ghcr", ".io"), ("docker", ".io"), ("quay", ".io"), ("index", "-url"), ("index", "_url"),
    )
)  # fmt: skip
SQL = re.compile(r"\b(SELECT|INSERT INTO|UPDATE \w+ SET|DELETE FROM|TRUNCATE|CREATE (TABLE|FUNCTION|INDEX))\b")
SQL_OUTSIDE: Mapping[str, str] = {
    "core/migrations.py": "runs the SQL files, and keeps the ledger of those that ran",
    "core/database.py": "sets the tenant of each transaction",
    "core/books.py": "asks for the time of its snapshot",
    "api/health.py": "pings",
    "cli/demo.py": "asks whether there is a demo banca already",
}


def test_ruff_finds_nothing() -> None:
    assert complaints("ruff", "check", ".") == ""


def test_ruff_would_format_nothing_anew() -> None:
    assert complaints("ruff", "format", "--check", ".") == ""


def test_no_import_crosses_a_border() -> None:
    assert complaints("lint-imports") == ""


@pytest.mark.timeout(600)
def test_mypy_finds_nothing() -> None:
    # Its cache does not notice that a module appeared which was looked for in vain before: findings are asked for anew.
    assert complaints("mypy") == "" or complaints("mypy", "--no-incremental") == ""


def complaints(tool: str, *options: str) -> str:
    """What the tool prints when it is not content."""
    run = subprocess.run([TOOLS / tool, *options], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    return "" if run.returncode == 0 else f"{run.stdout}{run.stderr}" or f"exit code {run.returncode}"


def test_files_are_named_after_what_they_hold() -> None:
    names = [path for path in tracked() if NAMELESS & {part.removesuffix(".py") for part in path.parts}]
    assert not names


def test_sql_is_written_in_sql_files_only() -> None:
    found = {path for path, text in texts_of_sources() if SQL.search(text)}
    assert found == set(SQL_OUTSIDE)


def test_every_query_that_python_names_is_a_file() -> None:
    missing = [(path, name) for path, name in named_queries() if not (QUERIES / f"{name}.sql").is_file()]
    assert not missing


def test_every_query_file_is_named_by_python() -> None:
    literals = {text for _, text in texts_of_sources()}
    files = {path.relative_to(QUERIES).with_suffix("").as_posix() for path in QUERIES.rglob("*.sql")}
    # Either whole, or as f"books/{check}" with the name elsewhere.
    unused = {
        name for name in files if name not in literals and not {name.rpartition("/")[2], f"{name.rpartition('/')[0]}/"} <= literals
    }  # fmt: skip
    assert not unused
    assert files


def test_migrations_are_numbered_without_a_gap() -> None:
    names = sorted(path.name for path in (ROOT / "sql" / "migrations").iterdir())
    assert names
    for number, name in enumerate(names, start=1):
        assert re.fullmatch(rf"{number:04d}_[a-z0-9_]+\.sql", name), name


def test_no_lock_file_is_kept() -> None:
    assert not [path for path in tracked() if LOCK_FILES.search(path.name)]


def test_no_file_names_a_registry() -> None:
    found = [(path, name) for path, text in tracked_texts() for name in REGISTRIES if name in text]
    # The launcher must know pip's options by their names to tell uv what they say.
    about_options = {Path("cli/pip_settings.py"), Path("tests/stack/test_launcher.py")}
    options = set(REGISTRIES[-2:])
    assert not [(path, name) for path, name in found if path not in about_options or name not in options]


def test_constraints_name_versions_and_no_addresses() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert lines
    assert not [line for line in lines if not re.match(r"[a-z0-9][a-z0-9.-]*==[^\s:/@]+( ;.*)?$", line)]


def test_no_file_names_the_place_of_this_repository() -> None:
    if len(ROOT.parts) < 3:
        pytest.skip(f"{ROOT} is too short to be told from other words")
    place = re.compile(rf"{re.escape(str(ROOT))}(?![\w-])")
    assert not [path for path, text in tracked_texts() if place.search(text)]


def test_a_noqa_or_type_ignore_gives_its_reason() -> None:
    bare = re.compile(r"#\s*(noqa|type:\s*ignore)(?!.*\s[-—#]\s\S)")
    found = [
        f"{path}:{number}"
        for path, text in tracked_texts(".py")
        for number, line in enumerate(text.splitlines(), start=1)
        if bare.search(line) and path != Path(__file__).relative_to(ROOT)
    ]
    assert not found


@cache
def tracked() -> tuple[Path, ...]:
    """What git has, or would take: relative to the repository."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no clone")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    return tuple(Path(name) for name in listing.split("\0") if name and (ROOT / name).is_file())


def tracked_texts(suffix: str = "") -> Iterator[tuple[Path, str]]:
    for path in tracked():
        if path.name.endswith(suffix):
            yield path, (ROOT / path).read_text(encoding="utf-8", errors="replace")


@cache
def sources() -> Mapping[str, ast.Module]:
    """The code that is not tests, by path."""
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def texts_of_sources() -> Iterator[tuple[str, str]]:
    """Every string that the code uses: no docstrings, and of f-strings their fixed parts."""
    for path, tree in sources().items():
        spoken = set(docstrings(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in spoken:
                yield path, node.value


def docstrings(tree: ast.Module) -> Iterator[ast.Constant]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value


def named_queries() -> Iterable[tuple[str, str]]:
    """sql("folder/name"), and what is called as a query by name."""
    for path, tree in sources().items():
        for node in ast.walk(tree):
            match node:
                case ast.Call(
                    func=ast.Name(id="sql") | ast.Attribute(attr="call"), args=[ast.Constant(value=str(name)), *_]
                ) if "/" in name:
                    yield path, name
