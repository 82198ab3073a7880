from __future__ import annotations

from api.models.wire import AnswerModel, Instant


class CheckAnswer(AnswerModel):
    """The state of one part.

    status: up, down, late, or off (not configured). ms: how long the check took. reason: of what is not up: away,
    timeout, read_only, full, overloaded, busy, refused, outdated or broken; writes_refused of a Valkey that takes none,
    alarm of a RabbitMQ that lacks memory or disk. since: when the process that answers found it so first, after it was
    otherwise. consequence: of what is not up, what cannot be done, in words.
    """

    status: str
    ms: float
    detail: dict[str, float]
    reason: str | None = None
    since: Instant | None = None
    consequence: str | None = None


class LiveAnswer(AnswerModel):
    status: str = "up"


class HealthAnswer(AnswerModel):
    """status: up; degraded (work goes on without a part); down (nothing can be sold)."""

    status: str
    checks: dict[str, CheckAnswer]
