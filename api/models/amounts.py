"""Money that moves, as requests write it: text or a JSON number, more than nothing, at most two decimals."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from core.domain.money import AmountError, Cents, parse_amount


def _amount(value: Any) -> Cents:
    try:
        return parse_amount(value)
    except AmountError as error:
        raise PydanticCustomError(error.code, "{reason}", {"reason": error.message}) from None


AmountIn = Annotated[
    int,
    BeforeValidator(_amount),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^(0|[1-9][0-9]*)(\.[0-9]{1,2})?$"},
                {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.01},
            ],
            "examples": ["500.00"],
        },
        mode="validation",
    ),
]
