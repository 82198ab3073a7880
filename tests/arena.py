"""A banca to test with, made as the owner of the database: quick, and without the API."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
from argon2 import PasswordHasher

from core.domain.permissions import Role
from core.security.terminal_secrets import load_master_keys
from core.security.tokens import AccessClaims, issue_access
from core.settings import Settings

if TYPE_CHECKING:
    Owner = asyncpg.Connection[asyncpg.Record]

PASSWORD = "correct horse"
# As weak as argon2 gets: tests hash often.
PASSWORD_HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
RULES: Mapping[str, Any] = {"digits": 2, "reventadoConfig": {"enabled": True, "requiresMatchingNumber": False}}


@dataclass(frozen=True)
class Terminal:
    id: UUID
    secret: str


@dataclass(frozen=True)
class Person:
    """A user with an open session; token: its access token. password: PASSWORD."""

    id: UUID
    role: Role
    username: str
    banca_id: UUID | None
    ventana_id: UUID | None
    session_id: UUID
    token: str


@dataclass(frozen=True)
class Seller(Person):
    """The token is bound to no terminal; the terminal to no seller."""

    terminal: Terminal


@dataclass
class Arena:
    owner: Owner
    settings: Settings
    banca_id: UUID
    ventana_id: UUID
    loteria_id: UUID
    multiplier_id: UUID
    sellers: list[Seller] = field(default_factory=list)
    sorteo_ids: list[UUID] = field(default_factory=list)

    @classmethod
    async def create(
        cls,
        owner: Owner,
        settings: Settings,
        *,
        sellers: int = 2,
        sorteos: int = 1,
        digits: int = 2,
        number_cap_cents: int | None = None,
    ) -> Arena:
        """One banca; call it again for another tenant of the same database."""
        banca_id, loteria_id = uuid4(), uuid4()
        name = f"Banca {secrets.token_hex(4)}"
        await owner.execute(
            "INSERT INTO bancas (id, name, code, global_max_per_number_cents) VALUES ($1, $2, $3, $4)",
            banca_id, name, name[-8:], number_cap_cents,
        )  # fmt: skip
        await owner.executemany(
            "INSERT INTO accounts (banca_id, id, kind) VALUES ($1, $2, $3)",
            [(banca_id, uuid4(), kind) for kind in ("SALES", "PRIZES", "COMMISSIONS", "CASH")],
        )
        await owner.execute(
            "INSERT INTO loterias (banca_id, id, name, rules) VALUES ($1, $2, 'Tica', $3)",
            banca_id, loteria_id, json.dumps({**RULES, "digits": digits}),
        )  # fmt: skip
        arena = cls(owner, settings, banca_id, uuid4(), loteria_id, uuid4())
        arena.ventana_id = await arena.add_ventana()
        arena.multiplier_id = await arena.add_multiplier("Base", 9_000)
        for _ in range(sellers):
            arena.sellers.append(await arena.add_seller())
        for place in range(sorteos):
            arena.sorteo_ids.append(await arena.add_sorteo(minutes=24 * 60 + place, digits=digits))
        return arena

    @property
    def seller(self) -> Seller:
        return self.sellers[0]

    @property
    def sorteo_id(self) -> UUID:
        return self.sorteo_ids[0]

    async def add_ventana(self) -> UUID:
        ventana_id = uuid4()
        await self.owner.execute(
            "INSERT INTO ventanas (banca_id, id, name, code) VALUES ($1, $2, 'Ventana', $3)",
            self.banca_id, ventana_id, secrets.token_hex(4),
        )  # fmt: skip
        await self.owner.execute(
            "INSERT INTO accounts (banca_id, id, kind) VALUES ($1, $2, 'VENTANA')", self.banca_id, ventana_id
        )
        return ventana_id

    async def add_multiplier(self, name: str, x_hundredths: int, *, kind: str = "NUMERO") -> UUID:
        multiplier_id = uuid4()
        await self.owner.execute(
            "INSERT INTO loteria_multipliers (banca_id, id, loteria_id, name, kind, value_x_hundredths)"
            " VALUES ($1, $2, $3, $4, $5, $6)",
            self.banca_id, multiplier_id, self.loteria_id, name, kind, x_hundredths,
        )  # fmt: skip
        return multiplier_id

    async def add_sorteo(self, *, minutes: float = 24 * 60, status: str = "OPEN", digits: int = 2) -> UUID:
        """A draw so many minutes from now (of this machine)."""
        sorteo_id = uuid4()
        await self.owner.execute(
            "INSERT INTO sorteos (banca_id, id, loteria_id, name, digits, status, scheduled_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7)",
            self.banca_id, sorteo_id, self.loteria_id, f"Tica {minutes:g}", digits, status,
            datetime.now(UTC) + timedelta(minutes=minutes),
        )  # fmt: skip
        return sorteo_id

    async def add_seller(
        self, *, ventana_id: UUID | None = None, credit_limit_cents: int | None = None, rate_limited: bool = True
    ) -> Seller:
        """With an account, a terminal and a token."""
        place = ventana_id or self.ventana_id
        person = await self.add_user(Role.VENDEDOR, ventana_id=place, rate_limited=rate_limited)
        await self.owner.execute(
            "INSERT INTO accounts (banca_id, id, kind, balance_cents, credit_limit_cents)"
            " VALUES ($1, $2, 'SELLER', 0, $3)",
            self.banca_id, person.id, credit_limit_cents,
        )  # fmt: skip
        return Seller(**vars(person), terminal=await self.add_terminal(ventana_id=place))

    async def add_user(
        self,
        role: Role,
        *,
        ventana_id: UUID | None = None,
        has_banca: bool = True,
        rate_limited: bool = True,
    ) -> Person:
        """Of this banca; a VENTANA or VENDEDOR of the first ventana unless another is named."""
        user_id, username = uuid4(), f"{role.lower()}-{secrets.token_hex(4)}"
        banca_id = self.banca_id if has_banca else None
        if role in (Role.VENTANA, Role.VENDEDOR):
            ventana_id = ventana_id or self.ventana_id
        await self.owner.execute(
            "INSERT INTO users (id, banca_id, ventana_id, role, username, name, password_hash, rate_limited)"
            " VALUES ($1, $2, $3, $4, $5, $5, $6, $7)",
            user_id, banca_id, ventana_id, role.value, username, PASSWORD_HASH, rate_limited,
        )  # fmt: skip
        session_id = await self.add_session(user_id, banca_id)
        token = self.token(
            user_id=user_id,
            role=role,
            banca_id=banca_id,
            ventana_id=ventana_id,
            session_id=session_id,
            rate_limited=rate_limited,
        )
        return Person(user_id, role, username, banca_id, ventana_id, session_id, token)

    async def give_policy(self, table: str, row_id: UUID, percent: str) -> None:
        """A commission that is the same for everything. table: bancas, ventanas or users."""
        policy = json.dumps({"version": 1, "defaultPercent": percent, "rules": []})
        await self.owner.execute(f"UPDATE {table} SET commission_policy = $2 WHERE id = $1", row_id, policy)

    async def add_session(self, user_id: UUID, banca_id: UUID | None) -> UUID:
        session_id = uuid4()
        await self.owner.execute(
            "INSERT INTO sessions (id, banca_id, user_id, refresh_hash, expires_at)"
            " VALUES ($1, $2, $3, $4, now() + interval '7 days')",
            session_id, banca_id, user_id, secrets.token_bytes(32),
        )  # fmt: skip
        return session_id

    async def add_terminal(self, *, ventana_id: UUID | None = None, vendedor_id: UUID | None = None) -> Terminal:
        terminal_id, key_id = uuid4(), self.settings.terminal_master_key_id
        await self.owner.execute(
            "INSERT INTO terminals (banca_id, id, ventana_id, vendedor_id, master_key_id) VALUES ($1, $2, $3, $4, $5)",
            self.banca_id, terminal_id, ventana_id or self.ventana_id, vendedor_id, key_id,
        )  # fmt: skip
        return Terminal(terminal_id, self.secret_of(terminal_id, key_version=1))

    def secret_of(self, terminal_id: UUID, *, key_version: int) -> str:
        keys = load_master_keys(self.settings)
        return keys.secret_of(terminal_id, key_version=key_version, master_key_id=keys.current_id)

    def token(
        self,
        *,
        user_id: UUID,
        role: Role,
        banca_id: UUID | None,
        ventana_id: UUID | None,
        session_id: UUID,
        terminal_id: UUID | None = None,
        rate_limited: bool = True,
        expires_in_s: int = 900,
    ) -> str:
        now_s = int(time.time())
        claims = AccessClaims(
            user_id=user_id,
            role=role,
            ventana_id=ventana_id,
            banca_id=banca_id,
            session_id=session_id,
            terminal_id=terminal_id,
            expires_at_s=now_s + expires_in_s,
            rate_limited=rate_limited,
        )
        return issue_access(claims, secret=self.settings.jwt_access_secret.get_secret_value(), issued_at_s=now_s)

    def token_of(self, person: Person, *, terminal_id: UUID | None = None, expires_in_s: int = 900) -> str:
        """Another token of the person's session."""
        return self.token(
            user_id=person.id,
            role=person.role,
            banca_id=person.banca_id,
            ventana_id=person.ventana_id,
            session_id=person.session_id,
            terminal_id=terminal_id,
            expires_in_s=expires_in_s,
        )
