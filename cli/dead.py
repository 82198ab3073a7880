"""`./banca dead`: the dead letters, as the operator sees and decides them. docs/dead-letters.md says when to do what."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.data_option import Data
from cli.owner_connection import with_database
from cli.printing import print_json
from cli.stack import DEFAULT_DATA
from cli.trouble import Trouble
from core.domain.text import shown
from core.queries import sql

LIST_MAX = 200
LAYER_CLI = "cli"
PARKED = "PARKED"
REFUSALS = {"NOT_FOUND": "there is no such letter", "NOT_PARKED": "it was replayed or dropped already"}

app = typer.Typer(help="Dead letters: what no worker could do.", no_args_is_help=True, rich_markup_mode=None)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Ids = Annotated[list[str], typer.Argument(help="Ids as `list` shows them, or `all` that are parked.")]


@app.command("list")
def list_letters(
    every: Annotated[bool, typer.Option("--all", help="Also those that are decided.")] = False,
    json: Json = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """The parked letters, the newest first."""
    rows = with_database(data, lambda connection: page(connection, None if every else PARKED))
    if json:
        print_json([document(row) for row in rows])
    else:
        print(table(rows) if rows else "Nothing is parked." if not every else "There are no dead letters.")


@app.command()
def show(letter: Annotated[str, typer.Argument(help="An id or its beginning.")], data: Data = DEFAULT_DATA) -> None:
    """One letter whole, its bytes too."""
    print_json(document(with_database(data, lambda connection: one(connection, letter))))


@app.command()
def replay(letters: Ids, data: Data = DEFAULT_DATA) -> None:
    """Send letters again, each once; the relay does it within seconds."""
    decide(letters, "REPLAYED", data)


@app.command()
def drop(letters: Ids, data: Data = DEFAULT_DATA) -> None:
    """Give letters up: their events are never sent again."""
    decide(letters, "DROPPED", data)


def decide(letters: list[str], decision: str, data: Path) -> None:
    refused = with_database(data, lambda connection: decide_each(connection, letters, decision))
    if refused:
        raise Trouble("; ".join(f"{letter}: {REFUSALS[outcome]}" for letter, outcome in refused.items()))


async def decide_each(connection: Any, letters: list[str], decision: str) -> dict[str, str]:
    """Prints each that was decided; returns the others with the reason."""
    if letters == ["all"]:
        ids = [row["id"] for row in await page(connection, PARKED)]
    else:
        ids = [(await one(connection, letter))["id"] for letter in letters]
    refused = {}
    for letter_id in dict.fromkeys(ids):
        outcome = await connection.fetchval(
            sql("dead_letters/decide"), letter_id, decision, f"cli:{getpass.getuser()}", None, LAYER_CLI, None
        )
        if outcome == "DECIDED":
            print(f"{letter_id} {decision}")
        else:
            refused[str(letter_id)] = outcome
    return refused


async def page(connection: Any, state: str | None) -> list[Any]:
    rows: list[Any] = await connection.fetch(sql("dead_letters/page"), state, None, None, None, LIST_MAX, 0)
    return rows


async def one(connection: Any, letter: str) -> Any:
    """Raises Trouble unless exactly one begins so."""
    rows = await connection.fetch(sql("dead_letters/show"), letter)
    if len(rows) != 1:
        raise Trouble(f"{letter}: {'several letters begin so' if rows else REFUSALS['NOT_FOUND']}")
    return rows[0]


def table(rows: list[Any]) -> str:
    lines = [
        shown(
            f"{row['id']}  {row['state']:<8}  {row['reason']:<17}  {row['queue']}  "
            f"event {row['event_id'] or '—'}  {row['last_seen_at']:%Y-%m-%d %H:%M:%S}  {last_line(row['error'])}"
        )
        for row in rows
    ]
    if len(rows) == LIST_MAX:
        lines.append(f"… the newest {LIST_MAX}; there may be more")
    return "\n".join(lines)


def last_line(error: str) -> str:
    return (error.strip().splitlines() or [""])[-1][:120]


def document(row: Mapping[str, Any]) -> dict[str, Any]:
    """payload: as text, with what is no UTF-8 escaped."""
    return {name: value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value for name, value in row.items()}  # fmt: skip
