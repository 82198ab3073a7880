"""Bring a database up to date, and say in a line why that did not work."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from cli.stack import SECRETS_FILE, Secrets, Stack, without_password
from cli.trouble import Trouble

# A migration may rewrite large tables; the runner bounds each statement itself.
MIGRATE_TIMEOUT_S = 3600.0


def run(*, data: Path) -> int:
    """Migrate what MIGRATION_DATABASE_URL or DATABASE_URL names, else the stack in `data`."""
    url = os.environ.get("MIGRATION_DATABASE_URL") or os.environ.get("DATABASE_URL")
    if url is None:
        stack = Stack.load(data)
        applied = migrate(stack.owner_url, stack.secrets)
    else:
        # Without a stack's secrets the operator gives the roles their logins.
        known = (data / SECRETS_FILE).exists()
        applied = migrate(url, Secrets.load_or_create(data) if known else None)
    for name in applied:
        print(name)
    print(f"{len(applied)} applied" if applied else "nothing to do")
    return 0


def migrate(owner_url: str, secrets: Secrets | None) -> list[str]:
    """The names applied. Raises Trouble when the database cannot be reached or refuses us."""
    import asyncpg

    from core import migrations

    work = migrations.migrate(
        owner_url,
        api_password=secrets.api_database_password if secrets else None,
        worker_password=secrets.worker_database_password if secrets else None,
    )
    try:
        return asyncio.run(asyncio.wait_for(work, MIGRATE_TIMEOUT_S))
    except (OSError, TimeoutError, asyncpg.PostgresConnectionError) as error:
        raise Trouble(f"no database answers at {without_password(owner_url)}: {error}") from error
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
        raise Trouble(f"{without_password(owner_url)} refuses us: {error}") from error
    except migrations.MigrationChangedError as error:
        raise Trouble(str(error)) from error
