"""What the documents say of the code is true of it."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from api.problem_catalogue import KINDS, SECTIONS, with_tables
from api.rule_refusals import CONFLICTS
from api.rule_refusals import STATUSES as RULE_STATUSES
from api.ticket_answers import STATUSES
from api.validation import _CODES
from core.security.signature import SignatureFault, canonical_request, sign
from core.settings import Settings
from core.till.refusals import SENTENCES

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PROXY = ROOT / "deploy" / "proxy" / "answers"
CODE = re.compile(r"[A-Z]+(_[A-Z]+)+")
# Who refuses by which names: the position of the code among the arguments.
REFUSING: Mapping[str, int] = {
    "refuse": 1,
    "Problem": 1,
    "Violation": 0,
    "Fault": 0,
    "_unavailable": 0,
    "NumberError": 0,
}
REFUSING_FILES = ("api/**/*.py", "core/till/*.py", "core/domain/pricing.py", "core/domain/sale_rules.py",
                  "core/domain/numbers.py", "core/domain/reventado.py", "core/domain/impersonation.py",
                  "core/domain/multiplier_blocks.py")  # fmt: skip
# Put together, or chosen elsewhere than where the refusal is made.
AMOUNT_CODES = {"AMOUNT_INVALID", "AMOUNT_TOO_PRECISE", "AMOUNT_NOT_POSITIVE", "AMOUNT_TOO_LARGE"}
# Their blocks go on from one to the next, and need nothing from elsewhere.
PASTED = ("README.md", "statements.md")
MAKE_PROBLEMS = (
    '.venv/bin/python -c "from pathlib import Path; from api.problem_catalogue import with_tables;'
    " p = Path('docs/problems.md'); p.write_text(with_tables(p.read_text()))\""
)
MULTIPLIER_CODES = {
    "INVALID_MULTIPLIER",
    "INVALID_MULTIPLIER_LOTERIA",
    "INACTIVE_MULTIPLIER",
    "INVALID_MULTIPLIER_VALUE",
}


def test_every_code_that_is_answered_is_explained() -> None:
    assert codes_answered() - set(KINDS) == set()


def test_every_code_that_is_explained_is_answered() -> None:
    named = {name for file in refusing_files() for name in re.findall(r'"([A-Z_]+)"', file.read_text())}
    assert set(KINDS) - named - codes_answered() == set()


def test_every_code_is_explained_once() -> None:
    assert len(KINDS) == sum(len(section.kinds) for section in SECTIONS)


def test_the_page_of_problems_has_the_tables_of_the_catalogue() -> None:
    page = (DOCS / "problems.md").read_text()
    assert with_tables(page) == page, f"docs/problems.md is not made anew: run {MAKE_PROBLEMS}"
    assert re.findall(r"^<!-- codes: (\w+) -->$", page, re.MULTILINE) == [section.slug for section in SECTIONS]


def test_the_pages_that_the_catalogue_names_are_there() -> None:
    assert [kind.code for kind in KINDS.values() if kind.page and not (DOCS / kind.page).is_file()] == []


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_explained_with_its_default(name: str) -> None:
    [row] = re.findall(rf"^\| `{name.upper()}` \| ([^|]+) \|", (DOCS / "settings.md").read_text(), re.MULTILINE)
    default = Settings.model_fields[name].get_default()
    if isinstance(default, bool | int | float | str):
        shown = (
            str(default).lower()
            if isinstance(default, bool)
            else f"{default:g}"
            if isinstance(default, float)
            else default
        )
        assert row == f"`{shown}`"
    else:
        assert "`" not in row or name == "migration_database_url"


def test_the_signing_vector_is_what_the_code_computes() -> None:
    vector = signing_vector()
    canonical = canonical_request(
        terminal=vector["terminal"],
        timestamp=vector["timestamp"],
        method=vector["method"],
        target=vector["target"],
        idempotency_key=vector["key"],
        body=vector["body"].encode(),
    )
    assert canonical.decode().rpartition("\n")[2] == vector["SHA-256 of the body"]
    assert sign(vector["secret"], canonical) == vector["X-Signature"]


@pytest.mark.skipif(not (shutil.which("bash") and shutil.which("openssl")), reason="bash and openssl compute it here")
def test_the_documented_bash_function_computes_the_vector() -> None:
    vector = signing_vector()
    [function] = re.findall(r"```bash\n(sign\(\) .*?)```", (DOCS / "signing.md").read_text(), re.DOTALL)
    arguments = [vector[part] for part in ("terminal", "secret", "timestamp", "method", "target", "key", "body")]
    command = ["bash", "-euc", f'{function}\nsign "$@"', "bash", *arguments]
    assert (
        subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
        == vector["X-Signature"]
    )


@pytest.mark.skipif(not shutil.which("bash"), reason="bash reads them")
@pytest.mark.parametrize("path", (ROOT / "README.md", *DOCS.glob("*.md")), ids=lambda path: path.stem)
def test_the_shell_blocks_of_a_page_are_well_formed_and_set_what_they_use(path: Path) -> None:
    blocks = re.findall(r"^```bash\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE)
    run = subprocess.run(
        ["bash", "-n"], input="\n".join(blocks), capture_output=True, text=True, check=False, timeout=20
    )
    assert (run.returncode, run.stderr) == (0, "")
    if path.name in PASTED:
        text = "\n".join(blocks)
        used = set(re.findall(r"\$\{?([A-Za-z_]\w*)", text))
        names = r"(?:^|[\s;(])(?:local |read -r |for )?([A-Za-z_]\w*)(?==| in )|read -r (\w+) (\w+)|\bnow (lines)"
        made = {name for found in re.findall(names, text, re.MULTILINE) for name in found if name}
        assert used - made - {"TZ"} == set()


def test_every_page_is_in_the_index_of_the_readme() -> None:
    index = (ROOT / "README.md").read_text().partition("## All pages")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| \[docs/([\w-]+\.md)\]\(docs/\1\) \| \S", index, re.MULTILINE)
    assert sorted(listed) == sorted(path.name for path in DOCS.glob("*.md"))


def test_links_between_documents_lead_somewhere() -> None:
    broken = [
        f"{path.name}: {target}"
        for path in (ROOT / "README.md", *DOCS.glob("*.md"))
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text())
        if not (path.parent / target).exists()
    ]
    assert not broken


def signing_vector() -> dict[str, str]:
    table = (DOCS / "signing.md").read_text().partition("## A vector to test with")[2].partition("## ")[0]
    return dict(re.findall(r"^\| ([^|]+) \| `?([^|`]+)`? \|$", table, re.MULTILINE))


def codes_answered() -> set[str]:
    found = {code for file in refusing_files() for code in refused_in(ast.parse(file.read_text()))}
    chosen = {code for code, _ in SENTENCES.values()} | set(STATUSES) | set(_CODES.values()) | set(SignatureFault)
    written = set(RULE_STATUSES) | {code for code, _ in CONFLICTS.values()}
    proxy = {code for file in PROXY.iterdir() for code in re.findall(r'"code": ?"([A-Z_]+)"', file.read_text())}
    return found | chosen | written | proxy | AMOUNT_CODES | MULTIPLIER_CODES


def refusing_files() -> Iterator[Path]:
    for pattern in REFUSING_FILES:
        yield from ROOT.glob(pattern)


def refused_in(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = (
            node.func.id
            if isinstance(node.func, ast.Name)
            else node.func.attr
            if isinstance(node.func, ast.Attribute)
            else ""
        )
        position = REFUSING.get(name)
        if position is None or len(node.args) <= position:
            continue
        match node.args[position]:
            case ast.Constant(value=str(code)) if CODE.fullmatch(code):
                yield code
