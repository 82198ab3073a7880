"""A terminal's signature over a request, as bytes on the wire; no sockets, no clock.

canonical = "v1" LF terminal LF timestamp LF METHOD LF path-with-query LF idempotency-key LF hex(SHA-256(body))
X-Signature: v1=hex(HMAC-SHA256(secret as UTF-8 text, canonical))
"""

from __future__ import annotations

import hashlib
import hmac
import re
from enum import StrEnum

VERSION = "v1"
_PREFIX = f"{VERSION}="
_SIGNATURE = re.compile(r"v1=[0-9a-f]{64}")
# Unix seconds have 10 digits until the year 2286.
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


class SignatureFault(StrEnum):
    SIGNATURE_REQUIRED = "SIGNATURE_REQUIRED"
    SIGNATURE_MALFORMED = "SIGNATURE_MALFORMED"
    SIGNATURE_INVALID = "SIGNATURE_INVALID"
    TIMESTAMP_INVALID = "TIMESTAMP_INVALID"
    TIMESTAMP_OUT_OF_WINDOW = "TIMESTAMP_OUT_OF_WINDOW"


def canonical_request(
    *, terminal: str, timestamp: str, method: str, target: str, idempotency_key: str | None, body: bytes
) -> bytes:
    """What is signed. terminal, timestamp and target (path with query) exactly as they were sent."""
    digest = hashlib.sha256(body).hexdigest()
    key = idempotency_key or ""
    # surrogateescape: aiohttp decodes stray bytes of a header so, and they must come out as they were sent.
    return f"{VERSION}\n{terminal}\n{timestamp}\n{method}\n{target}\n{key}\n{digest}".encode("utf-8", "surrogateescape")


def sign(secret: str, canonical: bytes) -> str:
    """The value of X-Signature."""
    return _PREFIX + hmac.digest(secret.encode(), canonical, "sha256").hex()


def read_signature(header: str) -> bytes | SignatureFault:
    """The 32 bytes of "v1=<64 lowercase hex digits>"."""
    if not _SIGNATURE.fullmatch(header):
        return SignatureFault.SIGNATURE_MALFORMED
    return bytes.fromhex(header[len(_PREFIX) :])


def judge_timestamp(header: str, *, now_s: float, window_s: int) -> SignatureFault | None:
    """Unix seconds, ASCII digits only, at most window_s away from now."""
    if not _TIMESTAMP.fullmatch(header):
        return SignatureFault.TIMESTAMP_INVALID
    if abs(now_s - int(header)) > window_s:
        return SignatureFault.TIMESTAMP_OUT_OF_WINDOW
    return None


def is_signed_by(secret: bytes, canonical: bytes, signature: bytes) -> bool:
    """In constant time."""
    return hmac.compare_digest(hmac.digest(secret, canonical, "sha256"), signature)
