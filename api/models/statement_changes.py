"""What is done to statements by hand, at the wire."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from api.models.movements import MovedStatementOut
from api.models.sorteo_changes import InstantIn
from api.models.wire import AnswerModel, RequestModel


class BalanceResetIn(RequestModel):
    """resetAt: now unless told. revert: take the last reset back instead."""

    vendedor_id: UUID
    reset_at: InstantIn | None = None
    revert: Annotated[bool, Field(strict=True)] = False

    @model_validator(mode="after")
    def require_one_of_two(self) -> Self:
        if self.revert and self.reset_at is not None:
            raise PydanticCustomError("FIELD_INVALID", "Reset, or take a reset back: not both.")
        return self


class BalanceResetOut(AnswerModel):
    """statement: the day of the reset, as it is now."""

    vendedor_id: UUID
    reset_at: dt.datetime
    reverted_at: dt.datetime | None
    statement: MovedStatementOut | None
