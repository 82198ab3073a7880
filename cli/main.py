"""The commands of ./banca. Each imports its own module when it runs, so that every one starts quickly."""

from __future__ import annotations

import logging
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from cli.admin import app as admin
from cli.completion import VARIABLE as COMPLETION_VARIABLE
from cli.completion import Shell
from cli.data_option import Data, data_directory
from cli.dead import app as dead
from cli.job import app as job
from cli.stack import DEFAULT_DATA, Role, Stack
from cli.trouble import INTERRUPTED, PIPE_CLOSED, UsageTrouble, complain, is_debugged

# Python works on one processor a process. Beyond so many, the draws' locks are what is waited for.
API_PROCESSES_MAX = 4
API_HELP = f"How many API processes; default: one for each processor, {API_PROCESSES_MAX} at most."

app = typer.Typer(
    name="banca",
    help="The transaction engine that lottery banks run on.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.add_typer(admin, name="admin")
app.add_typer(dead, name="dead")
app.add_typer(job, name="job")


def show_version(wanted: bool) -> None:
    if wanted:
        from core.version import version_text

        print(f"banca {version_text()}")
        raise typer.Exit


@app.callback()
def every_command(
    _version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """The transaction engine that lottery banks run on."""


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def up(
    data: Data = DEFAULT_DATA,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the API; 0 takes a free one.")] = 8080,
    fresh: Annotated[bool, typer.Option("--fresh", help="Set the data aside first, and start empty.")] = False,
    api: Annotated[int | None, typer.Option(min=1, max=64, help=API_HELP)] = None,
    only: Annotated[str | None, typer.Option(help="Start only these: api,scheduler,relay,worker.")] = None,
    demo: Annotated[
        bool | None,
        typer.Option(
            "--demo/--no-demo",
            help="Load a demo banca; default: not into a database of DATABASE_URL.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run everything until Ctrl-C: servers, API, scheduler, relay, worker."""
    from cli import up as command

    finish(command.run(data=data, port=port, fresh=fresh, api=api or api_processes(), only=only, demo=demo))


@app.command()
def migrate(data: Data = DEFAULT_DATA) -> None:
    """Bring the database up to date."""
    from cli import migrate as command

    finish(command.run(data=data))


@app.command()
def api(
    data: Data = DEFAULT_DATA,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Default: the stack's, shared with it.")] = None,
) -> None:
    """Run one API process."""
    become("api", "api", data, {"PORT": str(port)} if port else {})


@app.command()
def relay(data: Data = DEFAULT_DATA) -> None:
    """Run the relay: from the outbox to the broker."""
    become("workers.relay", "worker", data, {})


@app.command()
def worker(data: Data = DEFAULT_DATA) -> None:
    """Run the worker: what is done after the commit."""
    become("workers", "worker", data, {})


@app.command()
def scheduler(data: Data = DEFAULT_DATA) -> None:
    """Run the scheduler: draws open and close by themselves."""
    become("workers.scheduler", "worker", data, {})


@app.command()
def sell(
    number: Annotated[str, typer.Argument(help="The number, with its leading zeros.")],
    amount: Annotated[str, typer.Argument(help="The amount, as 500 or 500.00.")],
    reventado: Annotated[str | None, typer.Option(help="An amount on REVENTADO as well.")] = None,
    sorteo: Annotated[str | None, typer.Option(help="Id of the draw; default: the next that is open.")] = None,
    key: Annotated[str | None, typer.Option(help="Idempotency key; default: a new one.")] = None,
    json: Json = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Sell a ticket from the demo terminal, signed like any POS."""
    from cli import sell as command

    finish(
        command.run(number=number, amount=amount, reventado=reventado, sorteo=sorteo, key=key, json=json, data=data)
    )  # fmt: skip


@app.command()
def demo(
    sellers: Annotated[int, typer.Option(min=1, help="Sellers, each with a terminal.")] = 1,
    sorteos: Annotated[int, typer.Option(min=1, help="Open draws.")] = 1,
    draw_in: Annotated[int | None, typer.Option(min=1, help="Seconds until the draws; default: tomorrow.")] = None,
    digits: Annotated[int, typer.Option(min=2, max=3, help="Of the numbers.")] = 2,
    new_banca: Annotated[bool, typer.Option("--new-banca", help="In a banca of its own.")] = False,
    token_ttl: Annotated[int | None, typer.Option(min=1, help="Seconds that the tokens last.")] = None,
    json: Json = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Prepare sellers and open draws on the running stack, and an ADMIN: only this and `admin create` make one."""
    from cli import demo as command

    finish(
        command.run(
            sellers=sellers, sorteos=sorteos, draw_in=draw_in, digits=digits, new_banca=new_banca, token_ttl=token_ttl,
            json=json, data=data,
        )
    )  # fmt: skip


@app.command()
def verify(
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Each check, and what it proves.")] = False,
    json: Json = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Check the books; exit code 1 on any finding."""
    from cli import verify as command

    finish(command.run(json=json, verbose=verbose, data=data))


@app.command()
def backup(
    directory: Annotated[Path, typer.Argument(help="A new folder; nothing is overwritten.")], data: Data = DEFAULT_DATA
) -> None:
    """Back up the database and the secrets that belong to it, while it sells or not; docs/operate.md."""
    from cli import backup as command

    finish(command.run(directory, data=data))


@app.command()
def restore(
    directory: Annotated[Path, typer.Argument(help="What `backup` made.")],
    check: Annotated[bool, typer.Option("--check", help="Only try it, in a scratch server.")] = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Put a backup into a data directory (or a DATABASE_URL's database) with nothing in it, and check the books.

    Exit code 1 when it cannot be done, or when the books have findings.
    """
    from cli import restore as command

    finish(command.run(directory, data=data, check=check))


@app.command()
def status(json: Json = False, data: Data = DEFAULT_DATA) -> None:
    """Say what runs, since when, and how it is; exit code 0 when it can sell, else 1."""
    from cli import status as command

    finish(command.run(json=json, data=data))


@app.command()
def logs(
    name: Annotated[str | None, typer.Argument(help="api, relay, postgres, …; default: all.")] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what comes, until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("-n", "--lines", min=0, help="How many of each, to begin with.")] = 20,
    data: Data = DEFAULT_DATA,
) -> None:
    """Print what the processes and servers of a stack said."""
    from cli import logs as command

    finish(command.run(data=data, name=name, follow=follow, lines=lines))


@app.command()
def down(
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait for it.")] = 120.0, data: Data = DEFAULT_DATA
) -> None:
    """Stop the running `up`, and wait until it is gone."""
    from cli import down as command

    finish(command.run(data=data, timeout_s=timeout))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(context: typer.Context, data: Data = DEFAULT_DATA) -> None:
    """Run psql on the database, as its owner; all other arguments are psql's."""
    from cli import psql as command

    command.run(context.args, data=data)


@app.command()
def completion(shell: Annotated[Shell, typer.Argument(help="Which one.")]) -> None:
    """Print what makes Tab complete commands: eval "$(./banca completion bash)"."""
    from cli.completion import script

    print(script(shell), end="")


@app.command("help")
def show_help(
    context: typer.Context,
    command: Annotated[list[str] | None, typer.Argument(help="As `job run`; default: all.")] = None,
) -> None:
    """Print the help of a command."""
    assert context.parent is not None, "it is a command of the group"
    found, place = context.parent.command, context.parent
    if command == ["test"]:
        # The launcher's own: this program is not asked for it.
        print("Usage: banca test [PYTEST'S ARGUMENTS]\n\n  Run every test, two at a time; README.md, The tests.")
        return
    for name in command or ():
        inner = found.get_command(place, name) if hasattr(found, "get_command") else None
        if inner is None:
            raise UsageTrouble(f"there is no command {' '.join(command or ())}; ./banca help lists them")
        found, place = inner, type(place)(inner, info_name=name, parent=place)
    print(found.get_help(place))


@app.command()
def restored(data: Data = DEFAULT_DATA) -> None:
    """Say that the database was restored from a backup; docs/deploy.md, Restoring, has all the steps."""
    from cli import restored as command

    finish(command.run(data=data))


@app.command("postgres-password")
def postgres_password(data: Data = DEFAULT_DATA) -> None:
    """Give the stack's own PostgreSQL a new password, when postgres.json is lost; its data stay as they are."""
    from cli import postgres_password as command

    finish(command.run(data=data))


@app.command()
def load(
    scenario: Annotated[str, typer.Argument(help="day, rush or offline; docs/load.md tells them.")],
    users: Annotated[int | None, typer.Option("-u", "--users", min=1, help="POS; default: the scenario's.")] = None,
    spawn_rate: Annotated[float | None, typer.Option("-r", "--spawn-rate", min=0.01, help="POS a second.")] = None,
    run_time: Annotated[str | None, typer.Option("-t", "--run-time", help="As 90s, 5m, 1h.")] = None,
    processes: Annotated[int, typer.Option(min=-1, max=64, help="Locust's; -1: one per core.")] = 1,
    report: Annotated[Path | None, typer.Option(help="The HTML report; default: beside the run's history.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the customers; default: a new one.")] = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Put a load scenario on the running stack, then check its history and the books; exit code 1 on any finding."""
    from cli import load as command

    finish(
        command.run(
            scenario, users=users, spawn_rate=spawn_rate, run_time=run_time, processes=processes, report=report,
            seed=seed, data=data,
        )
    )  # fmt: skip


@app.command()
def explain(
    case: Annotated[Path, typer.Argument(help="The case, a JSON file; docs/explain.md says how.")], json: Json = False
) -> None:
    """Say why a ticket is sold or refused, without a database; exit code 1 when refused, 2 when the case is malformed."""
    from cli import explain as command

    finish(command.run(case=case, json=json))


@app.command()
def bench(  # noqa: PLR0913, PLR0917 - a command's options
    quick: Annotated[bool, typer.Option("--quick", help="A short round, without P12, P13: under 3 minutes.")] = False,
    rows: Annotated[str | None, typer.Option(help="Only these, as P1,P3; docs/bench.md tells them.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write the figures there, and a chart beside them.")] = None,
    chart: Annotated[Path | None, typer.Option(help="Write the chart there, an SVG.")] = None,
    rounds: Annotated[int | None, typer.Option(min=1, help="Of each row; default 3, with --quick 1.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.2, help="Of each measurement; default 10, quick 2.")] = None,
    scale: Annotated[int, typer.Option(min=1, help="Of pgbench; the goals mean 50.")] = 50,
    api: Annotated[int | None, typer.Option(min=1, max=64, help=API_HELP)] = None,
    data: Annotated[
        Path,
        typer.Option(
            help="Where its stack lives meanwhile.", show_default=".banca/bench", metavar="PATH", parser=data_directory
        ),
    ] = DEFAULT_DATA / "bench",
) -> None:
    """Measure how fast it is, on a stack of its own; exit code 1 when a request failed or the books are wrong."""
    from cli import bench as command

    plan = command.Plan.chosen(quick=quick, rounds=rounds, seconds=seconds, scale=scale, api=api or api_processes())
    finish(command.run(rows=rows, plan=plan, json=json, svg=chart, data=data))


@app.command()
def faults(
    rounds: Annotated[int, typer.Option(min=1, help="How many, one after the other.")] = 5,
    seed: Annotated[int | None, typer.Option(min=0, help="Of the first; default: a new one.")] = None,
    data: Annotated[
        Path,
        typer.Option(
            help="Where its stacks live meanwhile.", show_default=".banca/faults", metavar="PATH", parser=data_directory
        ),
    ] = DEFAULT_DATA / "faults",
) -> None:
    """Break a stack of its own while it sells, seeded and replayable; exit code 1 on any finding."""
    from cli import faults as command

    finish(command.run(rounds=rounds, seed=seed, data=data))


def become(module: str, role: Role, data: Path, settings: dict[str, str]) -> NoReturn:
    """Turn this process into one of the stack's, or of the database that DATABASE_URL names."""
    from core.settings import given, load_owner_settings

    is_elsewhere = load_owner_settings().database_url is not None
    own = dict(os.environ) if is_elsewhere else Stack.load(data).process_environment(role)
    # What the person set for this one process wins over the stack's.
    chosen = {name: os.environ[name] for name in ("HOST", "PORT") if given(os.environ, name)} | settings
    command = [sys.executable, "-P", "-m", "cli.program", module]
    os.execve(command[0], command, {**own, **chosen})


def api_processes() -> int:
    return min(os.cpu_count() or 1, API_PROCESSES_MAX)


def finish(code: int) -> NoReturn:
    raise typer.Exit(code)


def main() -> None:
    """Run the command line; trouble is a line on stderr and an exit code, and never a traceback."""
    # What libraries log, some with a stack, is for no person; without a handler it would go to standard error.
    logging.getLogger().addHandler(logging.StreamHandler() if is_debugged() else logging.NullHandler())
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        code = run_app()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        code = PIPE_CLOSED
    except Exception as error:
        code = complain(error)
    # From here on another interrupt just ends us.
    with suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(flushed(code))


def run_app() -> int:
    """The exit code that Typer ends with, which tells an interrupt of itself, but hides a closed pipe."""
    if COMPLETION_VARIABLE in os.environ:
        from typer.completion import completion_init  # type: ignore[attr-defined] # the library does not list it

        completion_init()
    try:
        app(prog_name="banca")
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):
            return PIPE_CLOSED
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def flushed(code: int) -> int:
    """The exit code once all that was printed is on its way; another when nobody reads it."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = PIPE_CLOSED
    except (OSError, ValueError):
        code = code or 1
    else:
        return code
    # The interpreter would try once more, and complain.
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code
