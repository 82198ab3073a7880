"""`./banca psql`: psql on the database, as its owner."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from cli.postgres_tools import database_argument, find_tool, tool_on_path
from cli.stack import Stack
from core.settings import given, load_owner_settings


def run(arguments: Sequence[str], *, data: Path) -> NoReturn:
    """Become psql on what MIGRATION_DATABASE_URL or DATABASE_URL names, else on the stack in `data`.

    BANCA_PG_BIN's; else the person's own, which edits lines; else the embedded server's, which does not.
    """
    url = load_owner_settings().owner_url or Stack.load(data).owner_url
    own = tool_on_path("psql") if given(os.environ, "BANCA_PG_BIN") is None else None
    program = own or find_tool("psql")
    target, environment = database_argument(url)
    os.execve(program, [str(program), f"--dbname={target}", *arguments], environment)
