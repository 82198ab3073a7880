"""How JSON looks at our border: camelCase, no unknown members, text that is text."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainSerializer
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from core.domain.calendar import format_instant
from core.domain.money import JsonNumber, format_cents, format_hundredths
from core.domain.text import TextError, line_of, note_of


class RequestModel(BaseModel):
    """What clients send: unknown members are refused."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class AnswerModel(BaseModel):
    """What we answer; made from our own values by their Python names.

    NOT_TAGGED: members that are not part of the thing that the answer shows: its entity tag leaves them out.
    """

    NOT_TAGGED: ClassVar[frozenset[str]] = frozenset()

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, serialize_by_alias=True)


def _text(value: Any) -> Any:
    # JsonNumber is a str, so that a decimal keeps its digits; as a name it is still a number.
    if isinstance(value, JsonNumber):
        raise PydanticCustomError("FIELD_INVALID", "Input should be a text")
    return value


def _line(value: str) -> str:
    return _taken(line_of, value)


def _name(value: str) -> str:
    return _taken(line_of, value).strip()


def _note(value: str) -> str:
    return _taken(note_of, value).strip()


def _taken(reader: Callable[[str], str], value: str) -> str:
    try:
        return reader(value)
    except TextError as error:
        raise PydanticCustomError(error.code, "{reason}", {"reason": error.message}) from None


class TextKind(Enum):
    """What a text of a request is; each has exactly one kind, which a test looks up.

    CODE: one line, as it is. NAME: one line, without blanks at its ends. NOTE: the same, and a line break is a space.
    SECRET: is never shown, logged or stored as it is: any characters.
    """

    CODE = "code"
    NAME = "name"
    NOTE = "note"
    SECRET = "secret"  # noqa: S105 - a kind of text


_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _date(value: Any) -> Any:
    # Pydantic alone would take Unix seconds as well.
    if isinstance(value, str) and not _DATE.fullmatch(value):
        raise PydanticCustomError("FIELD_INVALID", "Input should be a date: YYYY-MM-DD")
    return value


# JSON strings, of which core/domain/text.py says what is taken.
Text = Annotated[str, BeforeValidator(_text), AfterValidator(_line), TextKind.CODE]
TrimmedText = Annotated[str, BeforeValidator(_text), AfterValidator(_name), TextKind.NAME]
NoteText = Annotated[str, BeforeValidator(_text), AfterValidator(_note), TextKind.NOTE]
SecretText = Annotated[str, BeforeValidator(_text), TextKind.SECRET]

# Cents and hundredths inside, "500.00" outside.
Amount = Annotated[int, PlainSerializer(format_cents, return_type=str)]
Hundredths = Annotated[int, PlainSerializer(format_hundredths, return_type=str)]
# "2026-11-21T03:26:34.123Z"
Instant = Annotated[datetime, PlainSerializer(format_instant, return_type=str)]
# "2026-11-21"
IsoDate = Annotated[date, BeforeValidator(_date)]
