from __future__ import annotations

from api.models.wire import AnswerModel


class Written(AnswerModel):
    """rulebookVersion: from this version on it holds."""

    rulebook_version: int
