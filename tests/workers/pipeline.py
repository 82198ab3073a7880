"""What the tests of the pipeline do with it: write events, run relay and worker, look at what came of it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import dramatiq
import orjson
from dramatiq.middleware import AsyncIO, Middleware, Retries

from core.audit_chain import ChainReport, verify_chain
from core.database import Database
from core.settings import Settings
from workers.audit import declare_audit
from workers.broker import ParkingRedisBroker, create_broker
from workers.consumers import AUDIT, CONSUMERS, queue_name
from workers.relay import Relay
from workers.transport import Transport, create_transport
from workers.worker import WorkerConnections, serve

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 30.0
POLL_S = 0.02


async def eventually[T](check: Callable[[], Awaitable[T]], *, deadline_s: float = DEADLINE_S) -> T:
    """The check's first true answer. Raises AssertionError with its last one at the deadline."""
    ends_s = time.monotonic() + deadline_s
    while True:
        answer = await check()
        if answer:
            return answer
        assert time.monotonic() < ends_s, f"still {answer!r} after {deadline_s} s"
        await asyncio.sleep(POLL_S)
