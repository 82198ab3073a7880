"""The POS's wire in a fault round: keeps what was answered, and now and then its POS vanishes in the middle."""

from __future__ import annotations

import http.client
import random
import socket
import struct
from urllib.parse import urlsplit

from loadtests.faults.answers import Answers
from loadtests.wire import Answer, ConnectionLost, Request, read_answer

# Longer than the API waits for its database in a round, shorter than a round.
ANSWER_TIMEOUT_S = 6.0
RESET_AT_ONCE = struct.pack("ii", 1, 0)


class WatchedWire:
    """A connection per request. vanish_odds: how often the POS is gone before the answer."""

    def __init__(self, api_url: str, seller: str, answers: Answers, seed: str) -> None:
        parts = urlsplit(api_url)
        self._host, self._port = parts.hostname or "", parts.port
        self._seller, self._answers = seller, answers
        # Also her POS's: what she does and what befalls her is of one seed.
        self.chance = random.Random(f"pos {seed}")  # noqa: S311 - a workload, not a secret
        self.vanish_odds = 0.0

    def send(self, request: Request) -> Answer:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=ANSWER_TIMEOUT_S)
        try:
            return self._exchange(connection, request)
        finally:
            connection.close()

    def _exchange(self, connection: http.client.HTTPConnection, request: Request) -> Answer:
        try:
            connection.connect()
        except OSError as error:
            raise ConnectionLost(repr(error), was_sent=False) from error
        try:
            if self.chance.random() < self.vanish_odds:
                self._vanish(connection, request)
            connection.request(request.method, request.target, request.body or None, dict(request.headers))
            response = connection.getresponse()
            # Told how much to read, it would take an answer that broke off for a whole one.
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._answers.note_lost()
            raise ConnectionLost(repr(error), was_sent=True) from error
        headers = dict(response.getheaders())
        self._answers.note(self._seller, request, (response.status, body), response.headers.get("Retry-After"))
        return read_answer(response.status, headers, body)

    def _vanish(self, connection: http.client.HTTPConnection, request: Request) -> None:
        """In the middle of the request, or right behind it."""
        sent = request.body if self.chance.random() < 0.5 else request.body[: len(request.body) // 2]
        headers = {**request.headers, "Content-Length": str(len(request.body))}
        connection.request(request.method, request.target, sent, headers)
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_ONCE)
        self._answers.note_lost()
        raise ConnectionLost("the POS has vanished", was_sent=True)
