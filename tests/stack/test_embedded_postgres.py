from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from cli.ports import LOOPBACK
from cli.postgres import EmbeddedPostgres
from cli.trouble import Trouble
from tests.databases import ask


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Of one cluster for the whole file: making one takes longest."""
    directory = tmp_path_factory.mktemp("cluster")
    yield directory
    EmbeddedPostgres(directory).remove()


@pytest.fixture
def postgres(data: Path) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(data) as server:
        yield server


async def test_its_data_survive_a_stop_and_a_start_on_the_same_url(data: Path) -> None:
    urls = []
    for query in ("CREATE TABLE IF NOT EXISTS kept AS SELECT 'açaí' AS word", "SELECT upper(word) FROM kept"):
        with EmbeddedPostgres(data) as server:
            urls.append(server.owner_url)
            answer = await ask(server.owner_url, query)
    assert answer == "AÇAÍ"
    assert urls[0] == urls[1]


async def test_it_is_durable_and_counts_statements(postgres: EmbeddedPostgres) -> None:
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        assert await ask(postgres.owner_url, f"SHOW {setting}") == "on"
    assert await ask(postgres.owner_url, "SHOW shared_preload_libraries") == "pg_stat_statements"


async def test_its_password_is_asked_for_and_kept_private(postgres: EmbeddedPostgres) -> None:
    user, _, place = postgres.owner_url.rpartition("@")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await ask(f"{user.rpartition(':')[0]}:wrong@{place}", "SELECT 1")
    assert (postgres.data / "postgres.json").stat().st_mode & 0o777 == 0o600


async def test_it_moves_when_another_has_its_port(data: Path) -> None:
    with EmbeddedPostgres(data) as server:
        port = server.port
    with socket.create_server((LOOPBACK, port)), EmbeddedPostgres(data) as server:
        assert server.port != port
        assert await ask(server.owner_url, "SELECT 1") == 1


def test_a_wanted_port_that_is_taken_is_trouble(data: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as other, pytest.raises(Trouble, match="in use"):
        EmbeddedPostgres(data, port=other.getsockname()[1]).start()


def test_a_second_server_in_the_same_directory_is_refused(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(Trouble, match="already runs"):
        EmbeddedPostgres(postgres.data).start()


async def test_a_pid_file_that_names_somebody_else_does_not_stop_it(data: Path) -> None:
    with EmbeddedPostgres(data) as server:
        assert server.process is not None
        server.process.stop([(signal.SIGQUIT, 5.0)])
    (server.cluster / "postmaster.pid").write_text(f"{os.getppid()}\n{server.cluster}\n")
    with EmbeddedPostgres(data) as server:
        assert await ask(server.owner_url, "SELECT 1") == 1


def test_data_without_their_password_are_never_overwritten(postgres: EmbeddedPostgres) -> None:
    postgres.stop()
    state = postgres.data / "postgres.json"
    kept = state.read_text()
    state.write_text(json.dumps({**json.loads(kept), "password": ""}))
    with pytest.raises(Trouble, match="password"):
        EmbeddedPostgres(postgres.data).start()
    state.write_text(kept)


def test_a_cluster_that_was_removed_leaves_nothing(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path, settings={"fsync": "off"}) as server:
        assert server.cluster.exists()
    server.remove()
    assert not server.cluster.exists()
    assert {path.name for path in tmp_path.iterdir()} == {"log", "postgres.lock"}


async def test_many_start_at_the_same_time(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from cli.postgres import EmbeddedPostgres\n"
        "with EmbeddedPostgres(Path(sys.argv[1])) as server: print(server.port)\n"
        "server.remove()"
    )
    starts = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, str(tmp_path / str(number)), stdout=asyncio.subprocess.PIPE
        )
        for number in range(3)
    ]
    outputs = await asyncio.gather(*(start.communicate() for start in starts))
    assert [start.returncode for start in starts] == [0, 0, 0]
    assert len({output for output, _ in outputs}) == 3
