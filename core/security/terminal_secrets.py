"""Terminals' secrets: derived from a master key whenever they are needed, stored nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.settings import Settings

SECRET_BYTES = 32


class MasterKeyMissingError(Exception):
    """A terminal names a master key that this process was not given."""


@dataclass(frozen=True, slots=True)
class MasterKeys:
    """Every master key in use, by its id; new secrets come from the current one."""

    current_id: str
    keys: Mapping[str, bytes]

    def secret_of(self, terminal_id: UUID, *, key_version: int, master_key_id: str) -> str:
        """64 lowercase hex digits; as UTF-8 text they are the HMAC key. Raises MasterKeyMissingError."""
        try:
            master = self.keys[master_key_id]
        except KeyError:
            raise MasterKeyMissingError(master_key_id) from None
        return derive_secret(master, terminal_id, key_version=key_version, master_key_id=master_key_id)

    def checks(self, installation_id: str) -> dict[str, str]:
        """Of each key by its id a value that only this key gives in this installation, and that tells nothing of it."""
        return {
            key_id: derive(key, f"banca installation v1|{installation_id}|{key_id}")
            for key_id, key in self.keys.items()
        }


def derive_secret(master_key: bytes, terminal_id: UUID, *, key_version: int, master_key_id: str) -> str:
    return derive(master_key, f"banca terminal v1|{terminal_id}|{key_version}|{master_key_id}")


def derive(master_key: bytes, info: str) -> str:
    return HKDF(algorithm=SHA256(), length=SECRET_BYTES, salt=None, info=info.encode()).derive(master_key).hex()


def load_master_keys(settings: Settings) -> MasterKeys:
    """The current key and the retired ones ("id:key,id:key"). Raises ValueError for a malformed list."""
    keys = {}
    for entry in filter(None, settings.terminal_master_keys_retired.get_secret_value().split(",")):
        key_id, separator, key = entry.strip().partition(":")
        if not (key_id and separator and key):
            raise ValueError("TERMINAL_MASTER_KEYS_RETIRED must read id:key,id:key")
        keys[key_id] = key.encode()
    keys[settings.terminal_master_key_id] = settings.terminal_master_key.get_secret_value().encode()
    return MasterKeys(settings.terminal_master_key_id, keys)
