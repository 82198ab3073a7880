"""`./banca up` as a process of its own, on servers of its own whatever the environment says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TextIO

from cli.postgres import EmbeddedPostgres
from cli.stack import ROOT

REPLACED = ("DATABASE_URL", "MIGRATION_DATABASE_URL", "REDIS_URL", "AMQP_URL")
Run = subprocess.Popen[str]


def own_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in REPLACED}


def on_any_port(arguments: Sequence[str]) -> list[str]:
    """A command's arguments; `up` takes a free port unless they name one: a banca of this machine may have the usual one."""
    return [*arguments, *(("--port", "0") if arguments[0] == "up" and "--port" not in arguments else ())]


def start_up(
    data: Path,
    *options: str,
    stderr: int | TextIO = subprocess.DEVNULL,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> Run:
    command = [sys.executable, "-P", "-m", "cli", *on_any_port(["up", "--data", str(data), *options])]
    environment = {**own_environment(), **settings}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True)


def says_ready(up: Run) -> bool:
    """Once it answers; False when it ended instead."""
    assert up.stdout is not None
    return any(line.startswith("Stop with") for line in up.stdout)


@contextmanager
def running_up(data: Path, *options: str) -> Iterator[Run]:
    with start_up(data, *options) as process:
        try:
            assert says_ready(process)
            yield process
        finally:
            process.kill()
    EmbeddedPostgres(data).remove()
