"""`./banca demo`: sellers with terminals and open draws, ready for a load; and the banca of the first start."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg
import orjson
from pydantic import SecretStr

from cli.demo_banca import FIRST_CODE, create_admin, create_banca, create_sellers, create_sorteos, find_banca
from cli.stack import Stack
from core.database import prepare_connection
from core.security.terminal_secrets import MasterKeys, load_master_keys
from core.settings import Settings

TOKEN_TTL_S = 24 * 3600
CONNECT_TIMEOUT_S = 10.0
STATEMENT_TIMEOUT_S = 120.0
FIRST_DRAW_IN_S = 24 * 3600
SHOWN_MAX = 20


def run(
    *,
    sellers: int,
    sorteos: int,
    draw_in: int | None,
    digits: int,
    new_banca: bool,
    token_ttl: int | None,
    json: bool,
    data: Path,
) -> int:
    stack = Stack.load(data)
    document = asyncio.run(
        prepare(
            stack,
            sellers=sellers,
            sorteos=sorteos,
            draw_in_s=draw_in or FIRST_DRAW_IN_S,
            digits=digits,
            new_banca=new_banca,
            token_ttl_s=token_ttl or TOKEN_TTL_S,
        )
    )
    if json:
        sys.stdout.buffer.write(orjson.dumps(document) + b"\n")
    else:
        print("\n".join(labelled(document)))
    return 0


def labelled(document: Mapping[str, Any]) -> list[str]:
    """What was made, for a person; the tokens are in --json only."""
    admin, people, draws = document["admin"], document["sellers"], document["sorteoIds"]
    lines = [
        f"Banca       {document['bancaId']}",
        f"Loteria     {document['loteriaId']}",
        f"Multiplier  {document['multiplierId']}",
        *(f"Draw        {draw}" for draw in draws[:SHOWN_MAX]),
        "",
        f"Admin       {admin['username']}  password {admin['password']}",
        *(f"Seller      {seller['username']}  password {seller['password']}\n"
          f"  terminal  {seller['terminalId']}\n  secret    {seller['secret']}" for seller in people[:SHOWN_MAX]),
    ]  # fmt: skip
    hidden = [
        f"{len(rows) - SHOWN_MAX} {name}"
        for name, rows in (("draws", draws), ("sellers", people))
        if len(rows) > SHOWN_MAX
    ]
    return [*lines, "", f"{'And ' + ' and '.join(hidden) + ' more. ' if hidden else ''}--json prints all, with tokens."]


async def prepare(
    stack: Stack, *, sellers: int, sorteos: int, draw_in_s: int, digits: int, new_banca: bool, token_ttl_s: int
) -> dict[str, Any]:
    """The document that --json prints. Everything is written in one transaction."""
    keys = master_keys(stack)
    async with _Owner(stack) as connection, connection.transaction():
        place = await (create_banca(connection, digits) if new_banca else find_banca(connection, digits))
        admin = await create_admin(connection, stack, place, token_ttl_s)
        people = await create_sellers(connection, stack, keys, place, sellers, token_ttl_s)
        draws = await create_sorteos(connection, place, sorteos, draw_in_s)
    return {
        "apiUrl": stack.api_url,
        "databaseUrl": stack.owner_url.partition("?")[0],
        "bancaId": str(place.banca_id),
        "loteriaId": str(place.loteria_id),
        "multiplierId": str(place.multiplier_id),
        "sorteoIds": [str(draw) for draw in draws],
        "admin": {"username": admin.username, "password": admin.password, "token": admin.token},
        "sellers": [
            {
                "vendedorId": str(seller.user.id),
                "username": seller.user.username,
                "password": seller.user.password,
                "token": seller.user.token,
                "terminalId": str(seller.terminal_id),
                "secret": seller.secret,
            }
            for seller in people
        ],
    }


async def load_first_banca(stack: Stack) -> dict[str, str]:
    """The demo banca of a fresh database: an admin, a seller with a terminal, an open draw; what `up` prints."""
    keys = master_keys(stack)
    async with _Owner(stack) as connection, connection.transaction():
        if await connection.fetchval("SELECT EXISTS (SELECT FROM bancas WHERE code = $1)", FIRST_CODE):
            place = await find_banca(connection, 2)
        else:
            place = await create_banca(connection, 2, code=FIRST_CODE)
        admin = await create_admin(connection, stack, place, TOKEN_TTL_S)
        [seller] = await create_sellers(connection, stack, keys, place, 1, TOKEN_TTL_S)
        [draw] = await create_sorteos(connection, place, 1, FIRST_DRAW_IN_S)
    return {
        "adminUsername": admin.username,
        "adminPassword": admin.password,
        "sellerUsername": seller.user.username,
        "sellerPassword": seller.user.password,
        "terminalId": str(seller.terminal_id),
        "secret": seller.secret,
        "loteriaId": str(place.loteria_id),
        "multiplierId": str(place.multiplier_id),
        "sorteoId": str(draw),
    }


def master_keys(stack: Stack) -> MasterKeys:
    return load_master_keys(
        Settings(database_url=stack.owner_url, terminal_master_key=SecretStr(stack.secrets.terminal_master_key))
    )


class _Owner:
    """A connection as the owner of the database."""

    def __init__(self, stack: Stack) -> None:
        self._url = stack.owner_url

    async def __aenter__(self) -> asyncpg.Connection[asyncpg.Record]:
        self._connection = await asyncpg.connect(
            self._url, timeout=CONNECT_TIMEOUT_S, command_timeout=STATEMENT_TIMEOUT_S
        )
        await prepare_connection(self._connection)
        return self._connection

    async def __aexit__(self, *_: object) -> None:
        await self._connection.close(timeout=CONNECT_TIMEOUT_S)
