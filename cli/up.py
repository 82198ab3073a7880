"""`./banca up`: the whole stack as children of one process."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from cli.bound_secrets import bind_secrets, fitting_secrets
from cli.data_directory import DEMO_FILE, MEND_DEMO, METRICS_DIRECTORY, lock, set_aside
from cli.database_check import require_login
from cli.migrate import migrate
from cli.ports import LOOPBACK, free_port, is_free
from cli.postgres import EmbeddedPostgres
from cli.private_files import read_json_object, write_private_json
from cli.process import BoundProcess
from cli.progress import say, step, warn_of_misspelt
from cli.readiness import await_ready
from cli.server_checks import require_usable_servers
from cli.signals import Signals
from cli.stack import ROOT, STACK_FILE, Role, Stack
from cli.supervisor import Child, Supervisor
from cli.trouble import Trouble, UsageTrouble
from cli.valkey import EmbeddedValkey
from core.listening import open_sockets
from core.settings import StackSettings, load_stack_settings, require_right_settings

DEMO_TIMEOUT_S = 60.0
# Where Linux does not say otherwise.
PORT_FREE_FROM = 1024


@dataclass(frozen=True, slots=True)
class Program:
    module: str
    role: Role


# In the order of starting and of stopping: first what takes requests, then what carries them on.
PROGRAMS: Mapping[str, Program] = {
    "api": Program("api", "api"),
    "scheduler": Program("workers.scheduler", "worker"),
    "relay": Program("workers.relay", "worker"),
    "worker": Program("workers", "worker"),
}


def run(*, data: Path, port: int, fresh: bool, api: int, only: str | None, demo: bool | None = None) -> int:
    """Run the stack until a signal asks to stop. Returns the exit code.

    demo: whether a demo banca is loaded; None: into an embedded database only, one's own is nothing to play with.
    """
    counts = chosen_programs(only, api=api)
    require_right_settings()
    warn_of_misspelt()
    data = data.resolve()
    try:
        with Signals() as signals, lock(data, fresh=fresh), ExitStack() as closing:
            if fresh:
                begin_anew(data)
            run_locked(data, port, counts, signals, closing, demo=demo)
            say("stopping; press Ctrl-C again to stop at once")
    except KeyboardInterrupt:
        say("stopped while starting")
        return 130
    say("stopped")
    return 0


def run_locked(
    data: Path, port: int, counts: Mapping[str, int], signals: Signals, closing: ExitStack, *, demo: bool | None
) -> None:
    started_s = time.monotonic()
    # A file of an earlier run must not be taken for this one's.
    (data / STACK_FILE).unlink(missing_ok=True)
    closing.callback((data / STACK_FILE).unlink, missing_ok=True)
    settings = load_stack_settings()
    require_usable_servers(settings)
    host = settings.host or LOOPBACK
    port = choose_port(host, port) if counts.get("api") else port
    stack, servers = start_servers(data, api_address(host, port), settings, signals, closing)
    with step("migrated", "the database"):
        migrate(stack.owner_url, stack.secrets, api_role=stack.api_role, worker_role=stack.worker_role)
        bind_secrets(stack.owner_url, stack.secrets)
    if stack.pooled_url is not None:
        # As the processes do; they would try for ever.
        require_login(stack.api_database_url)
    wants_demo = settings.owner_url is None if demo is None else demo
    credentials = load_demo(stack) if wants_demo else {}
    listeners = listen(host, port) if counts.get("api") else []
    supervisor = Supervisor(children(stack, counts, listeners), servers=servers, report=say)
    closing.callback(supervisor.stop, hurry=signals.hurried)
    # Before the processes stop: then the last of them takes what still waits.
    for listener in listeners:
        closing.callback(listener.close)
    supervisor.tick()
    if counts.get("api"):
        with step("answers", stack.api_url):
            await_ready(stack, supervisor)
    stack.save()
    # Before anybody is told how to stop it.
    signals.patient()
    show(stack, credentials, counts, seconds=time.monotonic() - started_s)
    while not signals.requests:
        signals.wait(supervisor.tick())


def begin_anew(data: Path) -> None:
    """Set aside what is there, and say where it went. Raises Trouble where that would not make an empty stack."""
    if load_stack_settings().owner_url is not None:
        raise Trouble(
            "--fresh begins with an empty database, and DATABASE_URL names one that is not in the data directory: unset"
            " it, or empty that database yourself"
        )
    if aside := set_aside(data):
        say(f"set aside what was there: {aside}. Delete it when nobody misses it; up --data {aside.directory} runs it")


def chosen_programs(only: str | None, *, api: int) -> dict[str, int]:
    """How many processes of each program."""
    names = [name.strip() for name in only.split(",") if name.strip()] if only is not None else list(PROGRAMS)
    if unknown := [name for name in names if name not in PROGRAMS]:
        raise UsageTrouble(f"--only knows {', '.join(PROGRAMS)}; not {', '.join(unknown)}")
    return {name: api if name == "api" else 1 for name in PROGRAMS if name in names}


def choose_port(host: str, port: int) -> int:
    try:
        if port == 0:
            return free_port(host)
        is_taken = not is_free(port, host)
    except OSError as error:
        raise cannot_listen(host, port, error) from None
    if is_taken:
        raise Trouble(f"port {port} is in use: stop what listens there, or take another --port")
    return port


def cannot_listen(host: str, port: int, error: OSError) -> Trouble:
    advice = f"; only root may take ports under {PORT_FREE_FROM}: take another --port" if port < PORT_FREE_FROM else ""
    return Trouble(
        f"cannot listen on {host}, port {port}: {error.strerror or error}"
        + (advice if isinstance(error, PermissionError) else "")
    )


def listen(host: str, port: int) -> list[socket.socket]:
    """The sockets on which all processes of the API listen, and their successors: no connection waits at just one."""
    try:
        return open_sockets(host, port, reuse_port=False)
    except OSError as error:
        raise cannot_listen(host, port, error) from None


def api_address(host: str, port: int) -> str:
    """Where a client of this machine finds the API."""
    name = LOOPBACK if host in {"0.0.0.0", "::"} else host  # noqa: S104 - this only recognises them
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def start_servers(
    data: Path, api_url: str, settings: StackSettings, signals: Signals, closing: ExitStack
) -> tuple[Stack, list[Child]]:
    """Start the servers that the settings do not replace; the stack that they make, and their children."""
    servers = []
    owner_url = settings.owner_url
    if owner_url is None:
        postgres = EmbeddedPostgres(data)
        closing.callback(postgres.stop, hurry=signals.hurried)
        with step("started", "PostgreSQL"):
            postgres.start()
        servers.append(Child("postgres", postgres.launch, process=postgres.process))
        owner_url = postgres.owner_url
    redis_url = settings.redis_url
    if redis_url is None:
        valkey = EmbeddedValkey(data)
        closing.callback(valkey.stop, hurry=signals.hurried)
        with step("started", "Valkey"):
            valkey.start()
        servers.append(Child("valkey", valkey.launch, process=valkey.process))
        redis_url = valkey.redis_url
    stack = Stack(
        data=data,
        api_url=api_url,
        owner_url=owner_url,
        redis_url=redis_url,
        amqp_url=settings.amqp_url,
        pooled_url=settings.pooled_url,
        pid=os.getpid(),
        started_at=datetime.now(UTC),
        secrets=fitting_secrets(data, owner_url),
        api_role=settings.api_database_role,
        worker_role=settings.worker_database_role,
    )
    return stack, servers


def load_demo(stack: Stack) -> dict[str, str]:
    """The demo banca's credentials; loads it at the directory's first start."""
    path = stack.data / DEMO_FILE
    if not path.exists():
        from cli.demo import load_first_banca

        with step("loaded", "the demo banca"):
            write_private_json(path, asyncio.run(asyncio.wait_for(load_first_banca(stack), DEMO_TIMEOUT_S)))
    return read_json_object(path, mend=MEND_DEMO)


def metrics_ports(first: int) -> dict[str, str]:
    """Of scheduler, relay and worker, each its own from METRICS_PORT on; the API's metrics are on its own port."""
    names = [name for name in PROGRAMS if name != "api"]
    return {name: str(first + place) for place, name in enumerate(names)} if first else {}


