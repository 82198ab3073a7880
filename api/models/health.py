from __future__ import annotations

from api.models.wire import AnswerModel


class CheckAnswer(AnswerModel):
    """status: up, down, late, or off (not configured). ms: how long the check took."""

    status: str
    ms: float
    detail: dict[str, float]


class LiveAnswer(AnswerModel):
    status: str = "up"


class HealthAnswer(AnswerModel):
    """status: up; degraded (work goes on without a part); down (the database is away)."""

    status: str
    checks: dict[str, CheckAnswer]
