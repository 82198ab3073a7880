"""Amounts and multipliers as the rules' requests write them: text or a JSON number, at most two decimals."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from core.domain.calendar import InstantError, parse_date
from core.domain.commission_policy import BASIS_POINTS_MAX, MULTIPLIER_X_MAX
from core.domain.money import AMOUNT_CENTS_MAX, PAYOUT_CENTS_MAX, AmountError, format_hundredths, parse_hundredths


def _decimal(*, minimum: int, maximum: int) -> Callable[[Any], int]:
    """The bounds in hundredths, both included."""

    def read(value: Any) -> int:
        try:
            hundredths = parse_hundredths(value, maximum=maximum)
        except AmountError as error:
            code = "FIELD_INVALID" if error.code == "DECIMAL_INVALID" else "FIELD_OUT_OF_RANGE"
            raise PydanticCustomError(code, "{reason}", {"reason": error.message}) from None
        if hundredths < minimum:
            least = format_hundredths(minimum)
            raise PydanticCustomError("FIELD_OUT_OF_RANGE", "must not be less than {least}", {"least": least})
        return hundredths

    return read


def _day(value: Any) -> date:
    try:
        return parse_date(value)
    except InstantError as error:
        raise PydanticCustomError("FIELD_INVALID", "{reason}", {"reason": str(error)}) from None


def _schema(example: str) -> WithJsonSchema:
    text = {"type": "string", "pattern": r"^(0|[1-9][0-9]*)(\.[0-9]{1,2})?$"}
    number = {"type": "number", "minimum": 0, "multipleOf": 0.01}
    return WithJsonSchema({"anyOf": [text, number], "examples": [example]}, mode="validation")


# Cents: a limit may be 0, which blocks.
LimitIn = Annotated[int, BeforeValidator(_decimal(minimum=0, maximum=AMOUNT_CENTS_MAX)), _schema("5000.00")]
# Cents: what a number of a draw may cost.
PayoutIn = Annotated[int, BeforeValidator(_decimal(minimum=1, maximum=PAYOUT_CENTS_MAX)), _schema("50000000.00")]
# Hundredths.
MultiplierXIn = Annotated[int, BeforeValidator(_decimal(minimum=1, maximum=MULTIPLIER_X_MAX)), _schema("90.00")]
# Basis points.
PercentIn = Annotated[int, BeforeValidator(_decimal(minimum=0, maximum=BASIS_POINTS_MAX)), _schema("12.50")]
# A Costa Rican day that the rules understand.
DayIn = Annotated[date, BeforeValidator(_day)]
