"""What is left of numbers, what is staked on them, and which limit says so."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import Field

from api.models.wire import Amount, AnswerModel, Instant, RequestModel
from core.domain.sorteo_states import SorteoStatus
from core.domain.ticket import LimitScope

LimitSource = Literal[
    "RESTRICTION", "SORTEO_GLOBAL_LIMIT", "SORTEO_NUMBER_LIMIT", "GLOBAL_MAX_PER_NUMBER", "MAX_TOTAL_PER_SORTEO"
]


class BalancesQuery(RequestModel):
    """vendedorId: required of everybody but a VENDEDOR, who may name itself only."""

    sorteo_id: UUID
    vendedor_id: UUID | None = None


class LimitAnswer(AnswerModel):
    """The limit that leaves least."""

    remaining: Amount
    limit: Amount = Field(description="The least of what is set and what follows from sales.")
    accumulated: Amount = Field(description="What the scope has sold of it.")
    source: LimitSource
    scope: LimitScope = Field(description="Whose sales count.")
    rule_id: UUID | None = Field(description="Of the restriction rule.")
    rule_scope: Literal["USER", "VENTANA", "BANCA", "GENERAL"] | None = Field(description="Whom the rule is for.")
    is_dynamic: bool = Field(description="Whether it follows from sales.")


class BalancesAnswer(AnswerModel):
    """numbers: those that a limit in the draw governs; a limit of single multipliers, or of one ticket, is not here.

    sorteo: the limit of the draw's whole sales, null for none: no number can take more than that leaves.
    """

    sorteo_id: UUID
    vendedor_id: UUID
    at: Instant
    rulebook_version: int
    numbers: dict[str, LimitAnswer]
    sorteo: LimitAnswer | None


class ExposureQuery(RequestModel):
    """payouts: false leaves out what has to be summed from every jugada; the rest comes from counters."""

    payouts: bool = True


class NumberExposure(AnswerModel):
    number: str
    stake: Amount = Field(description="NUMERO and REVENTADO together.")
    reventado_stake: Amount | None = Field(description="Of the stake; its multiplier is known after the draw.")
    potential_payout: Amount | None = Field(description="What NUMERO would pay at the multipliers that were sold.")
    cap: LimitAnswer | None = Field(description="Of what binds whoever sells here, what leaves least; null: no limit.")


class ExposureTotals(AnswerModel):
    """maxPotentialPayout: of the worst number, because one number wins. cap: of the draw's whole sales."""

    stake: Amount
    reventado_stake: Amount | None
    max_potential_payout: Amount | None
    max_potential_payout_number: str | None
    cap: LimitAnswer | None


class ExposureAnswer(AnswerModel):
    """ventanaId: whose sales these are; null: the whole banca's."""

    sorteo_id: UUID
    sorteo_status: SorteoStatus
    ventana_id: UUID | None
    at: Instant
    rulebook_version: int
    numbers: list[NumberExposure] = Field(description="Every number of the draw.")
    totals: ExposureTotals
