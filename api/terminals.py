"""POS terminals as the signature check knows them: whose they are, and the keys they may sign with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from core.database import Database
from core.fresh import Fresh
from core.logging import Log
from core.queries import sql
from core.security.terminal_secrets import MasterKeyMissingError, MasterKeys

ENTRIES_MAX = 50_000
QUERY_TIMEOUT_S = 2.0
# What these facts allow is judged again under the locks of the sale; what they refuse is read again first.
FACTS_AGE_MAX_S = 60.0
REFUSING_FACTS_AGE_MAX_S = 1.0

log = Log("terminals")


@dataclass(frozen=True, slots=True)
class Signer:
    """The terminal that signed, and with which version of its key: the sale judges both again under its locks."""

    terminal_id: UUID
    key_version: int
    banca_id: UUID
    ventana_id: UUID
    vendedor_id: UUID | None


@dataclass(frozen=True, slots=True)
class TerminalKey:
    """secret: the HMAC key. valid_until: None: the terminal's current key. signer: who signs with it."""

    secret: bytes
    valid_until: datetime | None
    signer: Signer


@dataclass(frozen=True, slots=True)
class Terminal:
    is_active: bool
    keys: tuple[TerminalKey, ...]


class Terminals:
    def __init__(self, database: Database, master_keys: MasterKeys) -> None:
        self._database = database
        self._master_keys = master_keys
        self._facts: Fresh[UUID, Terminal | None] = Fresh(self._read, entries_max=ENTRIES_MAX)

    def known(self, terminal_id: UUID) -> Terminal | None:
        """What is remembered and young enough, without asking anybody."""
        return self._facts.peek(terminal_id, max_age_s=FACTS_AGE_MAX_S)

    async def find(self, terminal_id: UUID, *, max_age_s: float = FACTS_AGE_MAX_S) -> Terminal | None:
        return await self._facts.get(terminal_id, max_age_s=max_age_s)

    def age_s(self, terminal_id: UUID) -> float:
        return self._facts.age_s(terminal_id)

    def forget(self, terminal_id: UUID) -> None:
        """After a change that this process made itself."""
        self._facts.forget(terminal_id)

    async def close(self) -> None:
        await self._facts.close()

    async def _read(self, terminal_id: UUID) -> Terminal | None:
        async with self._database.connection() as connection:
            row = await connection.fetchrow(sql("terminals/facts"), terminal_id, timeout=QUERY_TIMEOUT_S)
        if row is None:
            return None
        keys = [self._key(terminal_id, row, prefix="", valid_until=None)]
        if row["previous_key_version"] is not None:
            keys.append(self._key(terminal_id, row, prefix="previous_", valid_until=row["previous_valid_until"]))
        return Terminal(row["is_active"], tuple(key for key in keys if key is not None))

    def _key(
        self, terminal_id: UUID, row: asyncpg.Record, *, prefix: str, valid_until: datetime | None
    ) -> TerminalKey | None:
        version, master_key_id = row[f"{prefix}key_version"], row[f"{prefix}master_key_id"]
        try:
            secret = self._master_keys.secret_of(terminal_id, key_version=version, master_key_id=master_key_id)
        except MasterKeyMissingError:
            log.error("MASTER_KEY_MISSING", terminal=terminal_id, master_key_id=master_key_id)
            return None
        signer = Signer(terminal_id, version, row["banca_id"], row["ventana_id"], row["vendedor_id"])
        return TerminalKey(secret.encode(), valid_until, signer)