def children(stack: Stack, counts: Mapping[str, int], listeners: Sequence[socket.socket]) -> list[list[Child]]:
    ports = metrics_ports(load_stack_settings().metrics_port)
    if counts.get("api", 0) > 1:
        make_metrics_directory(stack.data)
    return [
        [
            child(
                stack,
                PROGRAMS[name],
                name if count == 1 else f"{name}-{number}",
                metrics=stack.data / METRICS_DIRECTORY if name == "api" and count > 1 else None,
                listeners=listeners if name == "api" else (),
                settings={"METRICS_PORT": ports[name]} if name in ports else {},
            )
            for number in range(1, count + 1)
        ]
        for name, count in counts.items()
    ]


def make_metrics_directory(data: Path) -> None:
    """Where API processes count together; what an earlier run counted is over."""
    path = data / METRICS_DIRECTORY
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(mode=0o700)


def child(
    stack: Stack,
    program: Program,
    name: str,
    *,
    metrics: Path | None,
    listeners: Sequence[socket.socket] = (),
    settings: Mapping[str, str] = MappingProxyType({}),
) -> Child:
    """metrics: the directory where processes of this program count together; None: it counts alone. settings: its own."""
    own = {"PROMETHEUS_MULTIPROC_DIR": str(metrics)} if metrics is not None else {}

    def spawn() -> BoundProcess:
        return BoundProcess(
            # -P: a folder named like a module, wherever we were started, must not be taken for it.
            [sys.executable, "-P", "-m", program.module],
            env={**stack.process_environment(program.role), "PYTHONUNBUFFERED": "1", **own, **settings},
            log=stack.data / "log" / f"{name}.log",
            directory=ROOT,
            listeners=listeners,
        )

    def forget(pid: int) -> None:
        """Its counters go on counting, its gauges do not."""
        if metrics is not None:
            from prometheus_client.multiprocess import mark_process_dead

            mark_process_dead(pid, metrics)  # type: ignore[no-untyped-call] # the library leaves it untyped

    return Child(name, spawn, on_death=forget)


