"""`./banca restored`: the database was put back to an earlier time, and begins another history. docs/deploy.md says when."""

from __future__ import annotations

from pathlib import Path

from cli.owner_connection import with_database
from core.queries import sql

# More events than an installation writes between a backup and its loss.
NUMBERS_SKIPPED = 1_000_000_000


def run(*, data: Path) -> int:
    """Begin another history in what MIGRATION_DATABASE_URL or DATABASE_URL names, else in the stack in `data`."""
    history = with_database(
        data, lambda connection: connection.fetchval(sql("installation/begin_history"), NUMBERS_SKIPPED)
    )
    print(f"history {history} begins: what broker, cache and replicas know of another one is not used any more")
    return 0
