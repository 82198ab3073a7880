"""A PgBouncer in transaction mode before the tests' server, with deploy/pgbouncer's configuration."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import tempfile
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.databases import API_PASSWORD, WORKER_PASSWORD, ask
from tests.workers.pipeline import eventually

CONFIGURATION = Path(__file__).resolve().parents[1] / "deploy" / "pgbouncer" / "pgbouncer.ini"
STOP_S = 10.0


def pgbouncer() -> str:
    found = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if found is None:
        if os.environ.get("REQUIRE_PGBOUNCER") == "1":
            pytest.fail("REQUIRE_PGBOUNCER is set, and there is no pgbouncer")
        pytest.skip("no pgbouncer here to try a pooler with")
    return found


@asynccontextmanager
async def running_pgbouncer(owner_url: str, *, port: int, pool_size: int) -> AsyncIterator[str]:
    """The owner's URL of the same database through it. pool_size: how many connections to the server each login has."""
    program, parts = pgbouncer(), urlsplit(owner_url)
    # It does not run as root, nor reads where root alone may.
    folder = Path(tempfile.mkdtemp(prefix="banca-pgbouncer-", dir="/var/tmp"))
    try:
        await asyncio.to_thread(write_files, folder, owner_url, port, pool_size)
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        process = await asyncio.create_subprocess_exec(
            program, "-q", *user, str(folder / "pgbouncer.ini"), stdout=DEVNULL, stderr=DEVNULL
        )
        url = parts._replace(netloc=f"{parts.netloc.rpartition(':')[0]}:{port}").geturl()
        try:
            await eventually(lambda: is_there(url))
            yield url
        finally:
            if process.returncode is None:
                process.terminate()
            await asyncio.wait_for(process.wait(), STOP_S)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder)


def write_files(folder: Path, owner_url: str, port: int, pool_size: int) -> None:
    parts = urlsplit(owner_url)
    name = parts.path.lstrip("/")
    changes: Mapping[str, str] = {
        "banca = host=127.0.0.1 port=5432 dbname=banca": f"{name} = host=127.0.0.1 port={parts.port} dbname={name}",
        "listen_port = 6432": f"listen_port = {port}\nunix_socket_dir =",
        "/etc/pgbouncer/userlist.txt": str(folder / "userlist.txt"),
        "default_pool_size = 20": f"default_pool_size = {pool_size}",
    }
    text = CONFIGURATION.read_text()
    for before, after in changes.items():
        assert before in text, before
        text = text.replace(before, after)
    (folder / "pgbouncer.ini").write_text(text)
    logins = {parts.username: parts.password, "banca_api": API_PASSWORD, "banca_worker": WORKER_PASSWORD}
    lines = [f'"{user}" "{password or ""}"\n' for user, password in logins.items()]
    (folder / "userlist.txt").write_text("".join(lines))
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        for path in (folder, *folder.iterdir()):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)


async def is_there(url: str) -> bool:
    try:
        # Not a prepared statement: a session's name of one would stay.
        return bool(await ask(url, "SELECT true", statement_cache_size=0))
    except OSError:
        return False
