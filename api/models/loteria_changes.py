from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StrictBool

from api.models.decimals import DayIn, MultiplierXIn
from api.models.loterias import LoteriaAnswer
from api.models.rulebook import Written
from api.models.wire import AnswerModel, Hundredths, RequestModel, TrimmedText
from core.domain.rulebook import JugadaType

LoteriaName = Annotated[TrimmedText, Field(min_length=2, max_length=100)]
MultiplierName = Annotated[TrimmedText, Field(min_length=2, max_length=32)]


class LoteriaChange(RequestModel):
    """What is absent stays; its default is never read. rulesJson replaces all rules."""

    name: LoteriaName = Field(default_factory=str)
    is_active: StrictBool = Field(default_factory=bool)
    rules_json: dict[str, Any] = Field(default_factory=dict)


class WrittenLoteria(Written, LoteriaAnswer):
    """rulebookVersion: from this version on it holds."""


class NewMultiplier(RequestModel):
    name: MultiplierName
    kind: JugadaType = JugadaType.NUMERO
    value_x: MultiplierXIn
    applies_to_date: DayIn | None = Field(None, description="The only day, Costa Rica's, on which it is sold.")


class MultiplierChange(RequestModel):
    """What is absent stays; its default is never read."""

    name: MultiplierName = Field(default_factory=str)
    value_x: MultiplierXIn = Field(default_factory=int)
    is_active: StrictBool = Field(default_factory=bool)
    applies_to_date: DayIn | None = None


class WholeMultiplier(AnswerModel):
    id: UUID
    loteria_id: UUID
    name: str
    kind: JugadaType
    value_x: Hundredths
    is_active: bool
    applies_to_date: date | None


class WrittenMultiplier(Written, WholeMultiplier):
    """rulebookVersion: from this version on it holds."""
