from __future__ import annotations

from typing import Any

from pydantic import Field

from api.models.rulebook import Written
from api.models.wire import AnswerModel, RequestModel

EXAMPLE = {
    "version": 1,
    "effectiveFrom": None,
    "effectiveTo": None,
    "defaultPercent": "5.00",
    "rules": [{"betType": "NUMERO", "multiplierRange": {"min": "85.00", "max": "85.00"}, "percent": "7.50"}],
}


class CommissionPolicyIn(RequestModel):
    """The document of docs/rules.md; null: no policy, so that the next of the chain decides."""

    commission_policy_json: dict[str, Any] | None = Field(examples=[EXAMPLE])


class CommissionPolicyAnswer(AnswerModel):
    """Percents and multipliers in it are text with two decimals."""

    commission_policy_json: dict[str, Any] | None = Field(examples=[EXAMPLE])


class WrittenCommissionPolicy(Written, CommissionPolicyAnswer):
    """rulebookVersion: from this version on it holds."""
