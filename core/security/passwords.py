"""Passwords: argon2id, off the event loop, a bounded number at a time."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# One verification takes about 64 MiB and a tenth of a second of one core.
CONCURRENT_MAX = 2
WAITING_MAX = 32


class PasswordsBusyError(Exception):
    """Too many passwords wait to be verified; nothing was decided. Try again in a second."""


class Passwords:
    """Hashes and verifies in threads of its own. close() when done."""

    def __init__(self, *, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._threads = ThreadPoolExecutor(CONCURRENT_MAX, thread_name_prefix="argon2")
        self._waiting = 0
        self._nobodys_hash: str | None = None

    async def hash(self, password: str) -> str:
        """The encoded hash, parameters and salt included. Raises PasswordsBusyError."""
        loop = asyncio.get_running_loop()
        with self._place():
            return await loop.run_in_executor(self._threads, self._hasher.hash, password)

    async def matches(self, encoded: str | None, password: str) -> bool:
        """Whether the password is the one. None: there is no such user, which takes as long to find out.

        Raises PasswordsBusyError.
        """
        loop = asyncio.get_running_loop()
        with self._place():
            return await loop.run_in_executor(self._threads, self._matches, encoded, password)

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _matches(self, encoded: str | None, password: str) -> bool:
        try:
            return self._hasher.verify(encoded or self._hash_of_nobody(), password) and encoded is not None
        except (VerificationError, InvalidHashError):
            return False

    def _hash_of_nobody(self) -> str:
        if self._nobodys_hash is None:
            self._nobodys_hash = self._hasher.hash(secrets.token_hex())
        return self._nobodys_hash

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._waiting >= WAITING_MAX:
            raise PasswordsBusyError
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
