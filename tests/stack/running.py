"""A stack of a test: its commands as a person runs them, and what its database says."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import asyncpg

from cli.postgres import EmbeddedPostgres
from cli.stack import ROOT, Secrets
from core.settings import API_ROLE
from tests.databases import ask, in_server, with_login
from tests.stack.up import on_any_port, own_environment, says_ready, start_up


def cli(
    data: Path | str,
    *arguments: str,
    settings: Mapping[str, str] = MappingProxyType({}),
    launcher: tuple[str, ...] = (),
) -> subprocess.CompletedProcess[str]:
    """launcher: a command that runs this one, as setpriv does."""
    return subprocess.run(
        [*launcher, sys.executable, "-P", "-m", "cli", *on_any_port([*arguments, "--data", str(data)])],
        cwd=ROOT, env={**own_environment(), **settings}, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip


@contextmanager
def started(data: Path, *options: str, settings: Mapping[str, str] = MappingProxyType({})) -> Iterator[None]:
    """Until the end of the context; it stops well."""
    with start_up(data, *options, settings=settings, stderr=subprocess.PIPE) as process:
        try:
            assert says_ready(process), process.stderr.read() if process.stderr else ""
            yield
        finally:
            process.terminate()
            # Both are read to their ends: what it says must not wait.
            process.communicate(timeout=60)
    assert process.returncode == 0


def sell(data: Path) -> subprocess.CompletedProcess[str]:
    """From the demo terminal, signed."""
    return cli(data, "sell", "07", "500")


def in_database(data: Path, secrets: Secrets) -> bool:
    """Whether the API's role has the password of these secrets."""
    with EmbeddedPostgres(data) as server:
        url = with_login(server.owner_url, user=API_ROLE, password=secrets.api_database_password)
        try:
            return asyncio.run(ask(url, "SELECT 1")) == 1
        except asyncpg.InvalidPasswordError:
            return False


def execute(owner_url: str, statement: str) -> None:
    asyncio.run(in_server(owner_url, statement))
