"""`./banca status`: what runs in a data directory, and how it is."""

from __future__ import annotations

import http.client
import json as json_module
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cli.ports import LOOPBACK
from cli.printing import print_json
from cli.private_files import is_locked
from cli.stack import LOCK_FILE, Stack, StackNotRunning
from core.domain.text import shown
from core.setting_values import shown_url
from core.version import version_text

ASK_TIMEOUT_S = 5.0
# A module that `up` starts, and what it is called there.
NAMES: Mapping[str, str] = {
    "api": "api",
    "workers.scheduler": "scheduler",
    "workers.relay": "relay",
    "workers": "worker",
}


@dataclass(frozen=True, slots=True)
class Running:
    """A process of the stack. started_at: None where the machine does not tell."""

    name: str
    pid: int
    started_at: datetime | None


def run(*, json: bool, data: Path) -> int:
    """Returns 0 when a stack runs that can do its work, else 1."""
    data = data.resolve()
    found = document(data)
    if json:
        print_json(found)
    else:
        print("\n".join(words(found)))
    return 0 if found["ok"] else 1


def document(data: Path) -> dict[str, Any]:
    about: dict[str, Any] = {"version": version_text(), "data": str(data), "logs": str(data / "log")}
    try:
        stack = Stack.load(data)
    except StackNotRunning as reason:
        state = "starting" if is_locked(data / LOCK_FILE) else "stopped"
        return {"ok": False, "state": state, "reason": str(reason), **about}
    processes = [Running("up", stack.pid, stack.started_at), *children_of(stack.pid)]
    has_api = any(each.name == "api" for each in processes)
    health = ask_health(stack.api_url) if has_api else None
    is_ready = health is None or health["ready"]
    return {
        "ok": is_ready,
        "state": "running",
        **about,
        "startedAt": stack.started_at.isoformat(),
        "api": stack.api_url if has_api else None,
        "database": place_of(stack.owner_url),
        "redis": place_of(stack.redis_url),
        "rabbitmq": place_of(stack.amqp_url) if stack.amqp_url else None,
        "processes": [
            {"name": each.name, "pid": each.pid, "startedAt": each.started_at and each.started_at.isoformat()}
            for each in processes
        ],
        "health": health,
    }


def place_of(url: str) -> str:
    """Without a password; of a login that has no name nothing is left."""
    return shown_url(url).replace("://@", "://")


def ask_health(api_url: str) -> dict[str, Any]:
    """What /health says, and whether the process that answered can sell."""
    parts = urlsplit(api_url)
    connection = http.client.HTTPConnection(parts.hostname or LOOPBACK, parts.port, timeout=ASK_TIMEOUT_S)
    try:
        connection.request("GET", "/health")
        answer = connection.getresponse()
        said: dict[str, Any] = json_module.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        return {"ready": False, "status": "unknown", "reason": f"the API does not answer: {error}", "checks": {}}
    finally:
        connection.close()
    return {"ready": answer.status == http.HTTPStatus.OK, **said}


def children_of(pid: int) -> Iterator[Running]:
    """The processes that it started, in the order of their start (Linux; elsewhere none)."""
    if sys.platform != "linux":
        return
    booted_s = boot_time_s()
    ticks = os.sysconf("SC_CLK_TCK")
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            # Behind the name, which may hold anything: state, parent, …, and as the 20th the start after boot.
            fields = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if int(fields[1]) == pid and (name := name_of(entry)) is not None:
                found.append(
                    Running(name, int(entry.name), datetime.fromtimestamp(booted_s + int(fields[19]) / ticks, UTC))
                )
    yield from sorted(found, key=lambda each: (each.started_at or datetime.min.replace(tzinfo=UTC), each.pid))


def name_of(entry: Path) -> str | None:
    """None: a helper of the supervisor, or nothing of ours."""
    # Servers write what they like into their command line.
    program = (entry / "comm").read_text(encoding="utf-8", errors="replace").strip()
    if program in {"postgres", "valkey-server"}:
        return program.partition("-")[0]
    words = (entry / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    return NAMES.get(words[words.index("-m") + 1]) if "-m" in words else None


def boot_time_s() -> int:
    for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
        if line.startswith("btime "):
            return int(line.split()[1])
    raise OSError("/proc/stat does not tell when the machine was started")


def words(found: Mapping[str, Any]) -> list[str]:
    about = [("Version", found["version"]), ("Data", found["data"]), ("Logs", found["logs"])]
    if found["state"] != "running":
        return [f"Banca is {found['state']}: {found['reason']}.", *aligned(about)]
    places = [
        ("API", found["api"]),
        ("Database", found["database"]),
        ("Redis", found["redis"]),
        ("RabbitMQ", found["rabbitmq"]),
    ]
    processes = [
        (each["name"], f"pid {each['pid']}" + (f", since {since(each['startedAt'])}" if each["startedAt"] else ""))
        for each in found["processes"]
    ]
    return [
        f"Banca runs since {since(found['startedAt'])}; {health_words(found['health'])}.",
        *aligned([(name, place) for name, place in places if place] + about),
        "",
        *aligned(processes),
        *troubles(found["health"]),
    ]


def health_words(health: Mapping[str, Any] | None) -> str:
    if health is None:
        return "no API here, so nobody is asked how it is"
    if not health["ready"]:
        return f"it cannot sell ({shown(str(health.get('reason') or health['status']))})"
    return "all is well" if health["status"] == "up" else "it sells, but a part is down or late"


def troubles(health: Mapping[str, Any] | None) -> list[str]:
    """A line for each part that is not up, with whatever the health says of it in words."""
    lines = []
    for name, check in (health or {}).get("checks", {}).items():
        if check.get("status") not in {"up", "off"}:
            more = [str(value) for key, value in check.items() if key != "status" and isinstance(value, str)]
            lines.append(shown(f"  {name} is {check.get('status')}" + (f": {', '.join(more)}" if more else "")))
    return ["", *lines] if lines else []


def since(instant: str) -> str:
    return f"{datetime.fromisoformat(instant).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def aligned(rows: Sequence[tuple[str, str]]) -> list[str]:
    width = max((len(name) for name, _ in rows), default=0)
    return [f"  {name:<{width}}  {value}" for name, value in rows]
