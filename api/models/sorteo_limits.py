from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from api.models.decimals import LimitIn
from api.models.rulebook import Written
from api.models.tickets import NumberIn
from api.models.wire import Amount, AnswerModel, RequestModel

# As many as a draw of three digits has numbers.
NUMBERS_MAX = 1_000


class NumberLimitIn(RequestModel):
    number: NumberIn = Field(description="As wide as the draw's digits: 07, 007.", examples=["07"])
    max_amount: LimitIn = Field(description="In place of globalLimit; 0 blocks.")


class SorteoLimitsIn(RequestModel):
    """All limits that the draw has of its own; what is not listed is taken away."""

    global_limit: LimitIn | None = Field(description="Of each number; 0 blocks; null: none.")
    number_limits: Annotated[list[NumberLimitIn], Field(max_length=NUMBERS_MAX)]


class NumberLimit(AnswerModel):
    number: str
    max_amount: Amount


class SorteoLimits(AnswerModel):
    sorteo_id: UUID
    global_limit: Amount | None
    number_limits: list[NumberLimit]


class WrittenSorteoLimits(Written, SorteoLimits):
    """rulebookVersion: from this version on they hold."""
