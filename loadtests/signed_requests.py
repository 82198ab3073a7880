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
    """key: of the ticket, or of nothing for a batch, whose keys are in its body. tickets: how many it asks for."""

    wire: bytes
    keys: tuple[str, ...]
    tickets: int


@dataclass(frozen=True, slots=True)
class Workload:
    """A demo document (./banca demo --json) and how its sellers play: 1–5 jugadas, numbers uniform over 100."""

    demo: Mapping[str, Any]
    jugadas_max: int = 5
    numbers: int = 100

    @property
    def host(self) -> str:
        return urlsplit(str(self.demo["apiUrl"])).netloc

    def sales(self, count: int) -> list[SignedRequest]:
        """Single-ticket requests, spread over sellers and draws."""
        return [self._sale(number) for number in range(count)]

    def batches(self, count: int, *, tickets: int) -> list[SignedRequest]:
        """Batch requests of so many tickets each."""
        return [self._batch(number, tickets) for number in range(count)]

    def _sale(self, number: int) -> SignedRequest:
        key = secrets.token_hex(12)
        body = orjson.dumps(self._ticket(number))
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
        lines = random.randint(1, self.jugadas_max)  # noqa: S311 - a workload, not a secret
        return {
            "sorteoId": draws[number % len(draws)],
            "jugadas": [self._jugada() for _ in range(lines)],
        }

    def _jugada(self) -> dict[str, Any]:
        return {
            "type": "NUMERO",
            "number": f"{random.randrange(self.numbers):02d}",  # noqa: S311 - a workload, not a secret
            "amount": f"{random.randint(1, 50) * 100}.00",  # noqa: S311 - a workload, not a secret
            "multiplierId": self.demo["multiplierId"],
        }

    def _wire(self, seller: Mapping[str, str], path: str, body: bytes, key: str) -> bytes:
        timestamp = str(int(time.time()))
        digest = hashlib.sha256(body).hexdigest()
        signed = "\n".join(("v1", seller["terminalId"], timestamp, "POST", path, key, digest)).encode()
        signature = hmac.new(seller["secret"].encode(), signed, "sha256").hexdigest()
        head = [
            f"POST {path} HTTP/1.1",
            f"Host: {self.host}",
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
