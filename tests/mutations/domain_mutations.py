"""Mutation tests of core/domain with mutmut, by hand; docs/mutations.md says how to run them and what they gave.

Arguments go to mutmut: `run`, `results`, `show NAME`, `browse`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import libcst
from hypothesis import settings
from mutmut.__main__ import cli
from mutmut.mutation import mutators

# Enough for the properties to notice a wrong rule, few enough for thousands of runs.
EXAMPLES = 25


def codes_only(node: libcst.BaseString) -> Iterable[libcst.BaseString]:
    """Mutate codes, names and formats, but no sentences: a text for people is not a rule."""
    if isinstance(node, libcst.SimpleString) and " " not in node.value:
        yield from mutators.operator_string(node)


def main() -> None:
    operators: Any = mutators.mutation_operators
    operators[:] = [
        (kind, codes_only if operator is mutators.operator_string else operator) for kind, operator in operators
    ]
    settings.register_profile("mutations", max_examples=EXAMPLES, derandomize=True, database=None, deadline=None)
    settings.load_profile("mutations")
    cli()


if __name__ == "__main__":
    main()
