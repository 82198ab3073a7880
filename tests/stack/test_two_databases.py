"""Two banca databases in one server: each has logins of its own, and neither takes the other's."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from cli.postgres import EmbeddedPostgres
from cli.stack import Stack
from core.migrations import RoleTakenError, migrate
from tests.databases import ask, database_of, in_server, with_login
from tests.stack.running import cli, sell, started
from tests.workers.pipeline import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")

OWN_ROLES = {"API_DATABASE_ROLE": "second_api", "WORKER_DATABASE_ROLE": "second_worker"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """Of its own: roles belong to a whole server."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("server"), settings={"fsync": "off"})
    with server:
        yield server
    server.remove()


@pytest.fixture
async def first(server: EmbeddedPostgres) -> AsyncIterator[str]:
    """A migrated database with logins, and an empty one beside it; afterwards nothing is left of either, nor of roles."""
    for name in ("first", "second"):
        await in_server(server.owner_url, f"CREATE DATABASE {name}")
    await migrate(database_of(server.owner_url, "first"), api_password="first", worker_password="first")
    yield database_of(server.owner_url, "first")
    for name in ("first", "second", "first_renamed"):
        await in_server(server.owner_url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    for role in ("second_api", "second_worker", "banca_api", "banca_worker", "banca_definer", "person"):
        await in_server(server.owner_url, f"DROP ROLE IF EXISTS {role}")


@pytest.fixture
def second(first: str) -> str:
    return database_of(first, "second")


async def logs_in(url: str, role: str, password: str) -> bool:
    try:
        return await ask(with_login(url, user=role, password=password), "SELECT 1") == 1
    except asyncpg.InvalidPasswordError:
        return False


async def test_a_second_database_does_not_take_the_logins_of_the_first(first: str, second: str) -> None:
    with pytest.raises(RoleTakenError, match=r'banca_api .*"first".*API_DATABASE_ROLE and WORKER_DATABASE_ROLE'):
        await migrate(second, api_password="second", worker_password="second")
    assert await logs_in(first, "banca_api", "first")
    # Refused before anything is written.
    assert await ask(second, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == 0


async def test_the_same_database_gets_new_passwords_also_under_another_name(first: str) -> None:
    await in_server(database_of(first, "postgres"), "ALTER DATABASE first RENAME TO first_renamed")
    renamed = database_of(first, "first_renamed")
    await migrate(renamed, api_password="new", worker_password="new")
    assert await logs_in(renamed, "banca_api", "new")


async def test_a_login_of_a_database_that_is_gone_is_free(first: str, second: str) -> None:
    await in_server(database_of(first, "postgres"), "DROP DATABASE first WITH (FORCE)")
    await migrate(second, api_password="second", worker_password="second")
    assert await logs_in(second, "banca_api", "second")


async def test_a_login_from_before_logins_were_marked_is_taken_only_where_no_other_database_has_it(
    first: str, second: str
) -> None:
    await in_server(first, "COMMENT ON ROLE banca_api IS NULL")
    with pytest.raises(RoleTakenError, match="may be the login of another database"):
        await migrate(second, api_password="second", worker_password="second")
    await in_server(first, "COMMENT ON ROLE banca_api IS 'mine'")
    await migrate(first, api_password="new", worker_password="new")
    assert await logs_in(first, "banca_api", "new")
    comment = await ask(first, "SELECT shobj_description('banca_api'::regrole, 'pg_authid')")
    oid = await ask(first, "SELECT oid FROM pg_database WHERE datname = 'first'")
    assert comment == f"mine [banca:{oid}]"


async def test_the_statement_that_a_refusal_names_gives_the_login_away(first: str, second: str) -> None:
    with pytest.raises(RoleTakenError) as refused:
        await migrate(second, api_password="second", worker_password="second")
    claim = str(refused.value).rpartition("say so: ")[2]
    await in_server(second, claim)
    await in_server(second, claim.replace("banca_api", "banca_worker"))
    await migrate(second, api_password="second", worker_password="second")
    assert await logs_in(second, "banca_api", "second")


async def test_a_role_of_somebody_elses_is_no_login(first: str, second: str) -> None:
    await in_server(first, "CREATE ROLE person LOGIN PASSWORD 'mine'")
    for role in ("person", "banca"):
        with pytest.raises(RoleTakenError, match=f"{role} .*was not made for this database"):
            await migrate(second, api_password="x", worker_password="x", api_role=role, worker_role="second_worker")
    assert await logs_in(first, "person", "mine")
    assert await ask(second, "SELECT to_regclass('schema_migrations')") is None


async def test_own_logins_have_the_rights_and_the_settings_of_their_kind_and_no_more(first: str, second: str) -> None:
    for password in ("second", "later"):
        await migrate(
            second, api_password=password, worker_password=password, api_role="second_api", worker_role="second_worker"
        )
        assert await logs_in(second, "second_api", password)
    assert await logs_in(first, "banca_api", "first")
    api = await asyncpg.connect(with_login(second, user="second_api", password="later"))
    try:
        assert await api.fetchval("SHOW idle_in_transaction_session_timeout") == "1min"
        assert await api.fetchval("SELECT count(*) FROM tickets") == 0
        await api.execute("SELECT probe_writes()")
        for statement in ("DELETE FROM transfers", "SELECT * FROM outbox", "UPDATE master_key_checks SET key_id = 'x'"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await api.execute(statement)
    finally:
        await api.close()


@pytest.fixture
async def owners(server: EmbeddedPostgres) -> AsyncIterator[list[str]]:
    """URLs of two databases, of which each has an owner that is no superuser."""
    urls = []
    for name in ("lone", "ltwo"):
        await in_server(server.owner_url, f"CREATE ROLE {name} LOGIN CREATEROLE PASSWORD '{name}'")
        await in_server(server.owner_url, f"CREATE DATABASE {name} OWNER {name}")
        urls.append(with_login(database_of(server.owner_url, name), user=name, password=name))
    yield urls
    for name in ("lone", "ltwo"):
        await in_server(server.owner_url, f"DROP DATABASE {name} WITH (FORCE)")
    roles = ("second_api", "second_worker", "banca_api", "banca_worker", "banca_definer", "lone", "ltwo")
    # Grants that one of them made keep another from going.
    await in_server(server.owner_url, f"DROP ROLE IF EXISTS {', '.join(roles)}")


async def test_owners_without_superuser_rights_have_logins_too(server: EmbeddedPostgres, owners: list[str]) -> None:
    first, second = owners
    for password in ("one", "later"):
        await migrate(first, api_password=password, worker_password=password)
        assert await logs_in(first, "banca_api", password)
    # As docs/deploy.md says, once, by whoever may.
    await in_server(server.owner_url, "GRANT banca_definer, banca_api, banca_worker TO ltwo WITH ADMIN OPTION")
    for password in ("two", "later"):
        await migrate(
            second, api_password=password, worker_password=password, api_role="second_api", worker_role="second_worker"
        )
        assert await logs_in(second, "second_api", password)
    assert await ask(with_login(second, user="second_worker", password="later"), "SELECT programs_from()") == 0
    with pytest.raises(RoleTakenError):
        await migrate(second, api_password="two", worker_password="two")


async def is_right(url: str, data: Path) -> bool:
    books = await asyncio.to_thread(cli, data, "verify", settings={"DATABASE_URL": url})
    return books.returncode == 0


async def test_two_stacks_on_two_databases_of_one_server_both_sell(
    server: EmbeddedPostgres, first: str, second: str, tmp_path: Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    options = ("--api", "1", "--port", "0", "--demo")
    refused = await asyncio.to_thread(cli, two, "up", *options, settings={"DATABASE_URL": second})
    assert refused.returncode == 1
    assert "banca: the role banca_api of this server is the login of database" in refused.stderr
    assert "Traceback" not in refused.stderr

    with (
        started(one, *options, settings={"DATABASE_URL": first}),
        started(two, *options, settings={"DATABASE_URL": second, **OWN_ROLES}),
    ):
        for data in (one, two, one):
            sold = await asyncio.to_thread(sell, data)
            assert sold.returncode == 0, sold.stderr
        user = urlsplit(Stack.load(two).api_database_url).username
        assert user == "second_api"
        assert await ask(second, f"SELECT count(*) > 0 FROM pg_stat_activity WHERE usename = '{user}'")
        for url in (first, second):
            # The workers log in, too.
            assert await eventually(partial(is_right, url, tmp_path), deadline_s=120)
        # The other shell has none of the settings, and finds them where the stack runs.
        again = await asyncio.to_thread(cli, two, "migrate", settings={})
        assert (again.returncode, again.stdout) == (0, "nothing to do\n")
