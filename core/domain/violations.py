"""What a refusal says: one entry per rule that was broken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """field: the path of what is wrong, as the API names it ("jugadas[1].number"); None for the ticket as a whole.

    data: further JSON members, such as the limit that was passed.
    """

    code: str
    message: str
    field: str | None = None
    data: Mapping[str, object] | None = None

    def to_json(self) -> dict[str, object]:
        members: dict[str, object] = {"code": self.code, "message": self.message}
        if self.field is not None:
            members["field"] = self.field
        return {**(self.data or {}), **members}
