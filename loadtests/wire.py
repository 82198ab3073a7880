"""How a POS reaches the API: a request out, an answer back, or the word that the answer was lost."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import urlsplit

import orjson

# Longer than the API itself waits for its database.
ANSWER_TIMEOUT_S = 15.0
ANSWER_BYTES_MAX = 10_000_000


class ConnectionLost(Exception):  # noqa: N818 - it names what happened, as the callers speak of it
    """No answer. was_sent: the request may have arrived; else there was not even a connection."""

    def __init__(self, reason: str, *, was_sent: bool) -> None:
        super().__init__(reason)
        self.was_sent = was_sent


@dataclass(frozen=True, slots=True)
class Request:
    """name: what it is counted under."""

    name: str
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """retry_after_s: None when the API named no wait. code: of its problem, empty when there is none."""

    status: int
    document: Mapping[str, Any]
    retry_after_s: float | None = None
    is_replayed: bool = False

    @property
    def code(self) -> str:
        return str(self.document.get("code", ""))

    @property
    def is_ok(self) -> bool:
        return HTTPStatus.OK <= self.status < HTTPStatus.BAD_REQUEST


class Wire(Protocol):
    def send(self, request: Request) -> Answer:
        """Raises ConnectionLost."""


class PlainWire:
    """A connection per request, with the standard library: for whoever is not a Locust user."""

    def __init__(self, api_url: str, *, timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        parts = urlsplit(api_url)
        self._host, self._port, self._timeout_s = parts.hostname or "", parts.port, timeout_s

    def send(self, request: Request) -> Answer:
        with closing(http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)) as connection:
            try:
                connection.connect()
            except OSError as error:
                raise ConnectionLost(repr(error), was_sent=False) from error
            try:
                response, body = self.exchange(connection, request)
            except (OSError, http.client.HTTPException) as error:
                raise ConnectionLost(repr(error), was_sent=True) from error
        return read_answer(response.status, dict(response.getheaders()), body)

    def exchange(
        self, connection: http.client.HTTPConnection, request: Request
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """The answer and its whole body. Raises OSError and http.client.HTTPException when none came."""
        connection.request(request.method, request.target, request.body or None, dict(request.headers))
        response = connection.getresponse()
        body = response.read(ANSWER_BYTES_MAX)
        if response.length:
            # Told how much to read, it takes an answer that broke off for a whole one.
            raise http.client.IncompleteRead(body, response.length)
        return response, body


def read_answer(status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    """What is no JSON object, as from a proxy in between, has an empty document."""
    known = {name.lower(): value for name, value in headers.items()}
    asked = known.get("retry-after", "")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = {}
    return Answer(
        status,
        document if isinstance(document, dict) else {},
        float(asked) if asked.isdigit() else None,
        known.get("idempotent-replayed") == "true",
    )
