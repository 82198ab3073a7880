"""Signed sales as bytes, made before the clock starts: what a generator sends must cost it nothing."""

from __future__ import annotations

import hashlib
import hmac
import random
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

SALE_PATH = "/api/v1/tickets"
BATCH_PATH = "/api/v1/tickets/batch"


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """keys: of the tickets that it asks for, as many as tickets."""

    wire: bytes
    keys: tuple[str, ...]
    tickets: int


@dataclass(frozen=True, slots=True)
class Workload:
    """A demo document (./banca demo --json) and how its sellers play: 1–5 jugadas, numbers uniform over 100.

    numbers: those below it are played. sold_out: numbers that one ticket in so many (sold_out_share) plays as well.
    """

    demo: Mapping[str, Any]
    jugadas_max: int = 5
    numbers: int = 100
    sold_out: tuple[int, ...] = ()
    sold_out_share: float = 0.0

    @property
    def address(self) -> tuple[str, int]:
        url = urlsplit(str(self.demo["apiUrl"]))
        return url.hostname or "127.0.0.1", url.port or 80

    def sales(self, count: int) -> list[SignedRequest]:
        """Single-ticket requests, spread over sellers and draws."""
        return [self._sale(number) for number in range(count)]

    def batches(self, count: int, *, tickets: int) -> list[SignedRequest]:
        """Batch requests of so many tickets each."""
        return [self._batch(number, tickets) for number in range(count)]

    def exact(self, numbers: Sequence[int], *, cents: int) -> list[SignedRequest]:
        """One ticket of one jugada for each number, of exactly that amount."""
        [draw, *_] = self.demo["sorteoIds"]
        amount = f"{cents // 100}.{cents % 100:02d}"
        jugadas = [{"type": "NUMERO", "number": f"{number:02d}", "amount": amount} for number in numbers]
        return [self._signed(0, {"sorteoId": draw, "jugadas": [jugada]}) for jugada in jugadas]

    def _sale(self, number: int) -> SignedRequest:
        return self._signed(number, self._ticket(number))

    def _signed(self, number: int, ticket: Mapping[str, Any]) -> SignedRequest:
        key = secrets.token_hex(12)
        body = orjson.dumps(ticket)
        return SignedRequest(self._wire(self._seller(number), SALE_PATH, body, key), (key,), 1)

    def _batch(self, number: int, tickets: int) -> SignedRequest:
        keys = tuple(secrets.token_hex(12) for _ in range(tickets))
        body = orjson.dumps({"tickets": [{"idempotencyKey": key, **self._ticket(number)} for key in keys]})
        return SignedRequest(self._wire(self._seller(number), BATCH_PATH, body, ""), keys, tickets)

    def _seller(self, number: int) -> Mapping[str, str]:
        sellers: Sequence[Mapping[str, str]] = self.demo["sellers"]
        return sellers[number % len(sellers)]

    def _ticket(self, number: int) -> dict[str, Any]:
        draws: Sequence[str] = self.demo["sorteoIds"]
        lines = random.randint(1, self.jugadas_max)
        jugadas = [self._jugada(random.randrange(self.numbers)) for _ in range(lines)]
        if self.sold_out and random.random() < self.sold_out_share:
            jugadas[0] = self._jugada(random.choice(self.sold_out))
        return {"sorteoId": draws[number % len(draws)], "jugadas": jugadas}

    def _jugada(self, number: int) -> dict[str, Any]:
        return {
            "type": "NUMERO",
            "number": f"{number:02d}",
            "amount": f"{random.randint(1, 50) * 100}.00",
            "multiplierId": self.demo["multiplierId"],
        }

    def _wire(self, seller: Mapping[str, str], path: str, body: bytes, key: str) -> bytes:
        timestamp = str(int(time.time()))
        digest = hashlib.sha256(body).hexdigest()
        signed = "\n".join(("v1", seller["terminalId"], timestamp, "POST", path, key, digest)).encode()
        signature = hmac.new(seller["secret"].encode(), signed, "sha256").hexdigest()
        head = [
            f"POST {path} HTTP/1.1",
            f"Host: {urlsplit(str(self.demo['apiUrl'])).netloc}",
            f"Authorization: Bearer {seller['token']}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            f"X-Terminal: {seller['terminalId']}",
            f"X-Timestamp: {timestamp}",
            f"X-Signature: v1={signature}",
        ]
        if key:
            head.append(f"Idempotency-Key: {key}")
        return "\r\n".join(head).encode() + b"\r\n\r\n" + body
