"""A stack's secrets belong to its database: what is lost is never made anew beside it, and what is another's refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from shutil import copyfile

import pytest

from cli.postgres import EmbeddedPostgres
from cli.stack import SECRETS_FILE, Secrets
from cli.trouble import Trouble
from tests.stack.running import cli, execute, in_database, sell, started

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")

API = ("--only", "api", "--api", "1", "--port", "0")
OTHER_KEY = "y" * 40


@pytest.fixture(scope="module")
def sold(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A stack that has sold, and stopped."""
    data = tmp_path_factory.mktemp("sold")
    with started(data, *API):
        assert sell(data).returncode == 0
    yield data
    EmbeddedPostgres(data).remove()


@pytest.fixture
def stack(sold: Path) -> Iterator[Path]:
    """Afterwards it is as it was, and sells."""
    kept = {name: (sold / name).read_text() for name in (SECRETS_FILE, "demo.json")}
    yield sold
    for name, text in kept.items():
        (sold / name).write_text(text)


def refusal(data: Path, settings: Mapping[str, str] | None = None) -> str:
    """The one line with which `up` ends; what it did before it is said, too."""
    run = cli(data, "up", *API, settings=settings or {})
    assert run.returncode == 1, run.stderr
    assert "Traceback" not in run.stderr
    return run.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "secrets.json is missing, and the database has terminals"),
        ("{}", "has no terminalMasterKey, and the database has terminals"),
        ("{", "secrets.json is damaged"),
        ("[]", "secrets.json is damaged"),
        ('{"terminalMasterKey": 7}', "secrets.json is damaged (terminalMasterKey"),
        ("\x00\x01", "secrets.json is damaged"),
    ],
    ids=["missing", "empty", "cut off", "no object", "no text", "no JSON"],
)
def test_lost_secrets_are_not_made_anew_beside_a_database_that_knows_them(
    stack: Path, text: str | None, words: str
) -> None:
    path = stack / SECRETS_FILE
    before = path.read_text()
    path.unlink() if text is None else path.write_text(text)
    said = refusal(stack)
    assert words in said
    assert "restore it from a backup" in said
    assert (path.read_text() if path.exists() else None) == text
    path.write_text(before)
    with started(stack, *API):
        assert sell(stack).returncode == 0


def test_secrets_of_another_stack_are_refused_before_a_password_changes(stack: Path, tmp_path: Path) -> None:
    other = Secrets.load_or_create(tmp_path, {})
    copyfile(tmp_path / SECRETS_FILE, stack / SECRETS_FILE)
    assert "the terminal master key k1 is another one" in refusal(stack)
    assert not in_database(stack, other)


def test_a_key_of_the_environment_must_be_the_databases_too(stack: Path) -> None:
    assert "k1 is another one" in refusal(stack, {"TERMINAL_MASTER_KEY": OTHER_KEY})
    assert "not among those given" in refusal(stack, {"TERMINAL_MASTER_KEY_ID": "k2"})


def test_a_key_of_the_environment_does_for_the_file(stack: Path) -> None:
    """The file is lost, and the key is kept elsewhere: only logins end."""
    key = json.loads((stack / SECRETS_FILE).read_text())["terminalMasterKey"]
    (stack / SECRETS_FILE).unlink()
    with started(stack, *API, settings={"TERMINAL_MASTER_KEY": key}):
        assert "terminalMasterKey" not in json.loads((stack / SECRETS_FILE).read_text())
        assert sell(stack).returncode == 0


def test_a_master_key_is_rotated(stack: Path) -> None:
    key = json.loads((stack / SECRETS_FILE).read_text())["terminalMasterKey"]
    rotated = {
        "TERMINAL_MASTER_KEY": OTHER_KEY,
        "TERMINAL_MASTER_KEY_ID": "k2",
        "TERMINAL_MASTER_KEYS_RETIRED": f"k1:{key}",
    }
    with started(stack, *API, settings=rotated):
        assert sell(stack).returncode == 0
    # The way back: nothing was lost.
    with started(stack, *API):
        assert sell(stack).returncode == 0


