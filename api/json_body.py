"""From the bytes of a body to one JSON object, strictly: what two readers could read differently is refused."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from api.problems import ProblemError, refuse
from core.domain.money import read_json_number

DEPTH_MAX = 16
# Of a body but a batch's. A policy of a thousand rules has two thousand.
PARTS_MAX = 10_000
MEMBERS_PER_PART = 2

# Numbers with a fraction or an exponent stay text: a float cannot tell 0.1 from 0.10000000000000001.
_DECODER = msgspec.json.Decoder(float_hook=read_json_number)


class _DuplicateKeyError(ValueError):
    pass


def decode_object(raw: bytes) -> dict[str, Any]:
    """The JSON object in raw. Fractional numbers come as JsonNumber.

    Raises ProblemError: JSON_MALFORMED, JSON_TOO_DEEP, JSON_NOT_AN_OBJECT, JSON_DUPLICATE_KEY, JSON_TOO_MANY_PARTS,
    TEXT_INVALID.
    """
    return decode_part(raw, depth=1, parts_max=PARTS_MAX)


def require_few_parts(raw: bytes, parts_max: int) -> None:
    """Before anything is made of it: objects and lists, and members, cost the most to look at. Those in a text count, too.

    Raises ProblemError JSON_TOO_MANY_PARTS, or JSON_TOO_DEEP.
    """
    if raw.count(b"{") + raw.count(b"[") > parts_max or raw.count(b":") > MEMBERS_PER_PART * parts_max:
        if b"[" * (DEPTH_MAX + 1) in raw:
            raise _too_deep()
        raise refuse(
            400,
            "JSON_TOO_MANY_PARTS",
            f"The body has more than {parts_max:,} objects and lists, or {MEMBERS_PER_PART} times as many members.",
        )


def decode_part(raw: bytes, *, depth: int, parts_max: int) -> dict[str, Any]:
    """As decode_object, of an object at this depth of a body."""
    try:
        value = _DECODER.decode(raw)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:  # msgspec.DecodeError, UnicodeDecodeError, and integers of thousands of digits
        raise refuse(400, "JSON_MALFORMED", f"The body is not JSON: {reason_of(error)}.") from None
    if type(value) is not dict:
        raise refuse(400, "JSON_NOT_AN_OBJECT", "The body must be a JSON object.")
    # To decode costs little, and tells what is too deep; all that follows is Python's.
    require_few_parts(raw, parts_max)
    pairs = _count_pairs(value, depth)
    # Each pair has its colon. As many colons as pairs that survived decoding: no pair was overwritten, and no text
    # has a colon. Otherwise it takes a closer look.
    if raw.count(b":") != pairs:
        _refuse_duplicate_keys(raw)
    if b"\\u0000" in raw:
        _refuse_nul(value)
    return value


def _count_pairs(value: Any, depth: int) -> int:
    if depth > DEPTH_MAX:
        raise _too_deep()
    pairs, items = (len(value), value.values()) if type(value) is dict else (0, value)
    for item in items:
        if type(item) is dict or type(item) is list:
            pairs += _count_pairs(item, depth + 1)
    return pairs


def _refuse_duplicate_keys(raw: bytes) -> None:
    try:
        json.loads(raw, object_pairs_hook=_distinct, parse_float=str, parse_int=str)
    except _DuplicateKeyError as error:
        raise refuse(400, "JSON_DUPLICATE_KEY", f"The body names a member twice: {error}.") from None
    except RecursionError:  # in a member that another of the same name replaced
        raise _too_deep() from None


def _distinct(pairs: list[tuple[str, Any]]) -> None:
    seen = set()
    for key, _ in pairs:
        if key in seen:
            raise _DuplicateKeyError(json.dumps(key)[:100])
        seen.add(key)


def _refuse_nul(value: Any) -> None:
    if type(value) is dict:
        for key, item in value.items():
            _refuse_nul(key)
            _refuse_nul(item)
    elif type(value) is list:
        for item in value:
            _refuse_nul(item)
    elif isinstance(value, str) and "\x00" in value:
        raise refuse(400, "TEXT_INVALID", "A text contains the character U+0000.")


def _too_deep() -> ProblemError:
    return refuse(400, "JSON_TOO_DEEP", f"The body nests deeper than {DEPTH_MAX} levels.")


def reason_of(error: ValueError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not valid UTF-8"
    if isinstance(error, msgspec.DecodeError):
        return str(error).removeprefix("JSON is malformed: ").rstrip(".")
    return "a number is too long"
