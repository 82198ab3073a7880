"""Bring a database up to date, and say in a line why that did not work."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Protocol

from cli.database_check import require_migratable, talking_to
from cli.progress import say, warn_of_misspelt
from cli.stack import SECRETS_FILE, Secrets, Stack
from cli.trouble import Trouble
from core.settings import load_migration_settings, require_right_settings

# A migration may rewrite large tables; the runner bounds each statement itself.
MIGRATE_TIMEOUT_S = 3600.0


class Blocked(Trouble):
    """Others hold what the migration must lock: nothing is wrong, it may be tried again later."""

    # EX_TEMPFAIL of sysexits.h.
    exit_code = 75


class Logins(Protocol):
    """Passwords of the roles that the processes log in as; None: that role's login is the operator's business."""

    @property
    def api_database_password(self) -> str | None: ...
    @property
    def worker_database_password(self) -> str | None: ...


def run(*, data: Path) -> int:
    """Migrate what MIGRATION_DATABASE_URL or DATABASE_URL names, else the stack in `data`."""
    require_right_settings()
    warn_of_misspelt()
    settings = load_migration_settings()
    url = settings.owner_url
    if url is None:
        stack = Stack.load(data)
        applied = migrate(stack.owner_url, stack.secrets)
    else:
        known = (data / SECRETS_FILE).exists()
        applied = migrate(url, Secrets.load_or_create(data) if known else settings)
    for name in applied:
        print(name)
    print(f"{len(applied)} applied" if applied else "nothing to do")
    return 0


def migrate(owner_url: str, logins: Logins) -> list[str]:
    """The names applied. Raises Trouble when the database cannot be reached or refuses us."""
    from core import migrations

    sets_passwords = any((logins.api_database_password, logins.worker_database_password))
    require_migratable(owner_url, sets_passwords=sets_passwords)
    settings = load_migration_settings()
    work = migrations.migrate(
        owner_url,
        api_password=logins.api_database_password,
        worker_password=logins.worker_database_password,
        patience=migrations.Patience(
            lock_timeout_s=settings.migration_lock_timeout_ms / 1000, total_s=settings.migration_wait_max_s
        ),
        tell=say,
    )
    try:
        with talking_to(owner_url):
            return asyncio.run(asyncio.wait_for(work, MIGRATE_TIMEOUT_S))
    except migrations.MigrationBlockedError as error:
        raise Blocked(str(error)) from error
    except (migrations.MigrationChangedError, migrations.MigrationTooLongError) as error:
        raise Trouble(str(error)) from error
