"""Whatever is wrong around a command, a person gets lines that say it, an exit code, and no traceback."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from cli.ports import free_port
from cli.postgres import EmbeddedPostgres
from cli.stack import with_login
from cli.valkey import EmbeddedValkey
from core.settings import SETTING_NAMES, SETTINGS_EXIT_CODE
from tests.databases import TestDatabase, in_server
from tests.rabbitmq import reachable_rabbitmq
from tests.stack.processes import wait_until
from tests.stack.up import on_any_port

ROOT = Path(__file__).resolve().parents[2]
# On a machine that has much else to do.
END_TIMEOUT_S = 120
# Each reads the database that DATABASE_URL names.
COMMANDS = (
    ("migrate",),
    ("verify",),
    ("verify", "--json"),
    ("restored",),
    ("dead", "list"),
    ("dead", "show", "x"),
    ("dead", "replay", "all"),
    ("dead", "drop", "all"),
    ("job", "list"),
    ("job", "run", "monthly-closing"),
)


def environment(**settings: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in SETTING_NAMES} | settings


def banca(*arguments: str | Path, data: Path | None = None, **settings: str) -> subprocess.CompletedProcess[str]:
    place = ["--data", str(data)] if data else []
    return subprocess.run(
        [sys.executable, "-P", "-m", "cli", *on_any_port([*map(str, arguments), *place])],
        cwd=ROOT, env=environment(**settings), capture_output=True, text=True, timeout=END_TIMEOUT_S, check=False,
    )  # fmt: skip


def only_line(done: subprocess.CompletedProcess[str], *, code: int = 1) -> str:
    """What a person is told, when that is a line and the command did nothing."""
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1), done.stderr
    assert done.stderr.startswith("banca: ")
    assert "s3cret" not in done.stderr
    return done.stderr.removeprefix("banca: ").rstrip()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_database_that_is_away_is_told_in_a_line(command: tuple[str, ...], tmp_path: Path) -> None:
    done = banca(*command, data=tmp_path, DATABASE_URL="postgresql://root:s3cret@127.0.0.1:1/none")
    assert only_line(done) == "postgresql://root@127.0.0.1:1/none: connection refused: nothing listens there"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_database_of_another_kind_is_told_in_a_line(command: tuple[str, ...], tmp_path: Path) -> None:
    done = banca(*command, data=tmp_path, DATABASE_URL="mysql://root:s3cret@127.0.0.1/none")
    assert only_line(done, code=SETTINGS_EXIT_CODE).startswith("DATABASE_URL=mysql://root@127.0.0.1/none: must be")


@pytest.mark.parametrize("command", ["migrate", "verify", "up"])
async def test_a_login_that_the_database_refuses_is_told_in_a_line(
    command: str, database_url: str, valkey_url: str, tmp_path: Path
) -> None:
    wrong = with_login(database_url, user="nobody", password="s3cret")
    line = only_line_of_up(banca(command, data=tmp_path, DATABASE_URL=wrong, REDIS_URL=valkey_url))
    assert line.endswith('the database refuses: password authentication failed for user "nobody"')
    away = urlsplit(database_url)._replace(path="/nowhere").geturl()
    line = only_line_of_up(banca(command, data=tmp_path, DATABASE_URL=away, REDIS_URL=valkey_url))
    assert line.endswith('the database refuses: database "nowhere" does not exist')


def only_line_of_up(done: subprocess.CompletedProcess[str]) -> str:
    """The last line; `up` tells what it does."""
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    assert "s3cret" not in done.stderr
    return done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "command", [command for command in COMMANDS if command[0] != "migrate"] + [("admin", "list")], ids=" ".join
)
async def test_a_login_that_does_not_see_everything_is_refused(
    command: tuple[str, ...], database: TestDatabase, tmp_path: Path
) -> None:
    """The books would seem wrong to it, and jobs and letters not to be there."""
    for url in (database.worker_url, database.api_url):
        line = only_line(banca(*command, data=tmp_path, DATABASE_URL=url))
        assert "this needs the login of the database's owner" in line


async def test_a_role_that_may_not_make_roles_is_told_how_it_may(server_url: str, tmp_path: Path) -> None:
    name = f"owner_{secrets.token_hex(4)}"
    await in_server(server_url, f"CREATE ROLE {name} LOGIN PASSWORD 's3cret'")
    try:
        await in_server(server_url, f"CREATE DATABASE {name} OWNER {name}")
        url = with_login(urlsplit(server_url)._replace(path=f"/{name}").geturl(), user=name, password="s3cret")
        line = only_line(banca("migrate", data=tmp_path, DATABASE_URL=url))
        assert line.endswith(f'as a superuser run: ALTER ROLE "{name}" CREATEROLE')
        assert await asked(url, "SELECT to_regclass('schema_migrations')") is None
        await in_server(server_url, f"ALTER DATABASE {name} OWNER TO CURRENT_USER")
        await in_server(server_url, f"ALTER ROLE {name} CREATEROLE")
        line = only_line(banca("migrate", data=tmp_path, DATABASE_URL=url))
        assert line.endswith(f'as a superuser run: ALTER DATABASE "{name}" OWNER TO "{name}"')
    finally:
        await in_server(server_url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await in_server(server_url, f"DROP ROLE {name}")


async def asked(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_a_postgresql_that_is_too_old_is_told_in_a_line_and_left_as_it_is(tmp_path: Path) -> None:
    # Where a distribution's own usually is.
    url = "postgresql://postgres@127.0.0.1:5432/test"
    try:
        connection = await asyncpg.connect(url, timeout=5)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        pytest.skip(f"no old PostgreSQL at {url}: {error}")
    version = connection.get_server_version()
    before = await connection.fetch("SELECT relname FROM pg_class ORDER BY 1")
    await connection.close()
    if version.major >= 18:
        pytest.skip(f"the PostgreSQL at {url} is not old: {version.major}")
    line = only_line(banca("migrate", data=tmp_path, DATABASE_URL=url))
    assert f"this is PostgreSQL {version.major}." in line
    assert line.endswith("which is too old; 18 or newer is needed")
    connection = await asyncpg.connect(url, timeout=5)
    assert await connection.fetch("SELECT relname FROM pg_class ORDER BY 1") == before
    await connection.close()


def test_what_is_not_migrated_is_told_in_a_line(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path, settings={"fsync": "off"}) as postgres:
        for command in COMMANDS[1:]:
            line = only_line(banca(*command, DATABASE_URL=postgres.owner_url))
            assert line.endswith("run ./banca migrate"), command
    postgres.remove()


@pytest.mark.parametrize(
    "command", [("sell", "23", "500"), ("demo",), ("verify",), ("load", "day"), ("restored",)], ids=" ".join
)
def test_without_a_stack_a_command_says_how_to_start_one(command: tuple[str, ...], tmp_path: Path) -> None:
    assert only_line(banca(*command, data=tmp_path)).startswith(f"no stack runs in {tmp_path}: start one with")


def test_up_tells_all_settings_that_are_wrong_before_it_makes_anything(tmp_path: Path) -> None:
    data = tmp_path / "data"
    done = banca("up", data=data, LOG_LEVEL="verbose", AMQP_URL="rabbit://x", DB_POOL_SIZE="0", LOG_LEVL="debug")
    assert (done.returncode, done.stdout) == (SETTINGS_EXIT_CODE, "")
    assert sorted(line.partition("=")[0] for line in done.stderr.splitlines()) == [
        f"banca: {name}" for name in ("AMQP_URL", "DB_POOL_SIZE", "LOG_LEVEL")
    ]
    assert not data.exists()


def test_up_warns_of_what_is_misspelt_or_away_and_goes_on(tmp_path: Path) -> None:
    away = {
        "DATABASE_URL": "postgresql://127.0.0.1:1/none",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "AMQP_URL": "amqp://127.0.0.1:1/",
    }
    done = banca("up", data=tmp_path, DATABSE_URL="x", **away)
    misspelt, cache, broker, database = done.stderr.splitlines()
    assert misspelt == "banca: warning: DATABSE_URL is no setting and is not read; is DATABASE_URL meant?"
    # Neither is a reason not to start.
    assert cache.startswith("banca: warning: REDIS_URL=redis://127.0.0.1:1/0 cannot be used now (away: ")
    assert broker.startswith("banca: warning: AMQP_URL=amqp://127.0.0.1:1/ cannot be used now (away: ")
    assert database.endswith("connection refused: nothing listens there")
    assert done.returncode == 1


def test_a_password_that_valkey_refuses_stops_up_in_a_line(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as valkey:
        wrong = with_login(valkey.redis_url, user="", password="s3cret")
        line = only_line(banca("up", data=tmp_path / "data", REDIS_URL=wrong))
    assert line.startswith(f"REDIS_URL=redis://@127.0.0.1:{valkey.port}/0 refuses the login: ")


async def test_a_password_that_rabbitmq_refuses_stops_up_in_a_line(tmp_path: Path) -> None:
    wrong = with_login(await reachable_rabbitmq(), user="nobody", password="s3cret")
    line = only_line(banca("up", data=tmp_path, AMQP_URL=wrong))
    assert line.startswith("AMQP_URL=amqp://nobody@")
    assert "refuses the login" in line


def test_a_port_that_only_root_may_take_is_told_in_a_line(tmp_path: Path) -> None:
    floor = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    if not floor.exists() or int(floor.read_text()) <= 80:
        pytest.skip("everybody may listen on port 80 here (net.ipv4.ip_unprivileged_port_start)")
    command = [sys.executable, "-P", "-m", "cli", "up", "--data", str(tmp_path), "--port", "80"]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("no setpriv to drop root's right with")
        # Root all the same, so that it reaches its files; only that right is gone.
        command = ["setpriv", "--bounding-set=-net_bind_service", "--inh-caps=-net_bind_service", *command]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=END_TIMEOUT_S, check=False)  # fmt: skip
    line = only_line(done)
    assert line.startswith(
        "cannot listen on 127.0.0.1, port 80: Permission denied; only root may take ports under 1024"
    )


@pytest.mark.parametrize("port", ["0", "8080"])
def test_a_host_of_another_machine_is_told_in_a_line(tmp_path: Path, port: str) -> None:
    line = only_line(banca("up", "--port", port, data=tmp_path, HOST="192.0.2.1"))
    assert line.startswith(f"cannot listen on 192.0.2.1, port {port}: ")


def test_a_port_that_is_taken_is_told_in_a_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert only_line(banca("up", "--port", str(port), data=tmp_path)).startswith(f"port {port} is in use")


@pytest.mark.parametrize("option", [["--json"], []], ids=["json", "table"])
def test_a_pipe_that_nobody_reads_ends_a_command_without_a_word(option: list[str], database_url: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "cli", "verify", *option],
            cwd=ROOT, env=environment(DATABASE_URL=database_url), stdout=writing, stderr=subprocess.PIPE, text=True,
            timeout=END_TIMEOUT_S, check=False,
        )  # fmt: skip
    finally:
        os.close(writing)
    # As of a program that SIGPIPE ended: nothing is said of the books.
    assert (done.stderr, done.returncode) == ("", 141)


def test_help_into_a_closed_pipe_is_no_traceback() -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f"'{sys.executable}' -P -m cli --help | true"],
        cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=END_TIMEOUT_S, check=False,
    )  # fmt: skip
    assert done.stderr == ""


@pytest.fixture
def silent_server() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("command", [*COMMANDS, ("up", "--port", "0")], ids=" ".join)
def test_an_interrupt_ends_a_command_without_a_traceback(
    command: tuple[str, ...], silent_server: int, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "cli", *command, "--data", str(tmp_path)],
        cwd=ROOT, env=environment(DATABASE_URL=f"postgresql://127.0.0.1:{silent_server}/none"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_until(lambda: is_connected(process.pid, silent_server) or process.poll() is not None, timeout_s=60)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=END_TIMEOUT_S)
    assert process.returncode == 130
    assert "Traceback" not in told
    assert "Exception ignored" not in told


def is_connected(pid: int, port: int) -> bool:
    """Whether the process is where it waits for the server."""
    wanted = f"0100007F:{port:04X}"
    inodes = {
        line.split()[9] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[2] == wanted and line.split()[3] in {"01", "02"}
    }  # fmt: skip
    try:
        open_files = [str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return False
    return any(f"socket:[{inode}]" in open_files for inode in inodes)


@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.15, 0.3])
def test_an_interrupt_while_modules_load_is_no_traceback(after_s: float) -> None:
    process = subprocess.Popen(
        [sys.executable, "-P", "-X", "importtime", "-m", "cli", "verify", "--data", "/nonexistent"],
        cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    # What cli/main.py imports is being loaded: cli/__main__.py has begun.
    told = [next(line for line in process.stderr if "typer" in line)]
    time.sleep(after_s)
    process.send_signal(signal.SIGINT)
    told.append(process.communicate(timeout=END_TIMEOUT_S)[1])
    assert "Traceback" not in "".join(told)


def test_a_defect_of_a_command_is_a_line_with_the_place_of_its_stack(tmp_path: Path) -> None:
    program = "import cli.verify as v; v.run = lambda **_: 1 / 0; from cli.main import main; main()"
    for level, is_shown in (("info", False), ("debug", True)):
        done = subprocess.run(
            [sys.executable, "-c", program, "verify"],
            cwd=ROOT, env=environment(TMPDIR=str(tmp_path), LOG_LEVEL=level), capture_output=True, text=True, check=False,
        )  # fmt: skip
        line = done.stderr.splitlines()[0]
        assert (done.returncode, "Traceback" in done.stderr) == (1, is_shown)
        assert line.startswith("banca: a defect: ZeroDivisionError: division by zero; its stack is in ")
        file = Path(line.rpartition(" ")[2])
        assert file.parent == tmp_path
        assert "ZeroDivisionError" in file.read_text()
        assert file.stat().st_mode & 0o777 == 0o600


def test_a_process_that_is_run_alone_is_told_of_its_settings_too(tmp_path: Path) -> None:
    for program in ("api", "relay", "worker", "scheduler"):
        done = banca(
            program,
            data=tmp_path,
            DATABASE_URL="postgresql://127.0.0.1:1/none",
            LOG_LEVEL="verbose",
            PORT=str(free_port()),
        )
        assert done.returncode == SETTINGS_EXIT_CODE
        assert f"banca {program}: LOG_LEVEL=verbose: must be debug, info, warning or error" in done.stderr.splitlines()
