from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from api.models.wire import AnswerModel, Instant, RequestModel, Text
from api.pages import PageQuery
from core.domain.calendar import InstantError, parse_instant


def _instant(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return parse_instant(value)
    except InstantError as error:
        raise PydanticCustomError("FIELD_INVALID", "Input should be an instant: 2026-11-21T03:26:34Z") from error


def _zoned(value: datetime) -> datetime:
    assert value.tzinfo is not None, "parse_instant gives aware instants"
    return value


QueryInstant = Annotated[datetime, BeforeValidator(_instant), AfterValidator(_zoned)]
Word = Annotated[Text, Field(pattern="^[A-Z_]{1,60}$")]


class ActivityQuery(PageQuery, RequestModel):
    """from: the first instant, before: the first one not any more."""

    actor_id: UUID | None = None
    target_id: UUID | None = None
    target_type: Word | None = None
    action: Word | None = None
    since: Annotated[QueryInstant | None, Field(alias="from")] = None
    before: QueryInstant | None = None


class ActivityAnswer(AnswerModel):
    """One operation. eventId and line: its place in the audit trail. actorId: null where nobody known did it.

    details: what its action tells; of a change `before` and `after`.
    """

    event_id: int
    line: int
    occurred_at: Instant
    action: str
    actor_id: UUID | None
    target_type: str | None
    target_id: UUID | None
    layer: str
    request_id: str | None
    details: dict[str, Any]
