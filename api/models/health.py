from __future__ import annotations

from api.models.wire import AnswerModel


class CheckAnswer(AnswerModel):
    """The state of one part.

    status: up, down, late, or off (not configured). ms: how long the check took. reason: of what is not up: away,
    timeout, read_only, full, overloaded, busy, refused, outdated or broken; writes_refused of a Valkey that takes none.
    """

    status: str
    ms: float
    detail: dict[str, float]
    reason: str | None = None


class LiveAnswer(AnswerModel):
    status: str = "up"


class HealthAnswer(AnswerModel):
    """status: up; degraded (work goes on without a part); down (nothing can be sold)."""

    status: str
    checks: dict[str, CheckAnswer]
