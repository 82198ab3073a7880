"""`./banca load SCENARIO`: a Locust scenario on the running stack; then its history and the books are checked."""

from __future__ import annotations

import asyncio
import math
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from cli.demo import TOKEN_TTL_S, prepare
from cli.load_verdict import judge
from cli.ports import free_port
from cli.pos import Pos
from cli.private_files import write_private_json
from cli.process import leash
from cli.stack import ROOT, Stack
from cli.trouble import Trouble, UsageTrouble
from core.domain.cutoffs import GRACE_S
from loadtests.plan import PLAN_FILE, PLAN_VARIABLE, Draw, Plan
from loadtests.rates import CLOSINGS

LOOPBACK = ("127.0.0.1", "localhost", "::1")
# From the making of the draws until Locust and its users are there, on a machine that has other things to do too.
STARTUP_S = 8.0
# A request that is on its way when the time is up gets its answer.
STOP_TIMEOUT_S = 20
FAR_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Scenario:
    """user: the class in loadtests/locustfile.py. The others: when nothing else is said."""

    user: str
    users: int
    spawn_rate: float
    run_time: str


SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        "day": Scenario("DaySeller", users=200, spawn_rate=100, run_time="3m"),
        "rush": Scenario("RushSeller", users=100, spawn_rate=50, run_time="1m"),
        "offline": Scenario("OfflineSeller", users=20, spawn_rate=20, run_time="1m"),
    }
)


def run(
    name: str,
    *,
    users: int | None,
    spawn_rate: float | None,
    run_time: str | None,
    processes: int,
    report: Path | None,
    seed: int | None,
    data: Path,
) -> int:
    """Returns the exit code: 1 when a threshold was passed, or the history or the books have a finding."""
    if name not in SCENARIOS:
        raise UsageTrouble(f"there is no scenario {name}: take one of {', '.join(SCENARIOS)}")
    scenario, stack = SCENARIOS[name], Stack.load(data)
    require_loopback(stack.api_url)
    length_s = seconds_of(run_time or scenario.run_time)
    users, processes = users or scenario.users, os.cpu_count() or 1 if processes == -1 else max(1, processes)
    plan = make_plan(
        stack, name, length_s=length_s, sellers=processes * math.ceil(users / processes), processes=processes,
        seed=secrets.randbits(32) if seed is None else seed,
    )  # fmt: skip
    folder = make_folder(data, name)
    write_private_json(folder / PLAN_FILE, plan.document())
    report = (report or folder / "report.html").resolve()
    code = run_locust(
        [
            *("--headless", "--only-summary", "--loglevel", "WARNING", "--exit-code-on-error", "0"),
            *("--host", stack.api_url, "--html", str(report), "--stop-timeout", str(STOP_TIMEOUT_S)),
            *("-u", str(users), "-r", str(spawn_rate or scenario.spawn_rate)),
            *("-t", f"{math.ceil(plan.ends_at_s - time.time()) + 1}s"),
            *parallel(processes),
            scenario.user,
        ],
        plan_file=folder / PLAN_FILE,
    )
    print(f"Report   {report}\nHistory  {folder}\nSeed     {plan.seed}")
    return max(code, judge(stack, plan, folder))


def run_locust(options: Sequence[str], *, plan_file: Path) -> int:
    """In a process of its own, because gevent changes the standard library of its own. Its exit code, 0 or 1."""
    command = [sys.executable, "-P", "-m", "locust", "-f", str(ROOT / "loadtests" / "locustfile.py"), *options]
    environment = {**os.environ, PLAN_VARIABLE: str(plan_file.resolve()), "LEASH_DIRECTORY": str(ROOT)}
    with subprocess.Popen([*leash("self", signal.SIGTERM), *command], env=environment) as process:
        while process.returncode is None:
            # Ctrl-C goes to Locust as well, which ends its users and writes its report; the checks follow.
            with suppress(KeyboardInterrupt):
                process.wait()
    return int(process.returncode != 0)


def parallel(processes: int) -> list[str]:
    """Its processes talk over a port of their own, of this machine alone."""
    if processes == 1:
        return []
    port = str(free_port())
    return [
        *("--processes", str(processes), "--master-bind-host", "127.0.0.1", "--master-bind-port", port),
        *("--master-host", "127.0.0.1", "--master-port", port),
    ]


def make_plan(stack: Stack, name: str, *, length_s: float, sellers: int, processes: int, seed: int) -> Plan:
    """Sellers of the run's own, so that its history is all that they did, and draws that close when the scenario says."""
    closings = CLOSINGS[name]
    documents = [
        asyncio.run(
            prepare(
                stack,
                sellers=math.ceil(sellers / len(closings)),
                sorteos=1,
                draw_in_s=FAR_S if math.isinf(closing) else math.ceil(STARTUP_S + closing * length_s),
                digits=2,
                new_banca=False,
                token_ttl_s=TOKEN_TTL_S,
            )
        )
        for closing in closings
    ]
    draws = [draw_of(document) for document in documents]
    begins_at_s = draws[0].closes_at_s - closings[0] * length_s
    return Plan(
        scenario=name,
        seed=seed,
        processes=processes,
        api_url=stack.api_url,
        multiplier_id=documents[0]["multiplierId"],
        begins_at_s=begins_at_s,
        ends_at_s=begins_at_s + length_s,
        draws=draws,
        sellers=[seller for document in documents for seller in document["sellers"]],
    )


def draw_of(document: Mapping[str, Any]) -> Draw:
    """The document's one draw, by the hour that the database gave it; the demo banca has no cutoff but the grace."""
    [seller, *_], [sorteo_id] = document["sellers"], document["sorteoIds"]
    pos = Pos(document["apiUrl"], seller["terminalId"], seller["secret"], token=seller["token"])
    answer = pos.get(f"/api/v1/sorteos/{sorteo_id}")
    if not answer.is_ok:
        raise Trouble(f"the draw cannot be read: {answer.document.get('detail', answer.status)}")
    return Draw(sorteo_id, datetime.fromisoformat(answer.document["scheduledAt"]).timestamp() + GRACE_S)


def make_folder(data: Path, name: str) -> Path:
    """Of this run: its plan, which holds secrets, and its history. `up --fresh` deletes it with the logs."""
    folder = data / "log" / f"load-{name}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    folder.mkdir(mode=0o700, parents=True)
    return folder


def require_loopback(api_url: str) -> None:
    host = urlsplit(api_url).hostname
    if host not in LOOPBACK:
        raise Trouble(f"load goes to this machine only, not to {host}")


def seconds_of(run_time: str) -> int:
    """Of 90, 90s, 5m, 1h30m, as Locust reads it."""
    shape = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", run_time)
    hours, minutes, seconds = (int(part or 0) for part in shape.groups()) if shape else (0, 0, 0)
    length_s = 3600 * hours + 60 * minutes + seconds
    if not length_s:
        raise UsageTrouble(f"{run_time} is no time: write it as 90s, 5m or 1h")
    return length_s
