"""What names a request under its idempotency key: what it asks of which address, however it was spelled.

A ticket's is its own (core/domain/fingerprint.py), so that a single sale may be retried in a batch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson


def fingerprint_of(path: str, members: Mapping[str, Any]) -> bytes:
    """SHA-256 of a POST. path: after /api/v1, with its ids. members: as they were understood."""
    canonical = orjson.dumps(["POST", path, members], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).digest()
