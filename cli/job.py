"""`./banca job`: the scheduled jobs, looked at and run by hand. docs/jobs.md says when to do what."""

from __future__ import annotations

import asyncio
import getpass
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
import typer

from cli.data_option import Data
from cli.owner_connection import with_database
from cli.printing import print_json
from cli.stack import DEFAULT_DATA
from cli.trouble import Trouble
from core.domain.calendar import format_instant
from core.domain.jobs import JOBS, Job, JobName, MonthNotOverError, period_by_hand, settings_of
from core.domain.text import shown
from core.queries import sql

LAYER_CLI = "cli"
LOOK_EVERY_S = 0.2
NAMES = ", ".join(JobName)

app = typer.Typer(help="The scheduled jobs.", no_args_is_help=True, rich_markup_mode=None)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Banca = Annotated[str | None, typer.Option(help="The code of one; default: every active banca.")]


@app.command("list")
def list_jobs(banca: Banca = None, json: Json = False, data: Data = DEFAULT_DATA) -> None:
    """Each job of each banca: its hour, its last run, its next."""
    found = with_database(data, lambda connection: overview(connection, banca))
    if json:
        print_json(found)
    else:
        print("\n".join(shown(line(job)) for job in found))


@app.command()
def run(
    name: Annotated[str, typer.Argument(help=f"One of {NAMES}.")],
    month: Annotated[str | None, typer.Option(help="Of monthly-closing, as 2026-01; default: the last.")] = None,
    banca: Banca = None,
    wait: Annotated[float, typer.Option(min=1, help="Seconds to wait for the workers.")] = 300,
    json: Json = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Run a job now, also one that is off, and wait for its end; exit code 1 unless it is done."""
    period = period_asked(known_job(name), month)
    ended = with_database(data, lambda connection: run_each(connection, name, period, banca, wait_s=wait))
    if json:
        print_json(ended)
    else:
        print("\n".join(shown(outcome(one)) for one in ended))
    if any(one["state"] != "DONE" for one in ended):
        raise typer.Exit(1)


def known_job(name: str) -> Job:
    try:
        return JOBS[JobName(name)]
    except ValueError:
        raise Trouble(f"{name}: there is no such job; there are {NAMES}") from None


def period_asked(job: Job, month: str | None) -> str:
    try:
        return period_by_hand(job, month, datetime.now(UTC))
    except (ValueError, MonthNotOverError) as error:
        raise Trouble(str(error)) from None


async def run_each(connection: Any, name: str, period: str, code: str | None, *, wait_s: float) -> list[dict[str, Any]]:
    """Asks all bancas first, so that their workers may do them together."""
    who = f"cli:{getpass.getuser()}"
    asked = [
        (
            banca,
            await connection.fetchval(sql("jobs/request"), banca["id"], name, period, None, None, LAYER_CLI, who, None),
        )
        for banca in await bancas(connection, code)
    ]
    ends_s = time.monotonic() + wait_s
    return [
        {"banca": banca["code"], **await end_of(connection, banca["id"], run_id, ends_s)} for banca, run_id in asked
    ]


async def end_of(connection: Any, banca_id: Any, run_id: Any, ends_s: float) -> dict[str, Any]:
    while True:
        [row] = await connection.fetch(sql("jobs/runs_by_id"), banca_id, [run_id])
        if row["finished_at"] is not None or time.monotonic() >= ends_s:
            return {**row, "counts": orjson.loads(row["counts"])}
        await asyncio.sleep(LOOK_EVERY_S)


async def bancas(connection: Any, code: str | None) -> list[Any]:
    found: list[Any] = await connection.fetch(sql("jobs/bancas"), code)
    if not found:
        raise Trouble("there is no active banca" if code is None else f"{code}: there is no such banca")
    return found


async def overview(connection: Any, code: str | None) -> list[dict[str, Any]]:
    found = []
    for banca in await bancas(connection, code):
        for row in await connection.fetch(sql("jobs/overview"), banca["id"], list(JobName)):
            settings = settings_of(JOBS[JobName(row["job"])], orjson.loads(row["settings"] or "{}"))
            last = await connection.fetch(sql("jobs/runs_by_id"), banca["id"], [row["last_run_id"]])
            found.append(
                {
                    "banca": banca["code"],
                    "job": row["job"],
                    "enabled": settings.is_enabled,
                    "schedule": str(settings.schedule),
                    "nextRun": format_instant(settings.schedule.next(row["at"])) if settings.is_enabled else None,
                    "lastState": last[0]["state"] if last else None,
                    "lastSuccessAt": row["last_success_at"],
                    "count": row["done_count"],
                }
            )
    return found


def line(job: Mapping[str, Any]) -> str:
    last = "never ran" if job["lastState"] is None else f"{job['lastState']}, {job['count']} done"
    return f"{job['banca']:<20}  {job['job']:<22}  {job['schedule']:<10}  next {job['nextRun'] or 'off':<24}  {last}"


def outcome(run: Mapping[str, Any]) -> str:
    if run["state"] in {"REQUESTED", "RUNNING"}:
        told = "nobody has finished it yet; does a worker run?"
    else:
        told = run["error"] or orjson.dumps(run["counts"]).decode()
    return f"{run['banca']}  {run['job']} {run['period']}  {run['state']}  {told}"
