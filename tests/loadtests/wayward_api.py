"""An API that remembers keys as ours does, and that can be told to misbehave: a real server, for one terminal."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self
from uuid import uuid4

import orjson
from aiohttp import web

from core.security.signature import canonical_request, is_signed_by, read_signature
from loadtests.session import Credentials

SECRET = "5ec4e7" * 8
VENDEDOR_ID, TERMINAL_ID = "0f7c2a52-0000-4000-8000-000000000001", "0f7c2a52-0000-4000-8000-000000000002"
SELLER = Credentials(VENDEDOR_ID, "ana", TERMINAL_ID, "pass", SECRET, "token-0")


@dataclass(frozen=True)
class Attempt:
    at_s: float
    path: str
    key: str | None
    body: bytes
    token: str


class WaywardApi:
    """async with WaywardApi(["drop after", "503 TILL_FULL"]): each ticket request takes the next behaviour; then all is well.

    "drop before" and "drop after" it is done; "503 CODE"; "429 SECONDS"; "502", from a proxy; "expired", the token is;
    "some 503": every second ticket of a batch.
    """

    def __init__(self, behaviours: Iterable[str] = ()) -> None:
        self.behaviours = deque(behaviours)
        self.attempts: list[Attempt] = []
        self.sold: dict[str, dict[str, Any]] = {}
        self.bodies: dict[str, Any] = {}
        self.tokens, self.logins, self.refreshes = {"token-0"}, 0, 0
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/api/v1/auth/login", self._log_in)
        app.router.add_post("/api/v1/auth/refresh", self._refresh)
        app.router.add_post("/api/v1/tickets", self._sell)
        app.router.add_post("/api/v1/tickets/batch", self._sell_batch)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def keys(self) -> list[str | None]:
        return [attempt.key for attempt in self.attempts]

    async def _sell(self, request: web.Request) -> web.StreamResponse:
        body, behaviour = await self._received(request)
        if isinstance(behaviour, web.Response):
            return behaviour
        key = request.headers["Idempotency-Key"]
        replayed, ticket = self._record(key, orjson.loads(body))
        if behaviour == "drop after":
            return await dropped(request)
        return web.json_response(ticket, status=201, headers={"Idempotent-Replayed": "true"} if replayed else {})

    async def _sell_batch(self, request: web.Request) -> web.StreamResponse:
        body, behaviour = await self._received(request)
        if isinstance(behaviour, web.Response):
            return behaviour
        results = []
        for place, sent in enumerate(orjson.loads(body)["tickets"]):
            key = sent.pop("idempotencyKey")
            if behaviour == "some 503" and place % 2:
                problem = {"code": "TILL_FULL"}
                results.append({"idempotencyKey": key, "status": 503, "replayed": False, "problem": problem})
                continue
            replayed, ticket = self._record(key, sent)
            results.append({"idempotencyKey": key, "status": 201, "replayed": replayed, "ticket": ticket})
        if behaviour == "drop after":
            return await dropped(request)
        return web.json_response({"results": results})

    async def _received(self, request: web.Request) -> tuple[bytes, str | web.Response]:
        """What is left to misbehave, or the answer at once. Only an honest signature gets so far."""
        body, token = await request.read(), request.headers["Authorization"].removeprefix("Bearer ")
        key = request.headers.get("Idempotency-Key")
        assert is_signed(request.headers, request.path, body)
        self.attempts.append(Attempt(time.monotonic(), request.path, key, body, token))
        behaviour = self.behaviours.popleft() if self.behaviours else ""
        if behaviour == "expired":
            self.tokens.discard(token)
        if token not in self.tokens:
            return body, web.json_response({"code": "TOKEN_EXPIRED"}, status=401)
        match behaviour.split():
            case ["drop", "before"]:
                await dropped(request)
            case ["503", code]:
                return body, web.json_response({"code": code}, status=503)
            case ["429", seconds]:
                return body, web.json_response({"code": "RATE_LIMITED"}, status=429, headers={"Retry-After": seconds})
            case ["502"]:
                return body, web.Response(text="Bad gateway", status=502)
            case ["409", code]:
                return body, web.json_response({"code": code}, status=409)
        return body, behaviour

    def _record(self, key: str, ticket: Any) -> tuple[bool, dict[str, Any]]:
        """Whether it was there already, and the ticket. One key, one content."""
        replayed = key in self.sold
        assert self.bodies.setdefault(key, ticket) == ticket
        return replayed, self.sold.setdefault(key, {"id": str(uuid4()), "jugadas": ticket["jugadas"]})

    async def _log_in(self, request: web.Request) -> web.StreamResponse:
        self.logins += 1
        assert (await request.json())["terminalId"] == SELLER.terminal_id
        return self._tokens(f"token-login-{self.logins}")

    async def _refresh(self, request: web.Request) -> web.StreamResponse:
        self.refreshes += 1
        assert (await request.json())["refreshToken"].startswith("refresh of token-")
        return self._tokens(f"token-refresh-{self.refreshes}")

    def _tokens(self, token: str) -> web.Response:
        self.tokens.add(token)
        return web.json_response({"accessToken": token, "refreshToken": f"refresh of {token}", "expiresIn": 900})


def is_signed(headers: Mapping[str, str], target: str, body: bytes) -> bool:
    signature = read_signature(headers["X-Signature"])
    canonical = canonical_request(
        terminal=SELLER.terminal_id, timestamp=headers["X-Timestamp"], method="POST", target=target,
        idempotency_key=headers.get("Idempotency-Key"), body=body,
    )  # fmt: skip
    return isinstance(signature, bytes) and is_signed_by(SECRET.encode(), canonical, signature)


async def dropped(request: web.Request) -> web.Response:
    """The connection is gone, and no answer went over it."""
    assert request.transport is not None
    request.transport.abort()
    raise asyncio.CancelledError
