"""What a handler is told about its request, besides the body."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from aiohttp import web

from api.authentication import Principal
from api.problems import refuse
from api.terminals import Signer
from api.validation import validation_failed
from core.domain.permissions import Scope
from core.domain.violations import Violation


@dataclass(frozen=True, slots=True)
class PublicContext:
    """A request that needs no token."""

    app: web.Application
    request: web.Request
    request_id: str


@dataclass(frozen=True, slots=True)
class RequestContext:
    """A request that may do what it asks for.

    scope: how far its permission reaches. active_banca_id: the tenant; None only where an operation needs none.
    raw_body: the bytes that were signed. signer: only where the operation is signed.
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

    def path_id(self, name: str) -> UUID:
        """A uuid in the path. Raises ProblemError VALIDATION_FAILED."""
        try:
            return UUID(self.request.match_info[name])
        except ValueError:
            violation = Violation("ID_INVALID", "Expected a UUID.", name)
            raise validation_failed([violation]) from None
