"""Who administers, made and mended from the command line, and logged in over HTTP."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import admin
from cli.main import app
from cli.trouble import Trouble
from tests.arena import PASSWORD, Arena
from tests.databases import TestDatabase
from tests.running_api import Answer, RunningApi


@pytest.fixture
def run(database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs an `admin` command on the database of the test; its output. Raises Trouble as it does."""
    monkeypatch.setenv("MIGRATION_DATABASE_URL", database.owner_url)
    monkeypatch.setattr(admin, "LOGIN_S", 0.0)

    async def call(*arguments: str) -> str:
        done = await asyncio.to_thread(CliRunner().invoke, app, ["admin", *arguments])
        if isinstance(done.exception, Trouble):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.output

    return call


async def log_in(api: RunningApi, username: str, password: str) -> Answer:
    return await api.post("/api/v1/auth/login", {"username": username, "password": password})


async def test_the_first_admin_of_an_empty_database_logs_in(run: Any, api: RunningApi) -> None:
    assert await run("list") == "Nobody: make the first one with ./banca admin create --username NAME\n"
    made = json.loads(await run("create", "--username", "root.1", "--json"))
    assert (made["username"], made["role"], made["banca"]) == ("root.1", "ADMIN", None)
    answer = await log_in(api, "ROOT.1", made["password"])
    assert (answer.status, answer.json()["user"]["role"]) == (200, "ADMIN")
    [listed] = json.loads(await run("list", "--json"))
    assert (listed["username"], listed["live_sessions"]) == ("root.1", 1)
    assert made["password"] not in await run("list")


async def test_a_person_is_told_the_password_once(run: Any, api: RunningApi) -> None:
    told = await run("create", "--username", "root")
    [password] = re.findall(r"^Password +(\S+)  \(shown this once\)$", told, re.MULTILINE)
    assert (await log_in(api, "root", password)).status == 200


async def test_a_new_password_ends_the_old_one_and_every_session(run: Any, api: RunningApi, arena: Arena) -> None:
    seller = arena.seller
    first = (await log_in(api, seller.username, PASSWORD)).json()
    reset = json.loads(await run("reset-password", seller.username.upper(), "--json"))
    assert (reset["username"], reset["sessionsEnded"]) == (seller.username, 1)
    assert (await log_in(api, seller.username, PASSWORD)).code == "INVALID_CREDENTIALS"
    assert (await api.post("/api/v1/auth/refresh", {"refreshToken": first["refreshToken"]})).status == 401
    assert (await log_in(api, seller.username, reset["password"])).status == 200


async def test_who_logged_in_with_the_old_password_meanwhile_is_out_too(
    run: Any, api: RunningApi, arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log-in that found the old password right before the change opens its session after it."""
    loop = asyncio.get_running_loop()

    async def log_in_late() -> None:
        opening = arena.add_session(arena.seller.id, arena.banca_id)
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(opening, loop))

    monkeypatch.setattr(admin, "log_ins_under_way", log_in_late)
    reset = json.loads(await run("reset-password", arena.seller.username, "--json"))
    assert reset["sessionsEnded"] == 2
    live = "SELECT count(*) FROM sessions WHERE user_id = $1 AND revoked_at IS NULL"
    assert await arena.owner.fetchval(live, arena.seller.id) == 0


async def test_a_banca_and_a_ventana_get_people_of_their_own(run: Any, api: RunningApi, arena: Arena) -> None:
    code = await arena.owner.fetchval("SELECT code FROM bancas WHERE id = $1", arena.banca_id)
    ventana = await arena.owner.fetchval("SELECT code FROM ventanas WHERE id = $1", arena.ventana_id)
    for role, place in (("BANCA", ["--banca", code]), ("VENTANA", ["--banca", code, "--ventana", ventana])):
        made = json.loads(await run("create", "--username", f"of-{role}", "--role", role, *place, "--json"))
        user = (await log_in(api, f"of-{role}", made["password"])).json()["user"]
        assert (user["role"], user["bancaId"]) == (role, str(arena.banca_id))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create", "--username", "no"], "a username has 3 to 64"),
        (["create", "--username", "a b c"], "a username has 3 to 64"),
        (["create", "--username", "abc", "--name", "two\nlines"], "a name is one line"),
        (["create", "--username", "abc", "--role", "BANCA"], "--role BANCA needs --banca CODE"),
        (["create", "--username", "abc", "--role", "BANCA", "--banca", "NONE"], "there is no banca NONE"),
        (["create", "--username", "abc", "--ventana", "V01"], "--ventana CODE goes with --role VENTANA"),
        (["create", "--username", "abc", "--role", "VENTANA", "--banca", "X"], "--ventana CODE goes with"),
        (["reset-password", "nobody"], "there is no user nobody"),
    ],
)
async def test_what_is_wrong_is_said_in_a_line_and_nobody_is_made(run: Any, arguments: list[str], said: str) -> None:
    with pytest.raises(Trouble, match=said) as raised:
        await run(*arguments)
    assert "\n" not in str(raised.value)
    assert json.loads(await run("list", "--json")) == []


async def test_a_name_belongs_to_one_user_whatever_its_case(run: Any) -> None:
    await run("create", "--username", "root")
    with pytest.raises(Trouble, match="there is a user ROOT already"):
        await run("create", "--username", "ROOT")


def test_who_makes_an_admin_says_so() -> None:
    for command in (["demo"], ["admin"], ["admin", "create"]):
        assert "ADMIN" in CliRunner().invoke(app, [*command, "--help"]).output.partition("Options")[0], command
