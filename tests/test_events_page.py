"""docs/events.md names every event type, payload member and activity action that code and SQL write, and no others."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin
from uuid import UUID

import msgspec
import pytest

from core.activity_events import Action
from core.events import _PAYLOADS, EventType
from workers.consumers import CONSUMERS, wants

ROOT = Path(__file__).resolve().parents[1]
SQL = ROOT / "sql"
TYPES = tuple(EventType)
ACTIONS_HEADING = "## Activity actions"
EVENT_TYPE = re.compile(r"'([a-z_]+\.[a-z_]+)'")
TYPE_NAMES = {UUID: "uuid", int: "integer", str: "text", bool: "boolean", datetime: "instant", dict: "object"}


class Insert(NamedTuple):
    """One statement that writes into the outbox. types: more than one where a parameter chooses."""

    path: Path
    types: frozenset[str]
    members: frozenset[str]


def test_every_event_type_has_a_heading_and_every_heading_an_event_type() -> None:
    assert sorted(sections()) == sorted(TYPES)
    assert sorted(_PAYLOADS) == sorted(TYPES), "core/events.py lacks a decoder"


def test_sql_writes_every_event_type_and_no_other() -> None:
    assert {name for insert in inserts() for name in insert.types} == set(TYPES)


@pytest.mark.parametrize("event_type", TYPES)
def test_every_member_that_is_decoded_is_named_with_its_type(event_type: str) -> None:
    named = {member: kind.partition(", ")[0] for member, kind in members_on_page(event_type).items()}
    decoded = dict(decoded_members(_PAYLOADS[event_type].type))
    assert {member: named.get(member) for member in decoded} == decoded


@pytest.mark.parametrize("event_type", TYPES)
def test_every_member_that_sql_writes_is_named(event_type: str) -> None:
    found = [insert for insert in inserts() if event_type in insert.types and insert.members]
    assert found, "no statement with its members"
    for insert in found:
        # A statement for several types writes of each member that some type has.
        named = {name for each in insert.types for name in last_names(members_on_page(each))}
        assert insert.members - named == set(), insert.path


@pytest.mark.parametrize("event_type", TYPES)
def test_no_member_is_named_that_is_neither_decoded_nor_written(event_type: str) -> None:
    written = {name for insert in inserts() if event_type in insert.types for name in insert.members}
    decoded = {name for name, _ in decoded_members(_PAYLOADS[event_type].type)}
    assert {name for name in members_on_page(event_type) if name not in decoded and name not in written} == set()


@pytest.mark.parametrize("event_type", TYPES)
def test_the_page_names_the_writer_and_the_consumers(event_type: str) -> None:
    [written_by] = re.findall(r"^Written by (.+?)\n\n", sections()[event_type], re.MULTILINE | re.DOTALL)
    paths = {insert.path for insert in inserts() if event_type in insert.types and insert.members}
    assert {ROOT / "docs" / link for link in re.findall(r"\]\(([^)]+\.sql)\)", written_by)} == {
        ROOT / "docs" / ".." / path.relative_to(ROOT) for path in paths
    }
    [consumers] = re.findall(r"^Consumers: (.+)\.$", sections()[event_type], re.MULTILINE)
    assert re.findall(r"`(\w+)`", consumers) == [name for name in CONSUMERS if wants(name, event_type)]


def test_every_activity_action_is_named_and_every_action_named_is_written() -> None:
    named = [action for action, _, _ in action_rows()]
    assert len(named) == len(set(named)), "an action is named twice"
    assert set(named) == set(Action) | {name for actions in actions_in_sql().values() for name in actions}


def test_an_action_stands_in_the_files_that_the_page_names_for_it() -> None:
    for action, event_type, links in action_rows():
        paths = {(ROOT / "docs" / link).resolve() for link in links}
        assert paths, action
        assert event_type in (EventType.ACTIVITY_RECORDED, EventType.ACTIVITIES_RECORDED), action
        for path in paths:
            is_there = action in actions_in_sql().get(path, ()) if path.suffix == ".sql" else uses(path, action)
            assert is_there, f"{action} is not in {path.relative_to(ROOT)}"
        in_sql = {path for path, actions in actions_in_sql().items() if action in actions}
        assert in_sql <= paths, action
        if action not in set(Action):
            assert event_type == EventType.ACTIVITY_RECORDED, f"{action}: write_activity is called with one target"


def uses(path: Path, action: str) -> bool:
    return re.search(rf"\bAction\.{action}\b", path.read_text()) is not None


@cache
def page() -> str:
    return (ROOT / "docs" / "events.md").read_text()


@cache
def sections() -> dict[str, str]:
    """By event type: what stands under its heading."""
    parts = re.split(r"^### `([^`]+)`\n", page(), flags=re.MULTILINE)
    assert len(parts[1::2]) == len(set(parts[1::2])), "a type has two headings"
    return {
        name: re.split(r"^## ", text, flags=re.MULTILINE)[0]
        for name, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def members_on_page(event_type: str) -> dict[str, str]:
    """By name: its type and unit."""
    rows = re.findall(r"^\| `([\w.\[\]]+)` \| ([^|]+) \| [^|]*\S[^|]*\|$", sections()[event_type], re.MULTILINE)
    assert rows, f"{event_type} has no table of members"
    assert len(rows) == len({name for name, _ in rows}), f"{event_type} names a member twice"
    return dict(rows)


def last_names(members: dict[str, str]) -> set[str]:
    """Of `sorteos[].from` what is written in SQL: `from`."""
    return {name.rpartition(".")[2] for name in members}


def action_rows() -> list[tuple[str, str, list[str]]]:
    """Action, event type, linked files."""
    text = page().partition(f"{ACTIONS_HEADING}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([A-Z_]+)` \| `([a-z.]+)` \| ([^|]+) \|$", text, re.MULTILINE)
    assert rows, "no table of actions"
    return [(action, event_type, re.findall(r"\]\(([^)#]+)\)", writers)) for action, event_type, writers in rows]


def decoded_members(struct: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    for field in msgspec.structs.fields(struct):
        name = f"{prefix}{field.encode_name}"
        yield name, type_name(field.type)
        for part in parts_of(field.type):
            if isinstance(part, type) and issubclass(part, msgspec.Struct):
                yield from decoded_members(part, f"{name}[].")


def type_name(kind: Any) -> str:
    """As the page writes it: "uuid or null", "list of integer"."""
    kind = bare(kind)
    if get_origin(kind) is list:
        [item] = get_args(kind)
        name = type_name(item)
        return f"list of ({name})" if " or " in name else f"list of {name}"
    if get_origin(kind) in (Union, types.UnionType):
        [of] = [each for each in get_args(kind) if each is not type(None)]
        return f"{type_name(of)} or null"
    kind = get_origin(kind) or kind
    return "object" if issubclass(kind, msgspec.Struct) else TYPE_NAMES[kind]


def parts_of(kind: Any) -> Iterator[Any]:
    yield bare(kind)
    for part in get_args(bare(kind)):
        yield from parts_of(part)


def bare(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


@cache
def sql_texts() -> dict[Path, str]:
    """Without comments."""
    return {path: re.sub(r"--.*", "", path.read_text()) for path in sorted(SQL.rglob("*.sql"))}


@cache
def functions() -> dict[str, str]:
    """By name: what stands from its CREATE to the next one. A later file replaces an earlier one, as migrating does."""
    found: dict[str, str] = {}
    for path, text in sorted(sql_texts().items(), key=lambda item: "functions" in item[0].parts):
        parts = re.split(r"\bCREATE (?:OR REPLACE )?FUNCTION (\w+)", text)
        assert len(parts) % 2 == 1, path
        found |= dict(zip(parts[1::2], parts[2::2], strict=True))
    return found


@cache
def inserts() -> tuple[Insert, ...]:
    return tuple(
        Insert(path, types_of(statement, function), frozenset(written_members(statement)))
        for path, text in sql_texts().items()
        for statement, function in outbox_statements(text)
    )


def outbox_statements(text: str) -> Iterator[tuple[str, str | None]]:
    """Each INSERT INTO outbox up to its semicolon, and the function that it stands in."""
    for found in re.finditer(r"\bINSERT INTO outbox\b[^;]*", text):
        names = re.findall(r"\bCREATE (?:OR REPLACE )?FUNCTION (\w+)", text[: found.start()])
        yield found[0], names[-1] if names else None


def types_of(statement: str, function: str | None) -> frozenset[str]:
    """The literals of the statement; else those that callers give its function as the first argument."""
    literals = set(EVENT_TYPE.findall(statement))
    if not literals and function is not None:
        calls = re.compile(rf"\b{function}\(\s*{EVENT_TYPE.pattern}")
        literals = {name for text in sql_texts().values() for name in calls.findall(text)}
    assert literals, f"no type is found for {statement[:80]} in {function}"
    return frozenset(literals)


def written_members(statement: str) -> Iterator[str]:
    """The names in each json_build_object, those of a function that makes the payload among them."""
    called = [functions()[name] for name in re.findall(r"\b(\w+)\(", statement) if name in functions()]
    for text in (statement, *called):
        for found in re.finditer(r"\bjson_build_object\(", text):
            for name in arguments(text, found.end())[::2]:
                literals = re.findall(r"'(\w+)'", name)
                assert literals, f"a name that is no literal: {name}"
                yield from literals


def arguments(text: str, start: int) -> list[str]:
    """Of a call whose bracket opens just before start."""
    found, depth, begins, is_text = [], 0, start, False
    for place in range(start, len(text)):
        sign = text[place]
        if sign == "'":
            is_text = not is_text
        elif is_text:
            continue
        elif sign in "([":
            depth += 1
        elif sign in ")]" and depth > 0:
            depth -= 1
        elif depth == 0 and sign in ",)":
            found.append(text[begins:place].strip())
            begins = place + 1
            if sign == ")":
                return found
    raise AssertionError(f"no end of the call: {text[start : start + 80]}")


@cache
def actions_in_sql() -> dict[Path, frozenset[str]]:
    """By file: the actions of its calls of write_activity."""
    found: dict[Path, set[str]] = {}
    for path, text in sql_texts().items():
        for call in re.finditer(r"(?<!FUNCTION )\bwrite_activity\(", text):
            action = arguments(text, call.end())[1]
            if action == "p_action":
                # record_activity passes on what Python says.
                continue
            names = re.findall(r"(?:\A|THEN\s+|ELSE\s+)'([A-Z_]+)'", action)
            assert names, f"an action that is no literal: {action}"
            found.setdefault(path, set()).update(names)
    return {path: frozenset(names) for path, names in found.items()}