def test_a_database_from_before_takes_the_secrets_that_it_is_started_with_and_none_that_are_new(stack: Path) -> None:
    before = (stack / SECRETS_FILE).read_text()
    with EmbeddedPostgres(stack) as server:
        execute(server.owner_url, "DELETE FROM master_key_checks")
    (stack / SECRETS_FILE).unlink()
    assert "secrets.json is missing" in refusal(stack)
    (stack / SECRETS_FILE).write_text(before)
    with started(stack, *API):
        assert sell(stack).returncode == 0


def test_migrating_another_database_with_this_stacks_secrets_is_refused(stack: Path, tmp_path: Path) -> None:
    Secrets.load_or_create(tmp_path, {})
    with EmbeddedPostgres(stack) as server:
        run = cli(tmp_path, "migrate", settings={"DATABASE_URL": server.owner_url})
    assert run.returncode == 1
    assert "k1 is another one" in run.stderr


def test_a_backup_keeps_no_secrets_of_another_stack(stack: Path, tmp_path: Path) -> None:
    """The environment names the database, and the data directory is another one's."""
    other, target = tmp_path / "other", tmp_path / "backup"
    other.mkdir()
    Secrets.load_or_create(other, {})
    for name in ("demo.json", "postgres.json"):
        (other / name).write_text("{}")
    key = json.loads((stack / SECRETS_FILE).read_text())["terminalMasterKey"]
    with EmbeddedPostgres(stack) as server:
        settings = {"DATABASE_URL": server.owner_url}
        run = cli(other, "backup", str(target), settings=settings)
        assert run.returncode == 1
        assert "is not that of" in run.stderr
        assert not target.exists()
        run = cli(other, "backup", str(target), settings={**settings, "TERMINAL_MASTER_KEY": key})
        assert run.returncode == 0, run.stderr
        # Its own directory does as well.
        run = cli(stack, "backup", str(tmp_path / "own"), settings=settings)
        assert run.returncode == 0, run.stderr
    kept = {path.name for path in target.iterdir() if path.suffix == ".json"}
    assert kept == {"manifest.json", "secrets.json"}
    assert json.loads((target / SECRETS_FILE).read_text())["terminalMasterKey"] == key
    assert "jwtAccessSecret" not in json.loads((target / SECRETS_FILE).read_text())
    assert json.loads((tmp_path / "own" / SECRETS_FILE).read_text())["terminalMasterKey"] == key


@pytest.mark.parametrize("text", [None, "{", '{"port": 1}'], ids=["missing", "damaged", "without its password"])
def test_a_lost_password_of_the_cluster_is_made_anew_without_loss(stack: Path, text: str | None) -> None:
    path = stack / "postgres.json"
    path.unlink() if text is None else path.write_text(text)
    said = refusal(stack)
    assert "postgres.json" in said
    assert "restore" in said
    assert "./banca postgres-password" in said
    renewed = cli(stack, "postgres-password", settings={})
    assert renewed.returncode == 0, renewed.stderr
    assert path.stat().st_mode & 0o777 == 0o600
    with started(stack, *API):
        assert sell(stack).returncode == 0
        assert "already runs" in cli(stack, "postgres-password", settings={}).stderr


def test_a_damaged_file_of_the_demo_says_what_to_do(stack: Path) -> None:
    (stack / "demo.json").write_text("{")
    assert "demo.json is damaged" in refusal(stack)


def test_only_the_master_key_is_never_made_anew(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="restore it from a backup"):
        Secrets.load_or_create(tmp_path, {}, needs_master_key=lambda: True)
    assert not (tmp_path / SECRETS_FILE).exists()
    (tmp_path / SECRETS_FILE).write_text(json.dumps({"terminalMasterKey": OTHER_KEY}))
    made = Secrets.load_or_create(tmp_path, {}, needs_master_key=lambda: True)
    assert made.terminal_master_key == OTHER_KEY
    assert Secrets.load_or_create(tmp_path, {}, needs_master_key=lambda: True) == made
