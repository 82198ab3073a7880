"""What a handler is told about its request, besides the body."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from aiohttp import web
from msgspec import Struct
from pydantic import BaseModel

from api.authentication import Principal
from api.conditional import require_match
from api.problems import refuse
from api.terminals import Signer
from api.validation import validation_failed
from core.database import Database
from core.domain.calendar import InstantError, parse_date
from core.domain.permissions import Scope
from core.domain.violations import Violation


class PublicContext(Struct, frozen=True):
    """A request that needs no token."""

    app: web.Application
    request: web.Request
    request_id: str


class RequestContext(Struct, frozen=True):
    """A request that may do what it asks for.

    scope: how far its permission reaches. active_banca_id: the tenant; None only where an operation needs none.
    raw_body: the bytes that were signed. signer: only where the operation is signed. read_from: only where it may lag.
    """

    app: web.Application
    request: web.Request
    request_id: str
    principal: Principal
    scope: Scope
    active_banca_id: UUID | None
    raw_body: bytes
    idempotency_key: str | None
    signer: Signer | None
    read_from: Database | None = None

    @property
    def banca_id(self) -> UUID:
        """The tenant of an operation that has one."""
        if self.active_banca_id is None:
            raise refuse(400, "BANCA_CONTEXT_REQUIRED", "Name the banca to work in: X-Active-Banca-Id.")
        return self.active_banca_id

    @property
    def terminal(self) -> Signer:
        """The signer of a signed operation."""
        if self.signer is None:
            raise refuse(401, "SIGNATURE_REQUIRED", "Sign the request.")
        return self.signer

    @property
    def readings(self) -> Database:
        """Where an operation that may lag reads: the replica, or the primary."""
        assert self.read_from is not None, "the operation does not say that it may lag"
        return self.read_from

    @property
    def has_condition(self) -> bool:
        """Whether the request is to be done only while a thing is as the client knows it."""
        return "If-Match" in self.request.headers or "If-None-Match" in self.request.headers

    def require_match(self, known: BaseModel) -> None:
        """Compare the request's If-Match with what a thing is. known: the answer that shows it, read under the lock.

        Raises ProblemError PRECONDITION_FAILED.
        """
        if self.has_condition:
            require_match(self.request, known)

    def path_id(self, name: str) -> UUID:
        """A uuid in the path. Raises ProblemError VALIDATION_FAILED."""
        try:
            return UUID(self.request.match_info[name])
        except ValueError:
            violation = Violation("ID_INVALID", "Expected a UUID.", name)
            raise validation_failed([violation]) from None

    def path_date(self, name: str) -> date:
        """A day in the path. Raises ProblemError VALIDATION_FAILED."""
        try:
            return parse_date(self.request.match_info[name])
        except InstantError as error:
            raise validation_failed([Violation("FIELD_INVALID", str(error), name)]) from None
