"""The POS's wire in a fault round: keeps what was answered, and now and then its POS vanishes in the middle."""

from __future__ import annotations

import http.client
import random
import socket

from loadtests.faults.answers import Answers
from loadtests.faults.proxy import RESET_AT_ONCE
from loadtests.wire import PlainWire, Request

# Longer than the API waits for its database in a round, shorter than a round.
ANSWER_TIMEOUT_S = 6.0


class WatchedWire(PlainWire):
    """vanish_odds: how often the POS is gone before the answer."""

    def __init__(self, api_url: str, seller: str, answers: Answers, seed: str) -> None:
        super().__init__(api_url, timeout_s=ANSWER_TIMEOUT_S)
        self._seller, self._answers = seller, answers
        # Also her POS's: what she does and what befalls her is of one seed.
        self.chance = random.Random(f"pos {seed}")
        self.vanish_odds = 0.0

    def exchange(
        self, connection: http.client.HTTPConnection, request: Request
    ) -> tuple[http.client.HTTPResponse, bytes]:
        try:
            if self.chance.random() < self.vanish_odds:
                self._vanish(connection, request)
            response, body = super().exchange(connection, request)
        except (OSError, http.client.HTTPException):
            self._answers.note_lost()
            raise
        self._answers.note(self._seller, request, (response.status, body), response.headers.get("Retry-After"))
        return response, body

    def _vanish(self, connection: http.client.HTTPConnection, request: Request) -> None:
        """In the middle of the request, or right behind it. Raises ConnectionAbortedError."""
        sent = request.body if self.chance.random() < 0.5 else request.body[: len(request.body) // 2]
        headers = {**request.headers, "Content-Length": str(len(request.body))}
        connection.request(request.method, request.target, sent, headers)
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_ONCE)
        raise ConnectionAbortedError("the POS has vanished")
