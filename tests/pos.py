"""A POS: it signs what it sends, or whatever a test wants it to sign instead."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from typing import Any

from core.security.signature import canonical_request, sign
from tests.arena import Person, Seller, Terminal
from tests.running_api import Answer, RunningApi


def new_key() -> str:
    return f"key-{secrets.token_hex(8)}"


class Pos:
    def __init__(self, api: RunningApi, user: Person, terminal: Terminal | None = None) -> None:
        if terminal is None:
            assert isinstance(user, Seller), "only sellers come with a terminal"
            terminal = user.terminal
        self.api, self.user, self.terminal = api, user, terminal

    async def post(self, target: str, document: Any, *, key: str | None = None, **changes: Any) -> Answer:
        """A signed POST of a JSON document. changes: see signed_headers; key: None sends none."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        headers = self.signed_headers("POST", target, body, key=key, **changes)
        return await self.api.send("POST", target, body=body, headers=headers)

    async def get(self, target: str) -> Answer:
        return await self.api.get(target, token=self.user.token)

    def signed_headers(
        self,
        method: str,
        target: str,
        body: bytes,
        *,
        key: str | None = None,
        token: str | None = None,
        timestamp: str | None = None,
        secret: str | None = None,
        terminal: str | None = None,
        signs: Mapping[str, Any] | None = None,
    ) -> dict[str, str]:
        """Of an honest request, except for what is named. signs: parts of canonical_request that differ from what is sent."""
        sent: dict[str, Any] = {
            "terminal": str(self.terminal.id) if terminal is None else terminal,
            "timestamp": str(int(time.time())) if timestamp is None else timestamp,
            "method": method,
            "target": target,
            "idempotency_key": key,
            "body": body,
        }
        headers = {
            "Authorization": f"Bearer {token or self.user.token}",
            "Content-Type": "application/json",
            "X-Terminal": sent["terminal"],
            "X-Timestamp": sent["timestamp"],
            "X-Signature": sign(secret or self.terminal.secret, canonical_request(**{**sent, **(signs or {})})),
        }
        return headers if key is None else {**headers, "Idempotency-Key": key}
