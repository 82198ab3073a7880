"""A POS terminal over HTTP: logs in, signs what it sends, and asks again with the same key when the answer was lost."""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import orjson

from cli.trouble import Trouble
from core.security.signature import canonical_request, sign

# Longer than the API itself waits for its database.
REQUEST_TIMEOUT_S = 15.0
TRIES_MAX = 5
WAIT_MIN_S = 0.2
WAIT_MAX_S = 2.0
ANSWER_BYTES_MAX = 10_000_000


class NoAnswer(Trouble):
    """The API could not be reached, or its answer was lost."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    document: dict[str, Any]

    @property
    def is_ok(self) -> bool:
        return self.status < HTTPStatus.BAD_REQUEST

    @property
    def wait_s(self) -> float:
        """How long to wait before asking again."""
        asked = self.headers.get("retry-after", "")
        return min(float(asked), WAIT_MAX_S) if asked.isdigit() else WAIT_MIN_S


@dataclass(slots=True)
class Pos:
    """secret: the terminal's, as text. token: none until somebody logged in."""

    api_url: str
    terminal_id: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)

    def log_in(self, *, username: str, password: str) -> None:
        """As a user of this terminal. Raises Trouble when the user may not."""
        document = {"username": username, "password": password, "terminalId": self.terminal_id}
        answer = self._again("POST", "/api/v1/auth/login", orjson.dumps(document))
        if not answer.is_ok:
            raise Trouble(f"{username} cannot log in: {answer.document.get('detail', answer.status)}")
        self.token = answer.document["accessToken"]

    def get(self, target: str) -> Answer:
        return self._again("GET", target)

    def ask(self, method: str, target: str, document: object = None) -> Answer:
        """A request that needs no signature and moves no money; it may be sent more than once."""
        return self._again(method, target, b"" if document is None else orjson.dumps(document))

    def post(self, target: str, document: object, *, key: str) -> Answer:
        """A signed request that moves money. Whatever happens on the way, the key makes it happen once.

        Raises NoAnswer: whether it was done is known only to who sends the same key again.
        """
        return self._again("POST", target, orjson.dumps(document), key=key)

    def _again(self, method: str, target: str, body: bytes = b"", *, key: str | None = None) -> Answer:
        """Ask until there is an answer other than 503, TRIES_MAX times; then what the last time brought."""
        for attempt in range(1, TRIES_MAX + 1):
            wait_s = WAIT_MIN_S * attempt
            try:
                answer = self._send(method, target, body, key)
            except (OSError, http.client.HTTPException) as error:
                if attempt == TRIES_MAX:
                    raise NoAnswer(f"no answer from {self.api_url} ({type(error).__name__}: {error})") from error
            else:
                if answer.status != HTTPStatus.SERVICE_UNAVAILABLE or attempt == TRIES_MAX:
                    return answer
                wait_s = max(wait_s, answer.wait_s)
            time.sleep(wait_s)
        raise AssertionError("the last attempt returns or raises")

    def _send(self, method: str, target: str, body: bytes, key: str | None) -> Answer:
        parts = urlsplit(self.api_url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=REQUEST_TIMEOUT_S)
        try:
            connection.request(method, target, body or None, self._headers(method, target, body, key))
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, headers, read_object(response.read(ANSWER_BYTES_MAX)))
        finally:
            connection.close()

    def _headers(self, method: str, target: str, body: bytes, key: str | None) -> dict[str, str]:
        headers = {"Content-Type": "application/json"} if body else {}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        if key is None:
            return headers
        # Signed anew at each attempt: the time is part of what is signed.
        timestamp = str(int(time.time()))
        canonical = canonical_request(
            terminal=self.terminal_id, timestamp=timestamp, method=method, target=target, idempotency_key=key, body=body
        )
        signed = {"X-Terminal": self.terminal_id, "X-Timestamp": timestamp, "X-Signature": sign(self.secret, canonical)}
        return {**headers, **signed, "Idempotency-Key": key}


def read_object(body: bytes) -> dict[str, Any]:
    """Raises Trouble: what answered is not our API."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        raise Trouble("what answered there is not the API: no JSON object")
    return document
