"""Bring a database up to date, and say in a line why that did not work."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Protocol

from cli.bound_secrets import as_owner, fitting_secrets
from cli.progress import say
from cli.stack import SECRETS_FILE, Stack
from cli.trouble import Trouble
from core.settings import API_ROLE, WORKER_ROLE, load_migration_settings

# A migration may rewrite large tables; the runner bounds each statement itself.
MIGRATE_TIMEOUT_S = 3600.0


class Logins(Protocol):
    """Passwords of the roles that the processes log in as; None: that role's login is the operator's business."""

    @property
    def api_database_password(self) -> str | None: ...
    @property
    def worker_database_password(self) -> str | None: ...


def run(*, data: Path) -> int:
    """Migrate what MIGRATION_DATABASE_URL or DATABASE_URL names, else the stack in `data`."""
    settings = load_migration_settings()
    url = settings.owner_url
    if url is None:
        stack = Stack.load(data)
        applied = migrate(stack.owner_url, stack.secrets, api_role=stack.api_role, worker_role=stack.worker_role)
    else:
        logins: Logins = settings
        if (data / SECRETS_FILE).exists():
            # The passwords in it are set only where its master key belongs.
            logins = fitting_secrets(data, url)
        applied = migrate(url, logins, api_role=settings.api_database_role, worker_role=settings.worker_database_role)
    for name in applied:
        print(name)
    print(f"{len(applied)} applied" if applied else "nothing to do")
    return 0


def migrate(owner_url: str, logins: Logins, *, api_role: str = API_ROLE, worker_role: str = WORKER_ROLE) -> list[str]:
    """The names applied. Raises Trouble when the database cannot be reached or refuses us."""
    from core import migrations

    if api_role == worker_role:
        raise Trouble(f"API_DATABASE_ROLE and WORKER_DATABASE_ROLE are both {api_role}: they have different rights")

    settings = load_migration_settings()
    work = migrations.migrate(
        owner_url,
        api_password=logins.api_database_password,
        worker_password=logins.worker_database_password,
        api_role=api_role,
        worker_role=worker_role,
        patience=migrations.Patience(
            lock_timeout_s=settings.migration_lock_timeout_ms / 1000, total_s=settings.migration_wait_max_s
        ),
        tell=say,
    )
    return as_owner(owner_url, asyncio.wait_for(work, MIGRATE_TIMEOUT_S))
