from __future__ import annotations

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field, StrictInt

from api.models.wire import AnswerModel, Instant, RequestModel, TrimmedText
from api.pages import PageQuery

GRACE_S = 24 * 3600
GRACE_S_MAX = 30 * 24 * 3600


class TerminalQuery(PageQuery):
    ventana_id: UUID | None = None
    vendedor_id: UUID | None = None


class NewTerminal(RequestModel):
    """vendedorId: the one seller who may use it; absent: any seller of the ventana."""

    ventana_id: UUID
    vendedor_id: UUID | None = None
    name: Annotated[TrimmedText, Field(max_length=100)] = ""


class Rotation(RequestModel):
    """graceS: how long the previous secret still works, in seconds; 0: not at all."""

    grace_s: Annotated[StrictInt, Field(ge=0, le=GRACE_S_MAX)] = GRACE_S


class TerminalAnswer(AnswerModel):
    id: UUID
    ventana_id: UUID
    vendedor_id: UUID | None
    name: str
    is_active: bool
    key_version: int
    previous_valid_until: Instant | None
    created_at: Instant


class TerminalSecret(TerminalAnswer):
    """secret: shown once; used as UTF-8 text, not as the bytes that its digits spell."""

    NOT_TAGGED: ClassVar[frozenset[str]] = frozenset(("secret",))

    secret: str
