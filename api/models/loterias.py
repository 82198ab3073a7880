from __future__ import annotations

from typing import Any
from uuid import UUID

from api.models.wire import AnswerModel, Hundredths
from api.pages import PageQuery


class LoteriaQuery(PageQuery):
    is_active: bool | None = None


class MultiplierAnswer(AnswerModel):
    """valueX: "90.00"."""

    id: UUID
    name: str
    kind: str
    value_x: Hundredths
    is_active: bool


class LoteriaAnswer(AnswerModel):
    """multipliers: the active ones, the oldest first."""

    id: UUID
    name: str
    is_active: bool
    rules_json: dict[str, Any]
    multipliers: list[MultiplierAnswer]
