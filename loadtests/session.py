"""A seller's login on a terminal: the tokens, got, refreshed and got again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import orjson

from loadtests.wire import Answer, Request, Wire

LOGIN_PATH = "/api/v1/auth/login"
REFRESH_PATH = "/api/v1/auth/refresh"
# A token that would expire on its way is refreshed before.
REFRESH_BEFORE_S = 30.0
# The session lives, its token does not.
REFRESHED_AFTER = frozenset({"TOKEN_EXPIRED", "TOKEN_STALE"})
LOGGED_IN_AFTER = frozenset({"AUTHENTICATION_REQUIRED", "TOKEN_INVALID", "SESSION_REVOKED"})


@dataclass(frozen=True, slots=True)
class Credentials:
    """token: one that was got before; without it the POS logs in at its first request."""

    vendedor_id: str
    username: str
    terminal_id: str
    password: str = field(repr=False)
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, seller: Mapping[str, str], *, logs_in: bool) -> Self:
        """A seller as `./banca demo --json` describes her."""
        return cls(
            vendedor_id=seller["vendedorId"],
            username=seller["username"],
            terminal_id=seller["terminalId"],
            password=seller["password"],
            secret=seller["secret"],
            token=None if logs_in else seller["token"],
        )


@dataclass(slots=True)
class Session:
    credentials: Credentials
    wire: Wire
    _access: str | None = field(init=False, repr=False)
    _refresh: str | None = field(default=None, init=False, repr=False)
    _refresh_at_s: float = field(default=float("inf"), init=False)

    def __post_init__(self) -> None:
        self._access = self.credentials.token

    def authorised(self, make: Callable[[dict[str, str]], Request]) -> Answer:
        """Send what `make` makes of the authorization; once more with new tokens where they were the trouble.

        The answer to a login or a refresh that failed is the answer. Raises ConnectionLost.
        """
        if failed := self._ensure():
            return failed
        answer = self._send(make)
        if answer.code in REFRESHED_AFTER:
            failed = self.refresh()
        elif answer.code in LOGGED_IN_AFTER:
            failed = self.log_in()
        else:
            return answer
        return failed or self._send(make)

    def log_in(self) -> Answer | None:
        """None when it worked, else the answer. Raises ConnectionLost."""
        own = self.credentials
        document = {"username": own.username, "password": own.password, "terminalId": own.terminal_id}
        return self._obtain("login", LOGIN_PATH, document)

    def refresh(self) -> Answer | None:
        """None when it worked, by logging in where there is no refresh token or it is over. Raises ConnectionLost."""
        if self._refresh is None:
            return self.log_in()
        failed = self._obtain("refresh", REFRESH_PATH, {"refreshToken": self._refresh})
        if failed is None or failed.status not in (401, 403):
            return failed
        self._refresh = None
        return self.log_in()

    def _ensure(self) -> Answer | None:
        if self._access is None:
            return self.log_in()
        return self.refresh() if time.monotonic() >= self._refresh_at_s else None

    def _send(self, make: Callable[[dict[str, str]], Request]) -> Answer:
        return self.wire.send(make({"Authorization": f"Bearer {self._access}"}))

    def _obtain(self, name: str, path: str, document: Mapping[str, Any]) -> Answer | None:
        body = orjson.dumps(document)
        answer = self.wire.send(Request(name, "POST", path, {"Content-Type": "application/json"}, body))
        if not answer.is_ok:
            return answer
        self._access, self._refresh = answer.document["accessToken"], answer.document["refreshToken"]
        self._refresh_at_s = time.monotonic() + answer.document["expiresIn"] - REFRESH_BEFORE_S
        return None
