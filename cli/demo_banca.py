"""What a demo consists of: a banca, its admin, sellers with terminals and open draws, each written to the database."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg

from cli.stack import Stack
from cli.trouble import Trouble
from core.domain.permissions import Role
from core.queries import sql
from core.security.passwords import password_hasher
from core.security.terminal_secrets import MasterKeys
from core.security.tokens import AccessClaims, issue_access, token_hash

FIRST_CODE = "DEMO"


@dataclass(frozen=True, slots=True)
class Place:
    """A demo banca, and what its tickets name."""

    banca_id: UUID
    ventana_id: UUID
    loteria_id: UUID
    multiplier_id: UUID
    digits: int


@dataclass(frozen=True, slots=True)
class DemoUser:
    id: UUID
    username: str
    password: str
    token: str


@dataclass(frozen=True, slots=True)
class DemoSeller:
    user: DemoUser
    terminal_id: UUID
    secret: str


async def find_banca(connection: asyncpg.Connection[asyncpg.Record], digits: int) -> Place:
    """The banca of the first start. Raises Trouble when this database has none."""
    row = await connection.fetchrow(sql("demo/find"), FIRST_CODE)
    if row is None:
        raise Trouble("this database has no demo banca: use --new-banca")
    loteria: UUID = row[f"loteria_{digits}"]
    return Place(row["banca_id"], row["ventana_id"], loteria, UUID(row["multipliers"][str(loteria)]), digits)


async def create_banca(
    connection: asyncpg.Connection[asyncpg.Record], digits: int, *, code: str | None = None
) -> Place:
    code = code or f"B{secrets.token_hex(4).upper()}"
    banca, ventana, loteria_2, multiplier_2, loteria_3, multiplier_3 = (uuid4() for _ in range(6))
    await connection.execute(
        sql("demo/banca"), banca, f"Banca {code}", code, ventana, loteria_2, multiplier_2, loteria_3, multiplier_3
    )
    loteria, multiplier = (loteria_2, multiplier_2) if digits == 2 else (loteria_3, multiplier_3)
    return Place(banca, ventana, loteria, multiplier, digits)


async def create_admin(
    connection: asyncpg.Connection[asyncpg.Record], stack: Stack, place: Place, token_ttl_s: int
) -> DemoUser:
    password = secrets.token_urlsafe(12)
    user_id, username = uuid4(), f"admin-{secrets.token_hex(3)}"
    await connection.execute(
        sql("demo/user"),
        user_id,
        place.banca_id,
        None,
        "ADMIN",
        username,
        "Demo admin",
        password_hasher().hash(password),
    )
    [token] = await _tokens(connection, stack, place, [user_id], Role.ADMIN, token_ttl_s)
    return DemoUser(user_id, username, password, token)


async def create_sellers(
    connection: asyncpg.Connection[asyncpg.Record],
    stack: Stack,
    keys: MasterKeys,
    place: Place,
    count: int,
    token_ttl_s: int,
) -> list[DemoSeller]:
    # One password for all of them: hashing a thousand would take minutes, and it is a demo.
    password = secrets.token_urlsafe(12)
    run_name = secrets.token_hex(3)
    ids, terminals = [uuid4() for _ in range(count)], [uuid4() for _ in range(count)]
    usernames = [f"seller-{run_name}-{number}" for number in range(1, count + 1)]
    await connection.execute(
        sql("demo/sellers"),
        place.banca_id,
        place.ventana_id,
        ids,
        usernames,
        password_hasher().hash(password),
        terminals,
        keys.current_id,
    )
    tokens = await _tokens(connection, stack, place, ids, Role.VENDEDOR, token_ttl_s)
    return [
        DemoSeller(
            DemoUser(user_id, username, password, token),
            terminal,
            keys.secret_of(terminal, key_version=1, master_key_id=keys.current_id),
        )
        for user_id, username, token, terminal in zip(ids, usernames, tokens, terminals, strict=True)
    ]


async def create_sorteos(
    connection: asyncpg.Connection[asyncpg.Record], place: Place, count: int, draw_in_s: int
) -> list[UUID]:
    draws = [uuid4() for _ in range(count)]
    await connection.execute(
        sql("demo/sorteos"),
        place.banca_id,
        place.loteria_id,
        draws,
        datetime.now(UTC) + timedelta(seconds=draw_in_s),
        place.digits,
    )
    return draws


async def _tokens(
    connection: asyncpg.Connection[asyncpg.Record],
    stack: Stack,
    place: Place,
    users: Sequence[UUID],
    role: Role,
    ttl_s: int,
) -> list[str]:
    """An access token per user, each with a live session that nobody can refresh."""
    sessions = [uuid4() for _ in users]
    now_s = int(time.time())
    await connection.execute(
        sql("demo/sessions"),
        place.banca_id,
        sessions,
        list(users),
        [token_hash(secrets.token_hex()) for _ in users],
        datetime.fromtimestamp(now_s + ttl_s, UTC),
    )
    return [
        issue_access(
            AccessClaims(
                user_id=user_id,
                role=role,
                ventana_id=place.ventana_id if role is Role.VENDEDOR else None,
                banca_id=place.banca_id,
                session_id=session_id,
                terminal_id=None,
                expires_at_s=now_s + ttl_s,
                rate_limited=False,
            ),
            secret=stack.secrets.jwt_access_secret,
            issued_at_s=now_s,
        )
        for user_id, session_id in zip(users, sessions, strict=True)
    ]
