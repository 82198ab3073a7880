"""Settings that say nothing are unset, wherever they say it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.setting_values import allowed_of
from core.settings import (
    KINDS,
    OTHER_NAMES,
    SETTING_NAMES,
    SIGNING_SECRETS,
    MigrationSettings,
    Program,
    Settings,
    SettingsError,
    StackSettings,
    given,
    load_settings,
    misspelt_settings,
    require_right_settings,
)  # fmt: skip

ROOT = Path(__file__).resolve().parents[2]
FIELDS = [(kind, name) for kind in KINDS for name in kind.model_fields]
BLANKS = ("", " ", "\t\r\n")
# Something that each setting takes, and that is not its default.
VALUES = {bool: "false", int: "70", float: "70"}
TEXTS = {
    **dict.fromkeys(
        ("database_url", "database_direct_url", "migration_database_url", "database_url_replica"),
        "postgresql://user@there/banca",
    ),
    "redis_url": "redis://there:6379/0",
    "amqp_url": "amqp://there/",
    "cleanup_webhook_url": "https://there/x",
    "terminal_master_keys_retired": "k0:key",
    "trusted_proxies": "10.0.0.0/8",
    "cors_origins": "https://pos.example.com",
    "log_level": "debug",
    # The least that a body may be is more than the others take.
    **dict.fromkeys(("body_single_bytes_max", "body_batch_bytes_max"), "7000"),
}

each_field = pytest.mark.parametrize(("kind", "name"), FIELDS, ids=lambda value: getattr(value, "__name__", value))


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for _, name in FIELDS:
        monkeypatch.delenv(name.upper(), raising=False)


def read(kind: type[Settings | MigrationSettings | StackSettings], secrets: Path) -> dict[str, object]:
    # Required: without it there are no settings at all.
    with_database: dict[str, Any] = {"database_url": "postgresql://required"} if kind is Settings else {}
    return kind(_secrets_dir=secrets, **with_database).model_dump()


def value_of(kind: type[Settings | MigrationSettings | StackSettings], name: str) -> str:
    annotation = str(kind.model_fields[name].annotation)
    if name == "multiplier_base_default_x":
        return "90"
    if name in TEXTS:
        return TEXTS[name]
    return next((value for of, value in VALUES.items() if of.__name__ in annotation), "something")


@each_field
@pytest.mark.parametrize("blank", BLANKS, ids=repr)
def test_a_setting_that_is_blank_is_unset(
    kind: type[Settings], name: str, blank: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unset = read(kind, tmp_path)
    monkeypatch.setenv(name.upper(), blank)
    assert read(kind, tmp_path) == unset
    (tmp_path / name).write_text(blank)
    assert read(kind, tmp_path) == unset


@each_field
def test_a_secret_counts_where_the_environment_says_nothing(
    kind: type[Settings], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if (kind, name) == (Settings, "database_url"):
        return
    unset = read(kind, tmp_path)[name]
    (tmp_path / name).write_text(value_of(kind, name))
    of_file = read(kind, tmp_path)[name]
    assert of_file != unset
    monkeypatch.setenv(name.upper(), " ")
    assert read(kind, tmp_path)[name] == of_file


@pytest.mark.parametrize("blank", BLANKS, ids=repr)
def test_a_required_setting_that_is_blank_is_missing(
    blank: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", blank)
    with pytest.raises(SettingsError, match="DATABASE_URL is not set"):
        load_settings(tmp_path)


def test_a_variable_that_is_blank_is_not_given() -> None:
    assert [given({"NAME": value}, "NAME") for value in (*BLANKS, "value", " value ")] == [
        None, None, None, "value", " value ",
    ]  # fmt: skip
    assert given({}, "NAME") is None


@pytest.mark.parametrize("blank", BLANKS, ids=repr)
def test_an_empty_directory_of_metrics_is_none(blank: str) -> None:
    """A process that counted in such a directory would end as it starts."""
    done = subprocess.run(
        [sys.executable, "-c", "from core.metrics import render_metrics; print(render_metrics().decode())"],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": blank}, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "till_queue_tickets" in done.stdout


def test_the_containers_defaults_stand_where_a_variable_is_empty() -> None:
    """In Compose `-` is for what is unset, `:-` for what is empty, too."""
    compose = (ROOT / "docker-compose.yml").read_text()
    assert re.findall(r"(?<!\$)\$\{[A-Z_]+(?!:-)[^A-Z_}][^}]*\}|(?<!\$)\$\{[A-Z_]+\}", compose) == []


def wrong_lines(monkeypatch: pytest.MonkeyPatch, secrets: Path, **environment: str) -> list[str]:
    """What is told of these settings, whoever reads them."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as raised:
        require_right_settings(secrets)
    return str(raised.value).splitlines()


