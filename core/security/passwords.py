"""Passwords: argon2id, in threads of their own, with parameters that are sized for a morning when everybody logs in."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import secrets
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from core.settings import MEMORY_KIB, TIME_COST

SALT_BYTES, DIGEST_BYTES = 16, 32
_PARAMETERS = re.compile(r"\$argon2id\$v=19\$m=[0-9]+,t=[0-9]+,p=[0-9]+")
_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")


class PasswordsBusyError(Exception):
    """Too many passwords wait to be verified; nothing was decided. retry_after_s: when to try again."""

    def __init__(self, *, retry_after_s: int = 1) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Verdict:
    """rehashed: the password's hash with today's parameters, when the stored one has others and the password is right."""

    is_right: bool
    rehashed: str | None = None


def password_hasher(*, memory_kib: int = MEMORY_KIB, time_cost: int = TIME_COST) -> PasswordHasher:
    return PasswordHasher(
        time_cost=time_cost, memory_cost=memory_kib, parallelism=1, hash_len=DIGEST_BYTES, salt_len=SALT_BYTES
    )


class Passwords:
    """Verifies and hashes, `threads` at a time. close() when done."""

    def __init__(self, *, hasher: PasswordHasher | None = None, threads: int | None = None) -> None:
        self._hasher = hasher or password_hasher()
        self.threads = threads or hashing_threads()
        # Of the same priority as the event loop: a thread of a lower one that is preempted while it holds the
        # interpreter's lock holds up the loop (sales' p99 was 670 ms instead of 90).
        self._executor = ThreadPoolExecutor(self.threads, thread_name_prefix="argon2")

    async def hash(self, password: str) -> str:
        """The encoded hash, parameters and salt included."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._hasher.hash, password)

    async def verify(self, encoded: str | None, password: str, *, parameters: str | None = None) -> Verdict:
        """Whether the password is the one of the encoded hash, whose own parameters count.

        encoded: None when there is no such user, which takes as long to find out.
        parameters: what an unknown user's hash would have cost ("$argon2id$v=19$m=19456,t=2,p=1"); None: as a new one.
        """
        return await asyncio.get_running_loop().run_in_executor(
            self._executor, self._verify, encoded, password, parameters
        )

    def close(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _verify(self, encoded: str | None, password: str, parameters: str | None) -> Verdict:
        try:
            self._hasher.verify(encoded or self._decoy(parameters), password)
        except (VerificationError, InvalidHashError):
            return Verdict(False)
        if encoded is None:
            return Verdict(False)
        return Verdict(True, self._hasher.hash(password) if self._hasher.check_needs_rehash(encoded) else None)

    def _decoy(self, parameters: str | None) -> str:
        """A hash of no password."""
        hasher = self._hasher
        return (
            parameters or f"$argon2id$v=19$m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
        ) + f"${_encoded(secrets.token_bytes(SALT_BYTES))}${_encoded(secrets.token_bytes(DIGEST_BYTES))}"


def parameters_of(encoded: str) -> str | None:
    """The part of a hash that decides what verifying it costs; None for what is no hash of argon2id."""
    found = _PARAMETERS.match(encoded)
    return found[0] if found else None


def hashing_threads() -> int:
    """Half of the processors that this process may use, at least one: the other half sells."""
    return max(1, processors() // 2)


def processors(quota_file: Path = _CPU_QUOTA) -> int:
    """How many there are for this process: by its affinity, and in a container by its quota."""
    available = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    try:
        quota, period = quota_file.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return available
    return available if quota == "max" else max(1, min(available, int(quota) // int(period)))


def _encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode().rstrip("=")
