"""One request's changes to a banca's rules: one transaction, so one new version of the rulebook, told in the trail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import asyncpg
from pydantic import BaseModel

from api.context import RequestContext
from api.keys import DATABASE, RULEBOOKS, SETTINGS
from api.models.rulebook import Written
from api.problems import ProblemError, refuse
from api.rule_refusals import conflict
from core.activity_documents import changed_members
from core.activity_events import Action, Change, record_activities
from core.domain.permissions import Scope
from core.domain.rulebook import Rulebook
from core.queries import sql

if TYPE_CHECKING:
    from core.database import Connection


# What storage adds to what was written: which, when, and by whom. A row of the trail says it itself.
ADDED_BY_STORAGE = {"id", "created_at", "created_by", "created_by_role", "updated_at", "updated_by", "updated_by_role"}


class Target(StrEnum):
    """What has rules, as the trail names it."""

    RESTRICTION = "RESTRICTION"
    MULTIPLIER_OVERRIDE = "MULTIPLIER_OVERRIDE"
    MULTIPLIER = "MULTIPLIER"
    LOTERIA = "LOTERIA"
    SORTEO = "SORTEO"
    BANCA = "BANCA"
    VENTANA = "VENTANA"
    USER = "USER"


class Size(NamedTuple):
    """How many are in force, and how many of them are the acting ventana's and its sellers'."""

    in_force: int
    own: int


Sizes = Mapping[str, Size]
# The setting that bounds each kind of sizes.sql.
BOUNDS: Mapping[str, str] = {
    "restrictions": "banca_restrictions_max",
    "overrides": "banca_overrides_max",
    "multipliers": "banca_multipliers_max",
    "commission rules": "banca_commission_rules_max",
}


@dataclass(slots=True)
class RulebookEdit:
    """Locks: the draw or the user, where others write them too → the banca → its rules.

    found_version: of the rulebook that was locked.
    """

    connection: Connection
    context: RequestContext
    found_version: int | None = None
    found_sizes: Sizes = field(default_factory=dict)

    @property
    def banca_id(self) -> UUID:
        return self.context.banca_id

    @property
    def author(self) -> tuple[UUID, str]:
        """Who writes, and as what."""
        principal = self.context.principal
        return principal.user_id, principal.role.value

    async def lock(self) -> None:
        """Until this edit ends nobody else changes the banca's rules; sales go on."""
        self.found_version = await self.connection.fetchval(sql("rulebook/lock"), self.banca_id)
        self.found_sizes = await self._sizes()

    async def rulebook(self) -> Rulebook:
        """The rules as they stand, locked."""
        await self.lock()
        # A statement of its own: it sees what the lock waited for.
        document = await self.connection.fetchval(sql("rulebook/load"), self.banca_id)
        return await self.context.app[RULEBOOKS].read(self.banca_id, document)

    async def require_room(self) -> None:
        """Raises ProblemError RULES_MAX_REACHED when more is in force now, and more than may be."""
        if self.found_version in (None, await self.version()):
            return
        settings = self.context.app[SETTINGS]
        is_ventana = self.context.scope is Scope.VENTANA
        for kind, size in (await self._sizes()).items():
            bound = getattr(settings, BOUNDS[kind])
            found = self.found_sizes[kind]
            if size.in_force > max(bound, found.in_force):
                raise no_room(
                    f"The banca may have {bound:,} {kind} in force; with these it would have {size.in_force:,}."
                )
            share = bound * settings.ventana_rules_percent // 100
            if is_ventana and size.own > max(share, found.own):
                raise no_room(f"A ventana may have {share:,} {kind} in force; with these it would have {size.own:,}.")

    async def _sizes(self) -> Sizes:
        rows = await self.connection.fetch(sql("rulebook/sizes"), self.banca_id, self.context.principal.ventana_id)
        return {row["kind"]: Size(row["in_force"], row["own"]) for row in rows}

    async def version(self) -> int:
        """Of the rulebook after what was written so far: the one that the answer names."""
        version: int = await self.connection.fetchval(sql("rulebook/version"), self.banca_id)
        return version

    async def record(
        self, action: Action, target: Target, target_id: UUID, *, before: BaseModel | None, after: Written
    ) -> None:
        """Into the audit trail, with the rule or not at all; what made no version changed nothing, and is not told.

        before: None: there was none.
        """
        assert self.found_version is not None, "who writes has locked"
        if after.rulebook_version != self.found_version:
            await self.record_all(action, target, [change(target_id, before, after)])

    async def record_all(self, action: Action, target: Target, changes: Sequence[Change]) -> None:
        """One operation on several targets, at least one: a row of the trail for each."""
        await record_activities(
            self.connection,
            action,
            changes,
            actor_id=self.context.principal.user_id,
            target_type=target,
            request_id=self.context.request_id,
        )


def change(target_id: UUID, before: BaseModel | None, after: BaseModel, **others: Any) -> Change:
    """What is new whole, without its nulls; of what was there only the members that changed. others: of after."""
    new = {**after.model_dump(mode="json", exclude=ADDED_BY_STORAGE, exclude_none=before is None), **others}
    if before is None:
        return Change(target_id, None, new)
    return Change(target_id, *changed_members(before.model_dump(mode="json", exclude=ADDED_BY_STORAGE), new))


def no_room(detail: str) -> ProblemError:
    return refuse(409, "RULES_MAX_REACHED", detail)


@asynccontextmanager
async def edit_rulebook(context: RequestContext) -> AsyncIterator[RulebookEdit]:
    """What is raised inside leaves everything as it was.

    Raises ProblemError for a name or a rule that is there already or is one too many, DatabaseUnavailableError.
    """
    try:
        async with context.app[DATABASE].tenant(context.banca_id, readonly=False) as connection:
            edit = RulebookEdit(connection, context)
            yield edit
            await edit.require_room()
    except asyncpg.UniqueViolationError as error:
        known = conflict(error)
        if known is None:
            raise
        raise known from error
