from __future__ import annotations

from typing import ClassVar

from api.models.wire import AnswerModel


class Written(AnswerModel):
    """rulebookVersion: from this version on it holds."""

    NOT_TAGGED: ClassVar[frozenset[str]] = frozenset(("rulebook_version",))

    rulebook_version: int
