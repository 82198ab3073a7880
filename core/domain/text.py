"""Text that people write: what of it is taken, and how it is shown where it could pass for something else.

A line feed in a name forges a line of a receipt or of a list, ESC moves a terminal's cursor, a bidi control turns "100"
round, a zero-width character makes two names that look the same. None of them is needed to write Spanish, or any other
language of a customer; emoji that are joined by U+200D are refused with it.
"""

from __future__ import annotations

import re
import unicodedata

TEXT_INVALID = "TEXT_INVALID"

# Characters that are not seen: controls (Cc: C0, DEL, C1), format characters (Cf: bidi, zero-width, tags), separators of
# lines and paragraphs (Zl, Zp), halves of surrogate pairs (Cs), noncharacters, and letters and marks that Unicode says
# to ignore. Variation selectors stay: they only choose a shape. A test compares the list with Unicode's own.
_UNSEEN = (
    "\x00-\x1f\x7f-\x9f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufdd0-\ufdef\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U000110bd\U000110cd\U00013430-\U00013455\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0x10000, 0x110000, 0x10000))
)
_REFUSED = re.compile(f"[{_UNSEEN}]")
_LINE_BREAK = re.compile("\r\n|[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")


class TextError(ValueError):
    """A text with a character that is not taken."""

    code = TEXT_INVALID

    def __init__(self, character: str) -> None:
        self.message = f"has the character U+{ord(character):04X}, which is not seen"
        super().__init__(self.message)


def line_of(text: str) -> str:
    """A name or a code, in Unicode's composed form (NFC): "é" is one character, however it was typed.

    Raises TextError.
    """
    if text.isascii() and text.isprintable():
        return text
    found = _REFUSED.search(text)
    if found is not None:
        raise TextError(found[0])
    return unicodedata.normalize("NFC", text)


def note_of(text: str) -> str:
    """A note or a reason, as one line: each line break becomes a space. Raises TextError for anything else unseen."""
    return line_of(text if text.isprintable() else _LINE_BREAK.sub(" ", text))


def shown(text: str) -> str:
    """Any text, as one line that can be printed: what was stored before it would have been refused, or came from afar.

    Line breaks and tabs become spaces, anything else that is not seen U+FFFD.
    """
    if text.isascii() and text.isprintable():
        return text
    return _REFUSED.sub("\N{REPLACEMENT CHARACTER}", _LINE_BREAK.sub(" ", text.replace("\t", " ")))


def escaped_json(document: str) -> str:
    """The same JSON with what is not seen written as escapes, for lines that people and tools read."""
    return document if document.isascii() and document.isprintable() else _REFUSED.sub(_escape, document)


def _escape(found: re.Match[str]) -> str:
    if found[0] in "\n\r\t":
        return found[0]  # Between members: in a text JSON has escaped it already.
    units = found[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[place : place + 4]}" for place in range(0, len(units), 4))
