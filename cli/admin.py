"""`./banca admin`: who administers. On an empty database the first ADMIN; later whoever has lost a password."""

from __future__ import annotations

import asyncio
import re
import secrets
from enum import StrEnum
from typing import Annotated, Any
from uuid import uuid4

import typer

from cli.data_option import Data
from cli.owner_connection import with_database
from cli.printing import print_json
from cli.stack import DEFAULT_DATA
from cli.trouble import Trouble, UsageTrouble
from core.domain.text import shown
from core.queries import sql

USERNAME = re.compile(r"[A-Za-z0-9_.-]{3,64}")
NAME_LENGTH_MAX = 100
# A log-in that has just found the old password right opens its session within this time.
LOGIN_S = 2.0
RESET = "password_reset"

app = typer.Typer(
    help="Who administers. Only `admin create` and `demo` make an ADMIN.", no_args_is_help=True, rich_markup_mode=None
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class AdminRole(StrEnum):
    """A seller is none of them: it needs an account and a terminal."""

    ADMIN = "ADMIN"
    BANCA = "BANCA"
    VENTANA = "VENTANA"


@app.command()
def create(
    username: Annotated[str, typer.Option(help="3 to 64 letters, digits, and _ . - of a name that nobody has.")],
    role: Annotated[AdminRole, typer.Option(help="ADMIN: the platform; BANCA: a banca; VENTANA: a ventana.")] = (
        AdminRole.ADMIN
    ),
    banca: Annotated[str | None, typer.Option(help="Code of the banca; an ADMIN needs none.")] = None,
    ventana: Annotated[str | None, typer.Option(help="Code of the ventana, for VENTANA.")] = None,
    name: Annotated[str, typer.Option(help="As people call the user; default: the username.")] = "",
    json: Json = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Make a user who administers, also in an empty database; prints the password, once.

    This and `demo` are the only ways to make an ADMIN.
    """
    require_place(username, role, banca, ventana, name)
    password = new_password()
    user_id = uuid4()
    work = insert(user_id, role.value, username, name or username, hashed(password), banca, ventana)
    if with_database(data, work) is None:
        raise Trouble(f"there is no banca {banca}" + (f" with a ventana {ventana}" if ventana else ""))
    tell(
        {"id": str(user_id), "username": username, "role": role.value, "banca": banca, "ventana": ventana},
        password,
        json=json,
    )


@app.command("reset-password")
def reset_password(
    username: Annotated[str, typer.Argument(help="Of any user, a seller too.")],
    json: Json = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Give a user a new password, printed once; all sessions of the user end."""
    password = new_password()
    user, ended = with_database(data, replace_password(username, hashed(password)))
    about = {"id": str(user["id"]), "username": user["username"], "role": user["role"], "sessionsEnded": ended}
    tell(about, password, json=json)
    if not user["is_active"] and not json:
        print("The user is not active, and cannot log in.")


@app.command("list")
def list_admins(
    role: Annotated[AdminRole | None, typer.Option(help="Only of this role.")] = None,
    json: Json = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Who administers, and when each was last there."""
    rows = with_database(data, lambda connection: connection.fetch(sql("admins/list"), role and role.value))
    if json:
        print_json([dict(row) for row in rows])
    elif rows:
        print("\n".join(line(row) for row in rows))
    else:
        print("Nobody: make the first one with ./banca admin create --username NAME")


def require_place(username: str, role: AdminRole, banca: str | None, ventana: str | None, name: str) -> None:
    """Raises UsageTrouble."""
    if not USERNAME.fullmatch(username):
        raise UsageTrouble("a username has 3 to 64 of the characters A-Z a-z 0-9 _ . -")
    if len(name) > NAME_LENGTH_MAX or name != shown(name):
        raise UsageTrouble(f"a name is one line of at most {NAME_LENGTH_MAX} characters that are seen")
    if role is not AdminRole.ADMIN and banca is None:
        raise UsageTrouble(f"--role {role} needs --banca CODE")
    if (ventana is not None) is not (role is AdminRole.VENTANA):
        raise UsageTrouble("--ventana CODE goes with --role VENTANA, and that with it")


def insert(*values: Any) -> Any:
    """The id of the user that it makes; None when there is no such place. Raises Trouble when the name is taken."""
    import asyncpg

    async def work(connection: Any) -> Any:
        try:
            return await connection.fetchval(sql("admins/create"), *values)
        except asyncpg.UniqueViolationError as error:
            raise Trouble(f"there is a user {values[2]} already; reset-password gives a new password") from error

    return work


def replace_password(username: str, encoded: str) -> Any:
    """The user, and how many sessions ended. Raises Trouble when there is no such user."""

    async def work(connection: Any) -> tuple[Any, int]:
        async with connection.transaction():
            user = await connection.fetchrow(sql("admins/set_password"), username, encoded)
            if user is None:
                raise Trouble(f"there is no user {username}")
            ended = await end_sessions(connection, user["id"])
        # Who found the old password right a moment ago has a session by now. Nobody knows the new one yet.
        await log_ins_under_way()
        return user, ended + await end_sessions(connection, user["id"])

    return work


async def log_ins_under_way() -> None:
    """Until those that had begun have their sessions."""
    await asyncio.sleep(LOGIN_S)


async def end_sessions(connection: Any, user_id: Any) -> int:
    return len(await connection.fetch(sql("auth/close_sessions"), user_id, user_id, RESET, None))


def new_password() -> str:
    """96 bits."""
    return secrets.token_urlsafe(12)


def hashed(password: str) -> str:
    from core.security.passwords import password_hasher

    return password_hasher().hash(password)


def tell(about: dict[str, Any], password: str, *, json: bool) -> None:
    if json:
        print_json({**about, "password": password})
        return
    labels = {
        "username": "Username",
        "role": "Role",
        "banca": "Banca",
        "ventana": "Ventana",
        "sessionsEnded": "Sessions ended",
    }
    rows = [(label, about[key]) for key, label in labels.items() if about.get(key) is not None]
    for label, value in (*rows, ("Password", f"{password}  (shown this once)")):
        print(f"{label:<15} {value}")


def line(row: Any) -> str:
    place = " ".join(filter(None, (row["banca"], row["ventana"]))) or "—"
    seen = f"{row['last_seen_at']:%Y-%m-%d %H:%M} UTC" if row["last_seen_at"] else "never"
    state = "" if row["is_active"] else ", not active"
    return shown(
        f"{row['role']:<8} {row['username']:<24} {place:<16} last seen {seen}, {row['live_sessions']} sessions{state}"
    )
