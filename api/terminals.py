"""POS terminals as the signature check knows them: whose they are, and the keys they may sign with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from api.fresh import Fresh
from core.database import Database
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
class TerminalKey:
    """secret: the HMAC key. valid_until: None: the terminal's current key."""

    version: int
    secret: bytes
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class Terminal:
    id: UUID
    banca_id: UUID
    ventana_id: UUID
    vendedor_id: UUID | None
    is_active: bool
    keys: tuple[TerminalKey, ...]


class Terminals:
    def __init__(self, database: Database, master_keys: MasterKeys) -> None:
        self._database = database
        self._master_keys = master_keys
        self._facts: Fresh[UUID, Terminal | None] = Fresh(self._read, entries_max=ENTRIES_MAX)

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
        keys = [self._key(terminal_id, row["key_version"], row["master_key_id"], None)]
        if row["previous_key_version"] is not None:
            keys.append(
                self._key(
                    terminal_id,
                    row["previous_key_version"],
                    row["previous_master_key_id"],
                    row["previous_valid_until"],
                )
            )
        return Terminal(
            id=terminal_id,
            banca_id=row["banca_id"],
            ventana_id=row["ventana_id"],
            vendedor_id=row["vendedor_id"],
            is_active=row["is_active"],
            keys=tuple(key for key in keys if key is not None),
        )

    def _key(
        self, terminal_id: UUID, version: int, master_key_id: str, valid_until: datetime | None
    ) -> TerminalKey | None:
        try:
            secret = self._master_keys.secret_of(terminal_id, key_version=version, master_key_id=master_key_id)
        except MasterKeyMissingError:
            log.error("MASTER_KEY_MISSING", terminal=terminal_id, master_key_id=master_key_id)
            return None
        return TerminalKey(version, secret.encode(), valid_until)
