"""What the trail keeps of a target, and how several targets share an event: pure."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.activity_documents import DOCUMENT_BYTES_MAX, bounded, bytes_of, changed_members, digest, factored, plain
from core.events import Event, EventUndecodableError, decode
from workers.activity import operations_of, together

BANCA, FIRST, SECOND = (uuid.UUID(int=number) for number in range(1, 4))
LARGE = "x" * DOCUMENT_BYTES_MAX

# One to four bytes each, and what JSON escapes. Of all of Unicode the first text would take seconds to draw.
CHARACTERS = 'a0"\\\n\x00\u007fñ\u2028😀'
values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 99) | st.text(CHARACTERS, max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(CHARACTERS, max_size=3), inner, max_size=3),
    max_leaves=6,
)
documents = st.dictionaries(st.sampled_from("abcdef"), values, max_size=4)


@pytest.mark.parametrize(
    ("before", "after", "old", "new"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, {"b": 2}, {"b": 3}),
        ({"a": 1}, {"a": 1}, {}, {}),
        ({"a": 1}, {"a": None, "b": 1}, {"a": 1}, {"a": None, "b": 1}),
        ({"a": [1, 2]}, {"a": [2, 1]}, {"a": [1, 2]}, {"a": [2, 1]}),
        ({"a": {"b": 1, "c": {"d": 1, "e": 1}}}, {"a": {"b": 1, "c": {"d": 2}}}, {"a": {"c": {"d": 1, "e": 1}}},
         {"a": {"c": {"d": 2}}}),
        ({"a": {"b": 1}}, {"a": None}, {"a": {"b": 1}}, {"a": None}),
    ],
)  # fmt: skip
def test_only_the_members_that_changed_are_told(before: Any, after: Any, old: Any, new: Any) -> None:
    assert changed_members(before, after) == (old, new)


@given(documents, documents)
def test_the_old_members_replaced_by_the_new_ones_are_the_new_document(before: Any, after: Any) -> None:
    old, new = changed_members(before, after)
    assert changed_members(before, before) == ({}, {})
    assert replaced(before, old, new) == after


def replaced(document: Any, old: Any, new: Any) -> Any:
    kept = {name: value for name, value in document.items() if name not in old}
    for name, value in new.items():
        is_part = name in old and isinstance(value, dict) and isinstance(old[name], dict)
        kept[name] = replaced(document[name], old[name], value) if is_part else value
    return kept


@pytest.mark.parametrize(
    ("document", "shown"),
    [
        ({"a": 1}, {"a": 1}),
        ({"a": LARGE, "b": 1}, {"a": digest(LARGE), "b": 1}),
        ({"a": {"rules": [LARGE], "b": 1}, "c": 2}, {"a": {"rules": digest([LARGE]), "b": 1}, "c": 2}),
        ({"a": "x" * 30_000, "b": "y" * 29_000}, {"a": digest("x" * 30_000), "b": "y" * 29_000}),
    ],
)
def test_the_largest_members_are_told_by_their_digest(document: Any, shown: Any) -> None:
    assert bounded(document) == shown


@given(st.dictionaries(st.text(CHARACTERS, max_size=9), st.integers(0, 40_000), max_size=8), st.booleans())
def test_no_document_is_larger_than_the_bound(sizes: dict[str, int], is_nested: bool) -> None:
    document: dict[str, Any] = {name: "x" * size for name, size in sizes.items()}
    assert bytes_of(bounded({"inner": document} if is_nested else document)) <= DOCUMENT_BYTES_MAX


def test_a_document_of_very_many_members_is_a_digest_itself() -> None:
    document = {f"{number:0100d}": 1 for number in range(1_000)}
    assert bounded(document) == digest(document)
    assert digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})


def test_ids_and_instants_are_told_as_json_has_them() -> None:
    assert plain({"id": BANCA, "at": datetime(2026, 11, 21, tzinfo=UTC)}) == {
        "id": str(BANCA), "at": "2026-11-21T00:00:00+00:00"
    }  # fmt: skip
    assert plain(None) is None


@given(st.lists(documents | st.none(), min_size=1, max_size=6))
def test_what_all_share_and_what_each_has_are_the_documents_again(given_documents: list[Any]) -> None:
    common, own = factored(given_documents)
    assert [together(common, each) for each in own] == given_documents


def recorded(**members: object) -> Event:
    payload = {"at": "2026-11-21T03:26:34Z", "action": "RESTRICTION_CREATE", "layer": "api", **members}
    return Event(7, BANCA, "activities.recorded", orjson.dumps(payload).decode(), datetime(2026, 11, 21, tzinfo=UTC))


def test_an_operation_on_several_targets_is_a_row_each() -> None:
    targets = [{"id": str(FIRST), "after": {"number": "07"}}, {"id": str(SECOND), "before": {}, "after": None}]
    event = recorded(targetType="RESTRICTION", after={"isActive": True}, targets=targets, requestId="r")
    first, second = operations_of(decode(event).payload)
    assert (first.target_id, second.target_id) == (FIRST, SECOND)
    assert first.details == {"before": None, "after": {"isActive": True, "number": "07"}}
    assert second.details == {"before": {}, "after": {"isActive": True}}
    assert {(each.action, each.target_type, each.request_id) for each in (first, second)} == {
        ("RESTRICTION_CREATE", "RESTRICTION", "r")
    }


@pytest.mark.parametrize("targets", [[], None, [{}], [{"id": "x"}], {"id": str(FIRST)}])
def test_an_operation_on_nothing_is_its_writers_fault(targets: object) -> None:
    with pytest.raises(EventUndecodableError, match="event 7"):
        decode(recorded(targets=targets))
