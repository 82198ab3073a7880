"""What commands print of texts that others wrote: nothing in it moves the cursor or makes a line of its own."""

from __future__ import annotations

import sys

import orjson

from core.domain.text import escaped_json, shown


def print_json(value: object, *, indent: bool = True) -> None:
    """JSON on stdout; what is not seen is written as escapes."""
    document = orjson.dumps(value, option=orjson.OPT_INDENT_2 if indent else None, default=str)
    sys.stdout.buffer.write(escaped_json(document.decode()).encode() + b"\n")


def plain(text: str) -> str:
    """For rich's consoles: one line, and no markup."""
    from rich.markup import escape

    return escape(shown(text))
