"""What runs here, and what its refusals mean, at the wire."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.models.wire import AnswerModel, Instant


class FrontLinks(AnswerModel):
    """Addresses of this API."""

    docs: str = Field(description="The API for people.")
    openapi: str = Field(description="The API for programs.")
    problems: str = Field(description="What refusals mean.")
    health: str = Field(description="Whether this process can sell.")


class FrontAnswer(AnswerModel):
    """What runs."""

    name: str = Field(description="Always Banca.")
    version: str = Field(description="The program's version.")
    since: Instant = Field(description="When this process began.")
    status: Literal["up", "degraded", "down"] = Field(
        description="up; degraded: work goes on without a part; down: nothing can be sold."
    )
    links: FrontLinks = Field(description="Where to go on.")


class ProblemExplained(AnswerModel):
    """A code of refusals."""

    type: str = Field(description="The `type` of such refusals: the address of this explanation.")
    code: str = Field(description="The stable word that refusals carry.")
    title: str
    statuses: list[int] = Field(description="Of HTTP; none of a code that stands in `violations` only.")
    meaning: str = Field(description="When it is answered.")
    action: str | None = Field(description="What the client does.")
    is_recorded: bool = Field(description="Whether the answer stands for its `Idempotency-Key`.")


class ProblemList(AnswerModel):
    """Every code."""

    data: list[ProblemExplained]
