"""Names in place of ids: a case says "L1" where the till has a UUID, and its decision says "L1" again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from uuid import UUID, uuid5

# Any constant will do; changing it changes nothing that anybody sees.
_NAMESPACE = UUID("6f0a2b5e-7d0c-4b8e-9a44-0d1f5f3c2e11")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class CaseNames:
    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def replaced(self, value: object) -> object:
        """A copy of the document in which every text of a member "id", "…Id" or "…Ids" is a UUID."""
        if isinstance(value, Mapping):
            return {key: self._member(str(key), member) for key, member in value.items()}
        return [self.replaced(member) for member in value] if isinstance(value, list) else value

    def _member(self, key: str, value: object) -> object:
        if isinstance(value, str) and (key == "id" or key.endswith(("Id", "Ids"))):
            return self.id_of(value)
        if isinstance(value, list) and key.endswith("Ids"):
            return [self._member(key, member) for member in value]
        return self.replaced(value)

    def restored(self, value: object) -> object:
        """A copy in which the UUIDs that stood for names are names again, inside sentences too."""
        if isinstance(value, Mapping):
            return {key: self.restored(member) for key, member in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.restored(member) for member in value]
        if isinstance(value, str) and self._names:
            return _UUID.sub(lambda found: self._names.get(found[0], found[0]), value)
        return value

    def id_of(self, name: str) -> str:
        if _UUID.fullmatch(name):
            return name
        replacement = str(uuid5(_NAMESPACE, name.encode("utf-8", "surrogatepass").hex()))
        self._names[replacement] = name
        return replacement