def show(stack: Stack, credentials: Mapping[str, str], counts: Mapping[str, int], *, seconds: float) -> None:
    api = [("API", stack.api_url), ("Docs", f"{stack.api_url}/api-docs"), ("Metrics", f"{stack.api_url}/metrics")]
    places = [
        *(api if counts.get("api") else []),
        ("Database", stack.owner_url),
        ("Redis", stack.redis_url),
        *([("RabbitMQ", stack.amqp_url)] if stack.amqp_url else []),
        ("Logs", str(stack.data / "log")),
    ]
    lines = [
        f"Banca runs ({', '.join(f'{count} {name}' for name, count in counts.items())}; {seconds:.1f} s).",
        *section("", places),
        *section("Demo banca", list(credentials.items())),
        *([] if credentials else ["", "There is no demo banca. Who administers is made with ./banca admin create."]),
        "",
        f"Stop with Ctrl-C, or kill {stack.pid}.",
    ]
    # Nobody reading it is no reason to stop.
    with suppress(BrokenPipeError):
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()


def section(title: str, rows: Sequence[tuple[str, str]]) -> list[str]:
    width = max((len(name) for name, _ in rows), default=0)
    return ["", *([title] if title else []), *(f"  {name:<{width}}  {value}" for name, value in rows)] if rows else []
