from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis

from cli.data_directory import empty, lock
from cli.private_files import DirectoryLock
from cli.stack import LOCK_FILE, Secrets, Stack, StackNotRunning, with_login
from cli.trouble import Trouble, UsageTrouble
from cli.up import chosen_programs, make_metrics_directory
from cli.valkey import EmbeddedValkey


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(
        data=tmp_path,
        api_url="http://127.0.0.1:8080",
        owner_url="postgresql://banca:owner-secret@127.0.0.1:5432/banca",
        redis_url="redis://:secret@127.0.0.1:6379/0",
        amqp_url=None,
        pid=4242,
        started_at=datetime.now(UTC),
        secrets=Secrets.load_or_create(tmp_path, {}),
    )


@pytest.mark.parametrize("amqp_url", [None, "amqp://guest:guest@127.0.0.1:5672/"])
def test_a_stack_that_was_saved_loads_as_it_was(stack: Stack, amqp_url: str | None) -> None:
    stack = replace(stack, amqp_url=amqp_url)
    with DirectoryLock(stack.data / LOCK_FILE, taken=""):
        stack.save()
        assert Stack.load(stack.data) == stack
    assert (stack.data / "stack.json").stat().st_mode & 0o777 == 0o600


def test_another_shell_gets_the_secrets_that_up_was_given(stack: Stack) -> None:
    given = replace(stack, secrets=Secrets.load_or_create(stack.data, {"TERMINAL_MASTER_KEY": "m" * 32}))
    with DirectoryLock(stack.data / LOCK_FILE, taken=""):
        given.save()
        assert Stack.load(stack.data).secrets.terminal_master_key == "m" * 32


def test_a_stack_whose_process_is_gone_does_not_load(stack: Stack) -> None:
    stack.save()
    with pytest.raises(StackNotRunning, match="no stack runs"):
        Stack.load(stack.data)


def test_a_stack_that_is_still_starting_says_so(tmp_path: Path) -> None:
    with DirectoryLock(tmp_path / LOCK_FILE, taken=""), pytest.raises(StackNotRunning, match="still starting"):
        Stack.load(tmp_path)


def test_only_the_owner_gets_the_owners_url(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIGRATION_DATABASE_URL", stack.owner_url)
    for role in ("api", "worker"):
        environment = stack.process_environment(role)
        assert f"://banca_{role}:" in environment["DATABASE_URL"]
        assert "owner-secret" not in str(environment)
    assert stack.environment("owner")["DATABASE_URL"] == stack.owner_url


def test_secrets_are_made_once_and_the_environment_wins_without_being_kept(tmp_path: Path) -> None:
    made = Secrets.load_or_create(tmp_path, {})
    assert Secrets.load_or_create(tmp_path, {"JWT_ACCESS_SECRET": "mine"}) == replace(made, jwt_access_secret="mine")
    assert Secrets.load_or_create(tmp_path, {}) == made
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://a:b@h:1/d", "postgresql://u:p%2F@h:1/d"),
        ("postgresql://h/d?sslmode=require", "postgresql://u:p%2F@h/d?sslmode=require"),
        ("postgresql://a%40x:b@[::1]:1/d", "postgresql://u:p%2F@[::1]:1/d"),
    ],
)
def test_a_url_for_another_user_keeps_its_place(url: str, expected: str) -> None:
    assert with_login(url, user="u", password="p/") == expected


def test_fresh_leaves_a_directory_alone_that_is_no_stacks(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(Trouble, match="no stack's"):
        lock(tmp_path, fresh=True)


def test_fresh_deletes_what_a_stack_wrote_and_nothing_else(stack: Stack) -> None:
    stack.save()
    (stack.data / "valkey").mkdir()
    make_metrics_directory(stack.data)
    (stack.data / "thesis.txt").touch()
    with lock(stack.data, fresh=False):
        empty(stack.data)
    assert {path.name for path in stack.data.iterdir()} == {"thesis.txt", LOCK_FILE}


def test_a_second_stack_in_the_same_directory_is_refused(tmp_path: Path) -> None:
    with lock(tmp_path, fresh=False), pytest.raises(Trouble, match="already runs"), lock(tmp_path, fresh=True):
        pass


def test_only_starts_what_it_names_in_the_order_of_stopping() -> None:
    assert chosen_programs(None, api=2) == {"api": 2, "scheduler": 1, "relay": 1, "worker": 1}
    assert list(chosen_programs("worker,scheduler,api", api=1)) == ["api", "scheduler", "worker"]
    with pytest.raises(UsageTrouble, match="janitor"):
        chosen_programs("api,janitor", api=1)


def test_what_valkey_was_told_survives_a_stop_and_a_start(tmp_path: Path) -> None:
    for expected in (None, b"kept"):
        with EmbeddedValkey(tmp_path) as server, redis.Redis.from_url(server.redis_url) as client:
            assert client.get("word") == expected
            client.set("word", "kept")
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
