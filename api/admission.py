"""What every request passes before its handler, always in this order.

Authenticate → signature over the raw bytes → authorise → validate → idempotency key.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel

from api.authentication import Authentication, Principal
from api.conditional import IfMatch, is_unchanged, refuse_condition, tag_of
from api.context import PublicContext, RequestContext
from api.operations import PUBLIC, Answer, Key, Operation
from api.problems import problem_response, refuse
from api.rate_limits import TokenBuckets
from api.readings import Readings
from api.request_body import read_arguments, read_body, read_long_arguments
from api.request_id import REQUEST_ID
from api.sessions import Sessions
from api.signed_requests import Signatures
from api.slow_lines import least_rate
from api.terminals import Signer
from api.turnstile import FULL, Turnstiles
from core.domain.permissions import Role, scope_of
from core.settings import Settings

# A ticket request that found no place inside by then is told to come again.
TURN_WAIT_MAX_S = 2.0
# Of one user.
EXPORTS_PER_MIN = 10
KEY_LENGTH_MIN, KEY_LENGTH_MAX = 8, 100
_VISIBLE = frozenset(chr(code) for code in range(0x21, 0x7F))
# Two of one of these: one reader would see the first, another the last.
_SINGLE_HEADERS = frozenset(
    (
        b"authorization",
        b"content-encoding",
        b"content-type",
        b"idempotency-key",
        b"x-active-banca-id",
        b"x-signature",
        b"x-terminal",
        b"x-timestamp",
    )
)


Endpoint = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Admission:
    def __init__(
        self,
        app: web.Application,
        settings: Settings,
        *,
        authentication: Authentication,
        sessions: Callable[[], Sessions],
        signatures: Callable[[], Signatures],
        readings: Callable[[], Readings],
    ) -> None:
        self._app = app
        self._authentication = authentication
        self._sessions = sessions
        self._signatures = signatures
        self._readings = readings
        # What is under way is what the next two batches take; what waits, as much as the till would hold.
        self._turnstiles = Turnstiles(
            inside_max=2 * settings.batch_tickets_max,
            waiting_max=settings.till_queue_tickets_max,
            wait_max_s=TURN_WAIT_MAX_S,
        )
        self._bytes_max = (settings.body_single_bytes_max, settings.body_batch_bytes_max)
        self._least_rate = least_rate(settings)
        self.ticket_buckets = (
            TokenBuckets(rate_per_s=settings.rate_limit_tickets_per_s, burst=settings.rate_limit_tickets_burst)
            if settings.rate_limit_enabled
            else None
        )
        self.export_buckets = (
            TokenBuckets(rate_per_s=EXPORTS_PER_MIN / 60, burst=EXPORTS_PER_MIN)
            if settings.rate_limit_enabled
            else None
        )

    def endpoint(self, operation: Operation) -> Endpoint:
        if operation.permission is PUBLIC:
            return self._public_endpoint(operation)
        permission = operation.permission
        bytes_max = self._bytes_max[operation.batch]

        async def endpoint(request: web.Request) -> web.StreamResponse:
            refuse_repeated_headers(request)
            principal = self._authentication.principal(request.headers.get("Authorization"))
            self._limit_rate(operation, principal)
            began_s = time.monotonic()
            body = await read_body(request, bytes_max, self._least_rate)
            if not operation.sells:
                return await admitted(request, principal, body, began_s)
            # Only now: a client that sends slowly takes no place.
            turnstile = self._turnstiles.of(principal.banca_id)
            if not turnstile.enter_at_once() and not await turnstile.wait():
                return problem_response(FULL, request_id=request[REQUEST_ID])
            try:
                return await admitted(request, principal, body, began_s)
            finally:
                turnstile.leave()

        async def admitted(
            request: web.Request, principal: Principal, body: bytes, began_s: float
        ) -> web.StreamResponse:
            key = request.headers.get("Idempotency-Key")
            signer = None
            if operation.signed:
                # A large body on a slow line takes longer than its timestamp is good for.
                age_s = time.monotonic() - began_s
                signer = await self._signatures().signer(request, principal, body, key, age_s=age_s)
            scope = scope_of(permission, principal.role)
            if scope is None:
                raise refuse(403, "FORBIDDEN", f"A user of role {principal.role} may not do this.")
            banca_id = await self._authorise(operation, request, principal, signer)
            if operation.read_in_steps is None:
                arguments = read_arguments(operation, request, body)
            else:
                arguments = await read_long_arguments(operation, request, body)
            require_key(operation.key, key)
            require_condition(operation, request, arguments)
            context = RequestContext(
                self._app, request, request[REQUEST_ID], principal, scope, banca_id, body, key, signer
            )
            if operation.may_lag:
                return answer(operation, request, await self._readings().answer(operation, context, arguments))
            return answer(operation, request, await operation.handler(context, *arguments))

        return endpoint

    def _public_endpoint(self, operation: Operation) -> Endpoint:
        bytes_max = self._bytes_max[operation.batch]

        async def endpoint(request: web.Request) -> web.StreamResponse:
            refuse_repeated_headers(request)
            body = await read_body(request, bytes_max, self._least_rate)
            arguments = read_arguments(operation, request, body)
            require_condition(operation, request, arguments)
            context = PublicContext(self._app, request, request[REQUEST_ID])
            return answer(operation, request, await operation.handler(context, *arguments))

        return endpoint

    def _limit_rate(self, operation: Operation, principal: Principal) -> None:
        if operation.ticket_rate and principal.rate_limited and self.ticket_buckets is not None:
            self.ticket_buckets.require(principal.user_id)
        if operation.export_rate and self.export_buckets is not None:
            self.export_buckets.require(principal.user_id)

    async def _authorise(
        self, operation: Operation, request: web.Request, principal: Principal, signer: Signer | None
    ) -> UUID | None:
        if not operation.signed:
            await self._sessions().require_live(principal)
        banca_id = await self._active_banca(request, principal)
        if banca_id is None and operation.tenant:
            raise refuse(400, "BANCA_CONTEXT_REQUIRED", "Name the banca to work in: X-Active-Banca-Id.")
        if signer is not None and not may_use(signer, principal, banca_id):
            raise refuse(403, "TERMINAL_MISMATCH", "The terminal belongs to somebody else.")
        return banca_id

    async def _active_banca(self, request: web.Request, principal: Principal) -> UUID | None:
        """The tenant. VENTANA and VENDEDOR have theirs, whatever they send; the others may choose."""
        if principal.role in (Role.VENTANA, Role.VENDEDOR):
            return principal.banca_id
        chosen = request.headers.get("X-Active-Banca-Id")
        if chosen is None:
            return principal.banca_id
        try:
            banca_id = UUID(chosen)
        except ValueError:
            raise refuse(404, "BANCA_NOT_FOUND", "There is no such banca.") from None
        if not await self._sessions().may_work_in(principal, banca_id):
            raise refuse(404, "BANCA_NOT_FOUND", "There is no such banca.")
        return banca_id


def may_use(signer: Signer, principal: Principal, banca_id: UUID | None) -> bool:
    """Whether the terminal is the user's: of its banca, its ventana, and nobody else's."""
    if signer.banca_id != banca_id:
        return False
    match principal.role:
        case Role.VENDEDOR:
            return signer.ventana_id == principal.ventana_id and signer.vendedor_id in (None, principal.user_id)
        case Role.VENTANA:
            return signer.ventana_id == principal.ventana_id
        case Role.ADMIN | Role.BANCA:
            return True


def refuse_repeated_headers(request: web.Request) -> None:
    headers = request.raw_headers
    # No name has a line end in it.
    names = b"\n".join([name for name, _ in headers]).lower().split(b"\n")
    if len(set(names)) == len(names):
        return
    seen = set()
    for name, _ in headers:
        lowered = name.lower()
        if lowered in _SINGLE_HEADERS:
            if lowered in seen:
                raise refuse(400, "DUPLICATE_HEADER", f"The header {lowered.decode()} may be sent once.")
            seen.add(lowered)


def require_key(rule: Key, key: str | None) -> None:
    if rule is Key.NONE:
        return
    if key is None:
        if rule is Key.REQUIRED:
            raise refuse(400, "IDEMPOTENCY_KEY_REQUIRED", "Send an Idempotency-Key: 8–100 visible ASCII characters.")
        return
    if not (KEY_LENGTH_MIN <= len(key) <= KEY_LENGTH_MAX and _VISIBLE.issuperset(key)):
        raise refuse(400, "IDEMPOTENCY_KEY_INVALID", "The Idempotency-Key must be 8–100 visible ASCII characters.")


def require_condition(operation: Operation, request: web.Request, arguments: tuple[Any, ...]) -> None:
    """What the request's If-Match comes to before its handler. A read that is tagged is compared when it is answered."""
    if operation.whole_fields or operation.if_match is IfMatch.REQUIRED or "If-Match" in request.headers:
        replaces_whole = bool(operation.whole_fields) and not operation.whole_fields.isdisjoint(
            arguments[0].model_fields_set
        )
        rule = IfMatch.OPTIONAL if operation.tagged and operation.method == "GET" else operation.if_match
        refuse_condition(rule, request, replaces_whole=replaces_whole)


def answer(operation: Operation, request: web.Request, value: Answer) -> web.StreamResponse:
    """A model becomes JSON with the operation's success status; None becomes 204."""
    if isinstance(value, web.StreamResponse):
        return value
    if isinstance(value, BaseModel):
        headers = {"ETag": tag_of(value)} if operation.tagged else None
        if headers is not None and operation.method == "GET":
            is_known = is_unchanged(request, headers["ETag"])
            # Of what shows more than its tag stands for, there is no "not modified".
            if is_known and 304 in operation.responses:
                return web.Response(status=304, headers=headers)
        body = value.__pydantic_serializer__.to_json(value, by_alias=True)
        return web.Response(
            body=body, status=operation.success_status, content_type="application/json", headers=headers
        )
    return web.Response(status=204)
