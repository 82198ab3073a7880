"""The stack that `up` runs in a data directory, as other commands and processes find it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Literal, Self
from urllib.parse import quote, urlsplit

from cli.private_files import is_locked, read_json_object, write_private_json
from cli.trouble import Trouble
from core.settings import API_ROLE, WORKER_ROLE, given

ROOT = Path(__file__).resolve().parents[1]
DEFAULT_DATA = ROOT / ".banca"

STACK_FILE = "stack.json"
SECRETS_FILE = "secrets.json"
LOCK_FILE = "stack.lock"
RESTORE_SECRETS = (
    "restore it from a backup. Without its terminal master key every terminal needs a new secret, so none is made anew"
)
START_AGAIN = "stop that `up` and start it again, it writes the file anew"

Role = Literal["owner", "api", "worker"]


class StackNotRunning(Trouble):
    """No `up` runs in the data directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """Made once per data directory, for the database that it first ran on; what the environment of `up` sets wins, and is
    kept only while that runs.
    """

    jwt_access_secret: str
    jwt_refresh_secret: str
    terminal_master_key: str
    api_database_password: str
    worker_database_password: str

    @classmethod
    def load_or_create(
        cls,
        data: Path,
        environment: Mapping[str, str] = os.environ,
        *,
        needs_master_key: Callable[[], bool] = lambda: False,
    ) -> Self:
        """What environment and secrets.json have; the rest is made, and kept in the file.

        needs_master_key: asked before a master key is made: whether there are terminals of another one.
        Raises Trouble when there are, or the file is damaged.
        """
        path = data / SECRETS_FILE
        kept = read_json_object(path, mend=RESTORE_SECRETS)
        names = [field.name for field in fields(cls)]
        if damaged := [name for name in map(camel, names) if name in kept and not is_secret(kept[name])]:
            raise Trouble(f"{path} is damaged ({', '.join(damaged)}: no text): {RESTORE_SECRETS}")
        chosen = {name: given(environment, name.upper()) or kept.get(camel(name)) for name in names}
        missing = {name: secrets.token_hex(32) for name in names if chosen[name] is None}
        if "terminal_master_key" in missing and needs_master_key():
            what = "has no terminalMasterKey" if path.exists() else "is missing"
            raise Trouble(
                f"{path} {what}, and the database has terminals or was in use with another one: {RESTORE_SECRETS}. (Or"
                " give the key as TERMINAL_MASTER_KEY; another --data may have the file; --fresh sets all aside)"
            )
        if missing:
            write_private_json(path, kept | {camel(name): value for name, value in missing.items()})
        return cls(**{name: value for name, value in (chosen | missing).items() if value is not None})

    @property
    def environment(self) -> dict[str, str]:
        """As settings: for another `up` on the same database."""
        return {name.upper(): value for name, value in asdict(self).items()}


def is_secret(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Where everything is. The URLs carry passwords, so the file is private."""

    data: Path
    api_url: str
    owner_url: str
    redis_url: str
    amqp_url: str | None
    pid: int
    started_at: datetime
    secrets: Secrets
    # Of a pooler before the database, for the processes; None: they go to the database itself.
    pooled_url: str | None = None
    # What the processes log in as.
    api_role: str = API_ROLE
    worker_role: str = WORKER_ROLE

    @classmethod
    def load(cls, data: Path) -> Self:
        """The stack that runs in this directory. Raises StackNotRunning."""
        data = data.resolve()
        if not is_locked(data / LOCK_FILE):
            option = "" if data == DEFAULT_DATA else f" --data {data}"
            raise StackNotRunning(f"no stack runs in {data}: start one with ./banca up{option}")
        found = read_json_object(data / STACK_FILE, mend=START_AGAIN)
        if not found:
            raise StackNotRunning(f"the stack in {data} is still starting: try again in a moment")
        return cls(
            data=data,
            api_url=found["apiUrl"],
            owner_url=found["ownerUrl"],
            redis_url=found["redisUrl"],
            amqp_url=found["amqpUrl"],
            pid=found["pid"],
            started_at=datetime.fromisoformat(found["startedAt"]),
            pooled_url=found.get("pooledUrl"),
            secrets=Secrets(**{field.name: found["secrets"][camel(field.name)] for field in fields(Secrets)}),
            api_role=found.get("apiRole", API_ROLE),
            worker_role=found.get("workerRole", WORKER_ROLE),
        )

    def save(self) -> None:
        write_private_json(
            self.data / STACK_FILE,
            {
                "apiUrl": self.api_url,
                "ownerUrl": self.owner_url,
                "pooledUrl": self.pooled_url,
                "apiDatabaseUrl": self.api_database_url,
                "workerDatabaseUrl": self.worker_database_url,
                "apiRole": self.api_role,
                "workerRole": self.worker_role,
                "redisUrl": self.redis_url,
                "amqpUrl": self.amqp_url,
                "pid": self.pid,
                "startedAt": self.started_at.isoformat(),
                # Those in use: the next shell does not have the environment that `up` was started in.
                "secrets": {camel(name): value for name, value in asdict(self.secrets).items()},
            },
        )

    @property
    def api_database_url(self) -> str:
        return with_login(
            self.pooled_url or self.owner_url, user=self.api_role, password=self.secrets.api_database_password
        )

    @property
    def worker_database_url(self) -> str:
        return with_login(
            self.pooled_url or self.owner_url, user=self.worker_role, password=self.secrets.worker_database_password
        )

    @property
    def api_session_url(self) -> str:
        """Past the pooler, for what needs a session of its own."""
        return with_login(self.owner_url, user=self.api_role, password=self.secrets.api_database_password)

    def environment(self, role: Role) -> dict[str, str]:
        """The settings that this stack decides, for a process of that role. Only the owner may migrate."""
        urls = {
            "owner": {"DATABASE_URL": self.owner_url, "MIGRATION_DATABASE_URL": self.owner_url},
            "api": {
                "DATABASE_URL": self.api_database_url,
                **({"DATABASE_DIRECT_URL": self.api_session_url} if self.pooled_url else {}),
            },
            "worker": {"DATABASE_URL": self.worker_database_url},
        }
        api = urlsplit(self.api_url)
        return {
            **urls[role],
            "REDIS_URL": self.redis_url,
            **({"AMQP_URL": self.amqp_url} if self.amqp_url else {}),
            "JWT_ACCESS_SECRET": self.secrets.jwt_access_secret,
            "JWT_REFRESH_SECRET": self.secrets.jwt_refresh_secret,
            "TERMINAL_MASTER_KEY": self.secrets.terminal_master_key,
            "HOST": given(os.environ, "HOST") or api.hostname or "",
            "PORT": str(api.port),
        }

    def process_environment(self, role: Role) -> dict[str, str]:
        """Our own environment with the stack's on top, and without what the role must not have."""
        owners = ("MIGRATION_DATABASE_URL", "DATABASE_DIRECT_URL")
        inherited = {name: value for name, value in os.environ.items() if name not in owners}
        return inherited | self.environment(role)


def with_login(url: str, *, user: str, password: str) -> str:
    """The same URL for another user."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{quote(user)}:{quote(password, safe='')}@{place}").geturl()


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
