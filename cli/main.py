"""The commands of ./banca. Each imports its own module when it runs, so that every one starts quickly."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from cli.stack import DEFAULT_DATA, Role, Stack
from cli.trouble import Trouble

INTERRUPTED = 130

app = typer.Typer(
    name="banca",
    help="The transaction engine that lottery banks run on.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Data = Annotated[Path, typer.Option("--data", help="Where the stack keeps its data.", show_default=".banca")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def up(
    data: Data = DEFAULT_DATA,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the API; 0 takes a free one.")] = 8080,
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete the data first.")] = False,
    api: Annotated[int, typer.Option(min=1, max=64, help="How many API processes.")] = 1,
    only: Annotated[str | None, typer.Option(help="Start only these processes: api,relay,worker.")] = None,
) -> None:
    """Run everything until Ctrl-C: servers, API, relay, worker."""
    from cli import up as command

    finish(command.run(data=data, port=port, fresh=fresh, api=api, only=only))


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
    """Prepare sellers and open draws on the running stack."""
    from cli import demo as command

    finish(
        command.run(
            sellers=sellers, sorteos=sorteos, draw_in=draw_in, digits=digits, new_banca=new_banca, token_ttl=token_ttl,
            json=json, data=data,
        )
    )  # fmt: skip


@app.command()
def verify(json: Json = False, data: Data = DEFAULT_DATA) -> None:
    """Check the books; exit code 1 on any finding."""
    from cli import verify as command

    finish(command.run(json=json, data=data))


@app.command()
def explain(
    case: Annotated[Path, typer.Argument(help="The case, a JSON file; docs/explain.md says how.")], json: Json = False
) -> None:
    """Say why a ticket is sold or refused, without a database; exit code 1 when refused, 2 when the case is malformed."""
    from cli import explain as command

    finish(command.run(case=case, json=json))


def become(module: str, role: Role, data: Path, settings: dict[str, str]) -> NoReturn:
    """Turn this process into one of the stack's, or of the database that DATABASE_URL names."""
    own = dict(os.environ) if os.environ.get("DATABASE_URL") else Stack.load(data).process_environment(role)
    # What the person set for this one process wins over the stack's.
    chosen = {name: os.environ[name] for name in ("HOST", "PORT") if name in os.environ} | settings
    command = [sys.executable, "-P", "-m", module]
    os.execve(command[0], command, {**own, **chosen})  # noqa: S606 - there is nothing for a shell to read


def finish(code: int) -> NoReturn:
    raise typer.Exit(code)


def main() -> None:
    """Run the command line; expected trouble is one line on stderr and an exit code."""
    try:
        app(prog_name="banca")
    except Trouble as trouble:
        sys.exit(complain(trouble, trouble.exit_code))
    except (ConnectionRefusedError, PermissionError) as error:
        sys.exit(complain(error, 1))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def complain(error: Exception, code: int) -> int:
    sys.stderr.write(f"banca: {error}\n")
    return code
