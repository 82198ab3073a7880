"""Whether a token's session still holds, and in which bancas its user may work.

Hot routes do not ask: the function that sells looks under its locks. Everything else notices within a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from api.authentication import Principal
from api.problems import refuse
from core.database import Database
from core.domain.permissions import Role
from core.fresh import Fresh
from core.queries import sql

FACTS_AGE_MAX_S = 1.0
ENTRIES_MAX = 20_000
QUERY_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class SessionFacts:
    is_live: bool
    user_active: bool
    ventana_active: bool
    banca_active: bool
    role: Role
    banca_id: UUID | None
    ventana_id: UUID | None
    banca_ids: frozenset[UUID]


class Sessions:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._facts: Fresh[UUID, SessionFacts | None] = Fresh(self._read_facts, entries_max=ENTRIES_MAX)
        self._bancas: Fresh[UUID, bool] = Fresh(self._read_banca, entries_max=ENTRIES_MAX)

    async def require_live(self, principal: Principal) -> SessionFacts:
        """Raises ProblemError: SESSION_REVOKED, USER_INACTIVE, TOKEN_STALE (401), VENTANA_INACTIVE, BANCA_INACTIVE (403)."""
        facts = await self._facts.get(principal.session_id, max_age_s=FACTS_AGE_MAX_S)
        if facts is None or not facts.is_live:
            raise refuse(401, "SESSION_REVOKED", "The session has ended; log in again.")
        if not facts.user_active:
            raise refuse(401, "USER_INACTIVE", "The user is not active.")
        if (facts.role, facts.banca_id, facts.ventana_id) != (principal.role, principal.banca_id, principal.ventana_id):
            raise refuse(401, "TOKEN_STALE", "The user's role or place has changed; refresh the token.")
        if not facts.ventana_active:
            raise refuse(403, "VENTANA_INACTIVE", "The ventana is not active.")
        if not facts.banca_active and principal.role is not Role.ADMIN:
            raise refuse(403, "BANCA_INACTIVE", "The banca is not active.")
        return facts

    async def may_work_in(self, principal: Principal, banca_id: UUID) -> bool:
        """Whether the user may choose this banca: an ADMIN any that exists, a BANCA user those assigned to it."""
        if principal.role is Role.ADMIN:
            return await self._bancas.get(banca_id, max_age_s=FACTS_AGE_MAX_S)
        if banca_id == principal.banca_id:
            return True
        if principal.role is not Role.BANCA:
            return False
        facts = await self._facts.get(principal.session_id, max_age_s=FACTS_AGE_MAX_S)
        return facts is not None and banca_id in facts.banca_ids

    def forget(self, session_id: UUID) -> None:
        """After a change that this process made itself."""
        self._facts.forget(session_id)

    async def close(self) -> None:
        await self._facts.close()
        await self._bancas.close()

    async def _read_facts(self, session_id: UUID) -> SessionFacts | None:
        async with self._database.connection() as connection:
            row = await connection.fetchrow(sql("auth/session_facts"), session_id, timeout=QUERY_TIMEOUT_S)
        if row is None:
            return None
        return SessionFacts(
            is_live=row["is_live"],
            user_active=row["user_active"],
            ventana_active=row["ventana_active"],
            banca_active=row["banca_active"],
            role=Role(row["role"]),
            banca_id=row["banca_id"],
            ventana_id=row["ventana_id"],
            banca_ids=frozenset(row["banca_ids"]),
        )

    async def _read_banca(self, banca_id: UUID) -> bool:
        async with self._database.connection() as connection:
            return bool(await connection.fetchval(sql("auth/banca_exists"), banca_id, timeout=QUERY_TIMEOUT_S))
