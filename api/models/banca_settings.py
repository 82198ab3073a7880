from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field, StrictInt
from pydantic_core import PydanticCustomError

from api.models.decimals import LimitIn, MultiplierXIn, PayoutIn, PercentIn
from api.models.rulebook import Written
from api.models.wire import Amount, AnswerModel, Hundredths, RequestModel
from core.domain.restriction_rows import CUTOFF_MINUTES_MAX
from core.domain.ventana_bounds import VentanaWrite


def _in_order(writes: list[VentanaWrite]) -> list[VentanaWrite]:
    """As they are stored: so that the same, written otherwise, is no change."""
    if len(set(writes)) < len(writes):
        raise PydanticCustomError("FIELD_INVALID", "names a kind twice")
    return [each for each in VentanaWrite if each in writes]


VentanaWritesIn = Annotated[list[VentanaWrite], AfterValidator(_in_order)]


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
    ventana_max_multiplier_x: MultiplierXIn | None = Field(
        None,
        description="The highest multiplier of an override that a VENTANA user writes. Null: the highest that the banca"
        " itself sells the lottery at.",
    )
    ventana_max_commission_percent: PercentIn = Field(
        default_factory=int, description="The highest percent of a commission policy that a VENTANA user writes."
    )
    ventana_writes: VentanaWritesIn = Field(
        default_factory=list,
        description="What VENTANA users may write: restriction rules that limit amounts (LIMIT) or take a multiplier off"
        " sale (BLOCK), overrides, their sellers' commission policies, and movements. What they wrote they may always"
        " switch off.",
    )


class BancaSettings(AnswerModel):
    banca_id: UUID
    default_min_bet: Amount
    global_max_per_number: Amount | None
    sales_cutoff_minutes: int
    max_payout_per_number: Amount
    ventana_max_multiplier_x: Hundredths | None
    ventana_max_commission_percent: Hundredths
    ventana_writes: list[VentanaWrite]


class WrittenBancaSettings(Written, BancaSettings):
    """rulebookVersion: from this version on they hold."""


class VentanaExcess(AnswerModel):
    """A rule in force beyond what the banca now lets its ventanas write.

    kind: OVERRIDE (id: the override's; value: its multiplier) or COMMISSION_POLICY (id: the seller's; value: the highest
    percent in it; who wrote it is not on record, so it may be the banca's own). bound: the most that is allowed.
    """

    kind: VentanaWrite
    id: UUID
    ventana_id: UUID | None
    user_id: UUID | None
    loteria_id: UUID | None
    value: Hundredths
    bound: Hundredths


class VentanaExcesses(AnswerModel):
    """rulebookVersion: of the rules that were looked at."""

    data: list[VentanaExcess]
    rulebook_version: int


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
