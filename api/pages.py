"""Lists: keyset cursors for those who read on, numbered pages for those who jump."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

import orjson
from pydantic import Field

from api.models.wire import AnswerModel, RequestModel, Text
from api.validation import validation_failed
from core.domain.violations import Violation

PAGE_SIZE = 20
PAGE_SIZE_MAX = 100
# Jumping costs the rows jumped over.
PAGE_MAX = 1_000

Item = TypeVar("Item")


class PageQuery(RequestModel):
    """cursor: meta.nextCursor of the page before, with the same filters. page: from 1; not together with a cursor."""

    cursor: Annotated[Text, Field(max_length=300)] | None = None
    page: Annotated[int, Field(ge=1, le=PAGE_MAX)] | None = None
    page_size: Annotated[int, Field(ge=1, le=PAGE_SIZE_MAX)] = PAGE_SIZE

    @property
    def offset(self) -> int:
        return 0 if self.page is None else (self.page - 1) * self.page_size

    def after(self, *kinds: Callable[[str], Any]) -> tuple[Any, ...]:
        """The keys of the last row seen, as the kinds parse them; as many None at the start.

        kinds: callables from text: UUID, cursor_instant, cursor_text. Raises ProblemError VALIDATION_FAILED.
        """
        if self.cursor is None:
            return (None,) * len(kinds)
        if self.page is not None:
            raise validation_failed([Violation("FIELD_INVALID", "Send a page or a cursor, not both.", "page")])
        try:
            keys = orjson.loads(base64.urlsafe_b64decode(self.cursor.encode()))
            return tuple(kind(key) for kind, key in zip(kinds, keys, strict=True))
        except (ValueError, TypeError, AttributeError, OverflowError, binascii.Error):
            raise validation_failed([Violation("FIELD_INVALID", "Not a cursor of this list.", "cursor")]) from None


class PageMeta(AnswerModel):
    """nextCursor: absent on the last page. page: when it was asked for by number."""

    page_size: int
    has_next_page: bool
    next_cursor: str | None = None
    page: int | None = None


class Page(AnswerModel, Generic[Item]):
    data: list[Item]
    meta: PageMeta


def page_of(query: PageQuery, rows: Sequence[Any], *, keys: Sequence[str]) -> tuple[Sequence[Any], PageMeta]:
    """The rows to show and what to say about them. rows: one more than the page, if there is one."""
    shown = rows[: query.page_size]
    has_next = len(rows) > query.page_size
    cursor = make_cursor([shown[-1][key] for key in keys]) if has_next else None
    return shown, PageMeta(page_size=query.page_size, has_next_page=has_next, next_cursor=cursor, page=query.page)


def cursor_instant(text: str) -> datetime:
    """In UTC. Raises ValueError, TypeError or OverflowError: no instant, or one that UTC has no year for."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError("an instant needs its offset")
    return instant.astimezone(UTC)


def cursor_text(text: str) -> str:
    """Text that PostgreSQL takes. Raises ValueError or TypeError."""
    if not isinstance(text, str):
        raise TypeError("not a text")
    if "\x00" in text:
        raise ValueError("PostgreSQL's texts have no U+0000")
    return text


def make_cursor(keys: Sequence[Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(keys, default=str)).decode()
