"""The terminal's signature over a request's raw bytes, judged before anything is parsed."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from aiohttp import web

from api.authentication import Principal
from api.problems import ProblemError, refuse
from api.terminals import REFUSING_FACTS_AGE_MAX_S, Signer, Terminal, Terminals
from core.security.signature import SignatureFault, canonical_request, is_signed_by, judge_timestamp, read_signature

# Terminals' ids as they are sent, read once each; when it is full it starts anew.
IDS_MAX = 50_000

_DETAILS = {
    SignatureFault.SIGNATURE_REQUIRED: "Sign the request: X-Terminal, X-Timestamp and X-Signature.",
    SignatureFault.SIGNATURE_MALFORMED: "X-Signature must read v1=<64 lowercase hexadecimal digits>.",
    SignatureFault.SIGNATURE_INVALID: "The signature does not fit the request.",
    SignatureFault.TIMESTAMP_INVALID: "X-Timestamp must be Unix seconds, digits only.",
    SignatureFault.TIMESTAMP_OUT_OF_WINDOW: "X-Timestamp is too far from the server's time.",
}

_SCHEME_AND_HOST = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")


class Signatures:
    def __init__(self, terminals: Terminals, *, window_s: int, clock: Callable[[], float] = time.time) -> None:
        self._terminals = terminals
        self._window_s = window_s
        self._clock = clock
        self._ids: dict[str, UUID] = {}

    async def signer(
        self, request: web.Request, principal: Principal, body: bytes, key: str | None, *, age_s: float = 0.0
    ) -> Signer:
        """Who signed the request. age_s: how long ago its head arrived, which its timestamp is compared with.

        Raises ProblemError: a SignatureFault, TERMINAL_UNKNOWN (401), TERMINAL_DISABLED, TERMINAL_MISMATCH (403).
        """
        headers = request.headers
        terminal, timestamp = headers.get("X-Terminal"), headers.get("X-Timestamp")
        signature = headers.get("X-Signature")
        if terminal is None or timestamp is None or signature is None:
            raise _fault(SignatureFault.SIGNATURE_REQUIRED)
        digest = read_signature(signature)
        if isinstance(digest, SignatureFault):
            raise _fault(digest)
        now_s = self._clock()
        if fault := judge_timestamp(timestamp, now_s=now_s - age_s, window_s=self._window_s):
            raise _fault(fault)
        terminal_id = self._ids.get(terminal) or self._read_id(terminal)
        if principal.terminal_id is not None and principal.terminal_id != terminal_id:
            raise refuse(403, "TERMINAL_MISMATCH", "The token belongs to another terminal.")
        canonical = canonical_request(
            terminal=terminal,
            timestamp=timestamp,
            method=request.method,
            target=origin_form(request.raw_path),
            idempotency_key=key,
            body=body,
        )
        return await self._judge(terminal_id, canonical, digest, now_s)

    def _read_id(self, text: str) -> UUID:
        """The usual 36 characters; UUID() alone would take braces, prefixes and missing hyphens as well."""
        try:
            terminal_id = UUID(text)
        except ValueError:
            terminal_id = None
        if terminal_id is None or str(terminal_id) != text.lower():
            raise refuse(401, "TERMINAL_UNKNOWN", "X-Terminal must be the terminal's id.")
        if len(self._ids) >= IDS_MAX:
            self._ids.clear()
        self._ids[text] = terminal_id
        return terminal_id

    async def _judge(self, terminal_id: UUID, canonical: bytes, digest: bytes, now_s: float) -> Signer:
        terminal = self._terminals.known(terminal_id) or await self._terminals.find(terminal_id)
        verdict = judge(terminal, canonical, digest, now_s=now_s)
        if isinstance(verdict, ProblemError) and self._terminals.age_s(terminal_id) > REFUSING_FACTS_AGE_MAX_S:
            # The terminal may have got a new key, or been enabled, since we looked.
            terminal = await self._terminals.find(terminal_id, max_age_s=REFUSING_FACTS_AGE_MAX_S)
            verdict = judge(terminal, canonical, digest, now_s=now_s)
        if isinstance(verdict, ProblemError):
            raise verdict
        return verdict


def origin_form(target: str) -> str:
    """Path and query of a request target, as they were sent: what is signed of it.

    Clients that take the API for a proxy, and some proxies, send the absolute form, which every server must accept
    (RFC 9112, 3.2.2): POST http://host/api/v1/tickets.
    """
    if target.startswith("/"):
        return target
    written = _SCHEME_AND_HOST.match(target)
    if written is None:
        return target
    rest = target[written.end() :]
    return rest if rest.startswith("/") else f"/{rest}"


def judge(terminal: Terminal | None, canonical: bytes, digest: bytes, *, now_s: float) -> Signer | ProblemError:
    if terminal is None:
        return refuse(401, "TERMINAL_UNKNOWN", "There is no such terminal.")
    for key in terminal.keys:
        is_over = key.valid_until is not None and key.valid_until <= datetime.fromtimestamp(now_s, UTC)
        if not is_over and is_signed_by(key.secret, canonical, digest):
            break
    else:
        return _fault(SignatureFault.SIGNATURE_INVALID)
    if not terminal.is_active:
        return refuse(403, "TERMINAL_DISABLED", "The terminal is disabled.")
    return key.signer


def _fault(fault: SignatureFault) -> ProblemError:
    return refuse(401, fault.value, _DETAILS[fault])