# Each with a value that is wrong, and how its line begins and what it must say.
WRONG = [
    ("LOG_LEVEL", "verbose", "LOG_LEVEL=verbose: must be debug, info, warning or error"),
    (
        "DATABASE_URL",
        "mysql://root:s3cret@h/d",
        "DATABASE_URL=mysql://root@h/d: must be a URL that begins with postgresql",
    ),
    ("DATABASE_URL", "h:s3cret/d", "DATABASE_URL=h:…/d: must be a URL"),
    (
        "MIGRATION_DATABASE_URL",
        "postgresql://u:s3cret@h:123456/d",
        "MIGRATION_DATABASE_URL=postgresql://u@h:123456/d: ",
    ),
    ("DATABASE_URL_REPLICA", "sqlite:///x", "DATABASE_URL_REPLICA=sqlite:///x: "),
    ("REDIS_URL", "http://:s3cret@h", "REDIS_URL=http://@h: must be a URL that begins with redis"),
    ("REDIS_URL", "redish://h?password=s3cret", "REDIS_URL=redish://h?password=…: "),
    ("AMQP_URL", "rabbit://x", "AMQP_URL=rabbit://x: must be a URL that begins with amqp:// or amqps://"),
    ("AMQP_URL", "u:s3cret@h", "AMQP_URL=u@h: "),
    ("CLEANUP_WEBHOOK_URL", "ftp://h/s3cret", "CLEANUP_WEBHOOK_URL=ftp://h/…: "),
    ("JWT_ACCESS_SECRET", "s3cret", "JWT_ACCESS_SECRET (its value is not shown): must be at least 32 bytes long"),
    ("TERMINAL_MASTER_KEY", "s3cret", "TERMINAL_MASTER_KEY (its value is not shown): must be at least 32 bytes long"),
    ("TERMINAL_MASTER_KEYS_RETIRED", "s3cret", "TERMINAL_MASTER_KEYS_RETIRED (its value is not shown): must be id:key"),
    ("TERMINAL_MASTER_KEY_ID", "k:1", "TERMINAL_MASTER_KEY_ID=k:1: must be a name without"),
    ("PORT", "65536", "PORT=65536: must be a whole number from 0 to 65535"),
    ("PORT", "http", "PORT=http: "),
    ("METRICS_PORT", "-1", "METRICS_PORT=-1: "),
    ("HOST", "here there", "HOST=here there: must be a host name or an address"),
    ("DB_TIMEOUT_S", "0", "DB_TIMEOUT_S=0: must be a number greater than 0 and at most 3600"),
    ("DB_TIMEOUT_S", "nan", "DB_TIMEOUT_S=nan: "),
    ("BODY_SILENCE_MAX_S", "inf", "BODY_SILENCE_MAX_S=inf: "),
    ("TILL_QUEUE_TICKETS_MAX", "0", "TILL_QUEUE_TICKETS_MAX=0: must be a whole number from 1 to "),
    ("CACHE_ENABLED", "maybe", "CACHE_ENABLED=maybe: must be true or false"),
    ("TRUSTED_PROXIES", "10.0.0.0/99", "TRUSTED_PROXIES=10.0.0.0/99: must be networks"),
    ("CORS_ORIGINS", "*", "CORS_ORIGINS=*: must be exact origins"),
    ("JUGADA_AMOUNT_MAX", "1e9", "JUGADA_AMOUNT_MAX=1e9: must be an amount greater than 0"),
    ("MULTIPLIER_MAX", "0", "MULTIPLIER_MAX=0: must be a multiplier greater than 0"),
    ("MULTIPLIER_BASE_DEFAULT_X", "x", "MULTIPLIER_BASE_DEFAULT_X=x: must be a multiplier, as 90"),
    ("TX_BACKOFF_MIN_MS", "201", "TX_BACKOFF_MIN_MS=201: must be at most TX_BACKOFF_MAX_MS, which is 200"),
    ("MIGRATION_LOCK_TIMEOUT_MS", "1", "MIGRATION_LOCK_TIMEOUT_MS=1: must be a whole number from 10 to "),
]


@pytest.mark.parametrize(("name", "value", "told"), WRONG, ids=lambda value: str(value)[:40])
def test_a_wrong_setting_is_told_in_a_line_with_what_it_may_be_and_without_secrets(
    name: str, value: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [line] = wrong_lines(monkeypatch, tmp_path, **{name: value})
    assert line.startswith(told)
    assert "s3cret" not in line


def test_all_that_are_wrong_are_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = {name: value for name, value, _ in WRONG}
    lines = wrong_lines(monkeypatch, tmp_path, **first)
    assert sorted(line.partition("=")[0].partition(" ")[0] for line in lines) == sorted(first)


def test_a_wrong_setting_of_a_file_says_where_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "port").write_text("http\n")
    assert wrong_lines(monkeypatch, tmp_path)[0].startswith(f"PORT=http in {tmp_path / 'port'}: must be ")


