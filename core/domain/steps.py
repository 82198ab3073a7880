"""Work in steps: a generator that yields where something else may have its turn, and ends with the result."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

Result = TypeVar("Result")


def at_once(steps: Generator[None, None, Result]) -> Result:
    """What the steps end with, for a caller that does nothing else meanwhile."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result
