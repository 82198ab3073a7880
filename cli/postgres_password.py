"""`./banca postgres-password`: a new password for the stack's own PostgreSQL, when postgres.json is lost. The data stay."""

from __future__ import annotations

from pathlib import Path

from cli.data_directory import lock
from cli.postgres import EmbeddedPostgres
from cli.trouble import Trouble


def run(*, data: Path) -> int:
    """Raises Trouble when the stack runs, or has no cluster."""
    data = data.resolve()
    if not data.exists():
        raise Trouble(f"{data} is not there: nothing was changed")
    with lock(data, fresh=False):
        postgres = EmbeddedPostgres(data)
        postgres.renew_password()
    print(
        f"the cluster in {postgres.cluster} has a new password, which {data / 'postgres.json'} has; ./banca up runs it"
    )
    return 0