def test_a_file_that_is_no_text_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "jwt_access_secret").write_bytes(b"\xff\xfe" * 20)
    [line] = wrong_lines(monkeypatch, tmp_path)
    assert str(tmp_path) in line


def test_a_long_or_broken_value_stays_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [line] = wrong_lines(monkeypatch, tmp_path, LOG_LEVEL="\x1b[2J\n" + "x" * 5_000)
    assert line.isprintable()
    assert len(line) < 300


def test_every_number_has_bounds() -> None:
    for kind in KINDS:
        for name, field in kind.model_fields.items():
            words = allowed_of(field).words
            assert not re.fullmatch("a (whole )?number", words), name
            # Whatever may be said of it, a person can follow it.
            assert words != "a text" or name in SIGNING_SECRETS or name.endswith("_password"), name


def test_every_default_is_allowed(tmp_path: Path) -> None:
    require_right_settings(tmp_path)


@pytest.mark.parametrize(
    ("program", "missing"),
    [
        ("api", ["JWT_ACCESS_SECRET", "JWT_REFRESH_SECRET", "TERMINAL_MASTER_KEY"]),
        ("relay", ["REDIS_URL"]),
        ("worker", ["REDIS_URL"]),
        ("scheduler", []),
    ],
)
def test_a_program_is_told_of_all_that_it_lacks(program: Program, missing: list[str], tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        load_settings(tmp_path, program=program)
    lines = [line for line in str(raised.value).splitlines() if " is not set; it must be " in line]
    assert [line.partition(" ")[0] for line in lines] == ["DATABASE_URL", *missing]


def test_equal_secrets_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "s" * 32
    [line] = wrong_lines(monkeypatch, tmp_path, JWT_ACCESS_SECRET=secret, JWT_REFRESH_SECRET=secret)
    assert line == "JWT_REFRESH_SECRET (its value is not shown): must be another than JWT_ACCESS_SECRET"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("DATABSE_URL", "is DATABASE_URL meant?"),
        ("LOG_LEVL", "is LOG_LEVEL meant?"),
        ("log_levl", "is LOG_LEVEL meant?"),
        ("AMPQ_URL", "is AMQP_URL meant?"),
        ("REDIS_URI", "is REDIS_URL meant?"),
        ("JWT_ACCES_SECRET", "is JWT_ACCESS_SECRET meant?"),
        ("BANCA_DATABASE_URL", "is DATABASE_URL meant?"),
        ("BANCA_PG_BINS", "is BANCA_PG_BIN meant?"),
        ("BANCA_COLOUR", "docs/settings.md lists them"),
    ],
)
def test_a_variable_that_looks_like_a_setting_is_told(name: str, told: str) -> None:
    [line] = misspelt_settings({name: "s3cret", "PATH": "/bin"})
    assert line == f"{name} is no setting and is not read; {told}"


def test_variables_of_others_are_left_alone() -> None:
    usual = "PATH HOME HOSTNAME LANG LOGNAME PWD SHLVL TERM USER DISPLAY EDITOR MAIL SHELL PGHOST PGPORT PGUSER DB_HOST"
    others = dict.fromkeys((*usual.split(), "LS_COLORS", "XDG_RUNTIME_DIR", "VIRTUAL_ENV", "PYTHONPATH"), "x")
    assert misspelt_settings(others | dict.fromkeys(SETTING_NAMES | OTHER_NAMES, "x") | {"BANCA_COLOUR": " "}) == []


def test_the_names_that_others_read_are_known() -> None:
    """Launcher, commands, tests, Compose: none of theirs is told as unknown."""
    files = [ROOT / "banca", ROOT / "docker-compose.yml", ROOT / "docs" / "settings.md", *ROOT.glob("deploy/**/*.yml")]
    code = [path for folder in ("api", "cli", "core", "loadtests", "workers") for path in (ROOT / folder).rglob("*.py")]
    read = r"(?:environ|given\(os\.environ,|getenv\(|_VARIABLE =)[^\n]*?[\"'](BANCA_[A-Z_]+)[\"']"
    named = {name for path in files for name in re.findall(r"\$\{?(BANCA_[A-Z_]+)|`(BANCA_[A-Z_]+)`", path.read_text())}
    of_code = {name for path in code for name in re.findall(read, path.read_text())}
    assert {name for pair in named for name in pair if name} | of_code <= SETTING_NAMES | OTHER_NAMES
