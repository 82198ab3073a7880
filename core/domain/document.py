"""Reads the members of a JSON document and notes every one that is not as it must be."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import TypeGuard, TypeVar
from uuid import UUID

from core.domain.calendar import InstantError, parse_date, parse_instant
from core.domain.money import AMOUNT_CENTS_MAX, AmountError, Cents, JsonNumber, parse_hundredths
from core.domain.text import TextError, line_of
from core.domain.violations import Violation

Named = TypeVar("Named", bound=StrEnum)

UNKNOWN_FIELD = "UNKNOWN_FIELD"
INVALID_FIELD = "INVALID_FIELD"
# Of one document; what is beyond is not told.
VIOLATIONS_MAX = 500
# UUID() by itself also takes braces, URNs, underscores and hyphens anywhere.
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def is_text(value: object) -> TypeGuard[str]:
    """A number with a fraction comes as the str that it was written as; it is a number all the same."""
    return isinstance(value, str) and not isinstance(value, JsonNumber)


class Document:
    """One object of a document. A member that is absent or null reads as None, and so does one that is refused.

    path: where the object stands, as violations name it; "" for the root. Violations of nested objects go to the
    same list.
    """

    def __init__(self, value: object, *, path: str = "", violations: list[Violation] | None = None) -> None:
        self.path = path
        self.violations: list[Violation] = [] if violations is None else violations
        self.is_object = isinstance(value, Mapping)
        self._members: Mapping[str, object] = value if isinstance(value, Mapping) else {}
        if not self.is_object:
            self._note(INVALID_FIELD, "must be an object", path or None)

    def member(self, key: str) -> object:
        return self._members.get(key)

    def keys(self) -> tuple[str, ...]:
        return tuple(map(str, self._members))

    def place(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def refuse(self, key: str, message: str, *, code: str = INVALID_FIELD) -> None:
        self._note(code, message, self.place(key))

    def allow_only(self, keys: Collection[str]) -> None:
        for key in self._members:
            if key not in keys:
                self.refuse(key, "there is no such field", code=UNKNOWN_FIELD)

    def require(self, key: str) -> None:
        if self.is_object and self.member(key) is None:
            self.refuse(key, "is required")

    def integer(self, key: str, *, minimum: int, maximum: int) -> int | None:
        value = self.member(key)
        if value is None:
            return None
        if type(value) is int and minimum <= value <= maximum:  # not a bool
            return value
        self.refuse(key, f"must be a whole number from {minimum} to {maximum}")
        return None

    def cents(self, key: str) -> Cents | None:
        """Of a stored document: already cents."""
        value = self.integer(key, minimum=0, maximum=AMOUNT_CENTS_MAX)
        return None if value is None else Cents(value)

    def hundredths(self, key: str, *, maximum: int, minimum: int = 0) -> int | None:
        value = self.member(key)
        if value is None:
            return None
        try:
            hundredths = parse_hundredths(value, maximum=maximum)
        except AmountError as error:
            self.refuse(key, error.message)
            return None
        if hundredths < minimum:
            self.refuse(key, "must be greater than 0")
            return None
        return hundredths

    def flag(self, key: str) -> bool | None:
        value = self.member(key)
        if value is None or isinstance(value, bool):
            return value
        self.refuse(key, "must be true or false")
        return None

    def one_of(self, key: str, names: type[Named]) -> Named | None:
        value = self.member(key)
        if value is None:
            return None
        if is_text(value) and value in names.__members__:
            return names[value]
        self.refuse(key, f"must be {' or '.join(names.__members__)}")
        return None

    def text(self, key: str, *, length_max: int) -> str | None:
        value = self.member(key)
        if value is None:
            return None
        if is_text(value) and 1 <= len(value) <= length_max:
            self.line(key, value)
            return value
        self.refuse(key, f"must be a text of 1 to {length_max} characters")
        return None

    def line(self, key: str, value: str) -> None:
        """Notes a text with a character that is not seen; of a document that is stored it is passed over."""
        try:
            line_of(value)
        except TextError as error:
            self.refuse(key, error.message, code=error.code)

    def uuid(self, key: str) -> UUID | None:
        value = self.member(key)
        if value is None:
            return None
        if isinstance(value, str) and _UUID.fullmatch(value):
            return UUID(value)
        self.refuse(key, "must be a UUID")
        return None

    def date(self, key: str) -> date | None:
        value = self.member(key)
        try:
            return None if value is None else parse_date(value)
        except InstantError as error:
            self.refuse(key, str(error))
            return None

    def instant(self, key: str) -> datetime | None:
        value = self.member(key)
        try:
            return None if value is None else parse_instant(value)
        except InstantError as error:
            self.refuse(key, str(error))
            return None

    def list(self, key: str, *, length_max: int) -> tuple[object, ...]:
        value = self.member(key)
        if value is None:
            return ()
        if isinstance(value, (list, tuple)) and len(value) <= length_max:
            return tuple(value)
        self.refuse(key, f"must be a list of at most {length_max}")
        return ()

    def object(self, key: str) -> Document | None:
        value = self.member(key)
        return None if value is None else Document(value, path=self.place(key), violations=self.violations)

    def _note(self, code: str, message: str, field: str | None) -> None:
        # A document of thousands of unknown members is as wrong with the first of them.
        if len(self.violations) < VIOLATIONS_MAX:
            self.violations.append(Violation(code, message, field))
