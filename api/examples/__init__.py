"""An example of every operation, in the JSON files beside this one: a request, and an answer for each status with one.

All are of one banca on one day, so that an id means the same thing in each. `{"<operationId>": {"parameters": {…},
"body": {…}, "answers": {"200": {…}}}}`; a file holds the operations of one tag. A test holds them to the document's schemas.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import orjson

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Example:
    """parameters: of path, query and headers, by name. body: None: none. answers: by status."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    answers: Mapping[str, Any] = field(default_factory=dict)


def example_of(operation_id: str) -> Example | None:
    return all_examples().get(operation_id)


@cache
def all_examples() -> Mapping[str, Example]:
    """By operationId."""
    return {
        name: Example(**members)
        for path in sorted(FOLDER.glob("*.json"))
        for name, members in orjson.loads(path.read_bytes()).items()
    }
