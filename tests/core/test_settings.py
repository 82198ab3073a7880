"""Settings that say nothing are unset, wherever they say it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.settings import MigrationSettings, Settings, SettingsError, StackSettings, given, load_settings

ROOT = Path(__file__).resolve().parents[2]
KINDS = (Settings, MigrationSettings, StackSettings)
FIELDS = [(kind, name) for kind in KINDS for name in kind.model_fields]
BLANKS = ("", " ", "\t\r\n")
# Something that each setting takes, and that is not its default.
VALUES = {bool: "false", int: "70", float: "70"}
TEXTS = {
    **dict.fromkeys(
        ("database_url", "migration_database_url", "database_url_replica"), "postgresql://user@there/banca"
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
