from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field, StrictInt

from api.models.decimals import LimitIn, MultiplierXIn, PayoutIn
from api.models.rulebook import Written
from api.models.wire import Amount, AnswerModel, Hundredths, RequestModel
from core.domain.restriction_rows import CUTOFF_MINUTES_MAX


class BancaSettingsChange(RequestModel):
    """What is absent stays; its default is never read."""

    default_min_bet: LimitIn = Field(default_factory=int, description="The least bet where a lottery sets none.")
    global_max_per_number: LimitIn | None = Field(None, description="Of a number, in a draw. 0 blocks; null: no limit.")
    sales_cutoff_minutes: Annotated[StrictInt, Field(ge=0, le=CUTOFF_MINUTES_MAX)] = Field(default_factory=int)
    max_payout_per_number: PayoutIn = Field(
        default_factory=int,
        description="What one number of a draw may cost at most: its stakes, or what it would pay with the dearest"
        " multiplier for REVENTADO that the lottery has.",
    )


class BancaSettings(AnswerModel):
    banca_id: UUID
    default_min_bet: Amount
    global_max_per_number: Amount | None
    sales_cutoff_minutes: int
    max_payout_per_number: Amount


class WrittenBancaSettings(Written, BancaSettings):
    """rulebookVersion: from this version on they hold."""


class LoteriaSettingIn(RequestModel):
    """Both members, so that nothing is taken away by leaving it out."""

    base_multiplier_x: MultiplierXIn | None = Field(description="Null: the lottery's own.")
    max_total_per_sorteo: LimitIn | None = Field(description="Of all numbers, in a draw. 0 blocks; null: no limit.")


class LoteriaSettingAnswer(AnswerModel):
    loteria_id: UUID
    base_multiplier_x: Hundredths | None
    max_total_per_sorteo: Amount | None


class WrittenLoteriaSetting(Written, LoteriaSettingAnswer):
    """rulebookVersion: from this version on it holds."""
