"""What the audit trail keeps of a target: the members that changed, of a size that an event may have."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

# A draw's limits of all its thousand numbers fit. An event has two such documents at most, and as much again of what
# several targets do not share: then it still travels with others (workers/packing.py).
DOCUMENT_BYTES_MAX = 48 * 1024

Document = dict[str, Any]


def plain(members: Mapping[str, Any] | None) -> Document | None:
    """As JSON has it, within DOCUMENT_BYTES_MAX."""
    # The driver's own UUIDs are none to orjson.
    return None if members is None else bounded(orjson.loads(orjson.dumps(dict(members), default=str)))


def changed_members(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Document, Document]:
    """Of two JSON objects the members that differ, of objects in them likewise; a list that differs is told whole.

    A member that only one of the two shows was not in the other.
    """
    old, new = dict(before), dict(after)
    for name in before.keys() & after.keys():
        if before[name] == after[name]:
            del old[name], new[name]
        elif isinstance(before[name], dict) and isinstance(after[name], dict):
            old[name], new[name] = changed_members(before[name], after[name])
    return old, new


def bounded(document: Document) -> Document:
    """Of at most DOCUMENT_BYTES_MAX: what is too large is told by its size and digest, the largest member first."""
    shown = dict(document)
    for name in sorted(shown, key=lambda name: bytes_of(shown[name]), reverse=True):
        if bytes_of(shown) <= DOCUMENT_BYTES_MAX:
            return shown
        value = shown[name]
        is_large = isinstance(value, dict) and bytes_of(value) > DOCUMENT_BYTES_MAX
        shown[name] = bounded(value) if is_large else digest(value)
    return shown if bytes_of(shown) <= DOCUMENT_BYTES_MAX else digest(document)


def digest(value: Any) -> Document:
    """Whoever has the value can prove that it is this one: SHA-256 of its JSON, members sorted, without blanks."""
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}


def bytes_of(value: Any) -> int:
    return len(orjson.dumps(value))


def factored(documents: Sequence[Document | None]) -> tuple[Document | None, list[Document | None]]:
    """What all of them say, and what each says besides; None: nothing, or no document, and then nothing is common."""
    whole = [document for document in documents if document is not None]
    if len(whole) < len(documents):
        return None, list(documents)
    first, *others = whole
    common = {
        name: value for name, value in first.items() if all(name in other and other[name] == value for other in others)
    }
    return common, [{name: value for name, value in one.items() if name not in common} or None for one in whole]
