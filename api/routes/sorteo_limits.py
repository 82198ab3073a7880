"""A draw's own limits: what may be sold of each number, and of single ones instead."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, TypeVar

import asyncpg

from api.conditional import IfMatch
from api.context import RequestContext
from api.keys import DATABASE
from api.models.sorteo_limits import NumberLimit, NumberLimitIn, SorteoLimits, SorteoLimitsIn, WrittenSorteoLimits
from api.operations import Operation
from api.problems import refuse
from api.rulebook_edits import Target, edit_rulebook
from api.validation import validation_failed
from core.activity_events import Action
from core.domain.numbers import NumberError, parse_number
from core.domain.permissions import Permission
from core.domain.sorteo_states import SorteoStatus
from core.domain.violations import Violation
from core.queries import sql

Limits = TypeVar("Limits", bound=SorteoLimits)
OVER = frozenset({SorteoStatus.CLOSED, SorteoStatus.EVALUATED})


async def get_sorteo_limits(context: RequestContext) -> SorteoLimits:
    """The limits that a draw has of its own."""
    async with context.app[DATABASE].tenant(context.banca_id) as connection:
        return SorteoLimits(**members(await draw(context, connection)))


async def set_sorteo_limits(context: RequestContext, body: SorteoLimitsIn) -> WrittenSorteoLimits:
    """Replace the limits that a draw has of its own.

    Tickets already sold stand, also above a limit that was lowered.
    """
    async with edit_rulebook(context) as edit:
        sorteo_id = context.path_id("sorteoId")
        await edit.connection.execute(sql("sorteo_limits/lock_draw"), edit.banca_id, sorteo_id)
        row = await draw(context, edit.connection)
        if row["status"] in OVER:
            raise refuse(409, "SORTEO_CLOSED", "The draw is closed; its limits stand.")
        numbers = read_numbers(body.number_limits, digits=row["digits"])
        amounts = [limit.max_amount for limit in body.number_limits]
        before = SorteoLimits(**members(row))
        context.require_match(before)
        await edit.lock()
        await edit.connection.execute(sql("sorteo_limits/clear"), edit.banca_id, sorteo_id, numbers, amounts)
        await edit.connection.execute(sql("sorteo_limits/set_numbers"), edit.banca_id, sorteo_id, numbers, amounts)
        await edit.connection.execute(sql("sorteo_limits/set_global"), edit.banca_id, sorteo_id, body.global_limit)
        after = SorteoLimits(**members(await draw(context, edit.connection)))
        answer = WrittenSorteoLimits(**dict(after), rulebook_version=await edit.version())
        await edit.record(
            Action.SORTEO_LIMIT_UPDATE,
            Target.SORTEO,
            sorteo_id,
            before=without_limits_of(after, before),
            after=without_limits_of(before, answer),
        )
        return answer


def without_limits_of(other: SorteoLimits, limits: Limits) -> Limits:
    """limits, but of the numbers only those that the other does not limit alike."""
    known = {(limit.number, limit.max_amount) for limit in other.number_limits}
    own = [limit for limit in limits.number_limits if (limit.number, limit.max_amount) not in known]
    return limits.model_copy(update={"number_limits": own})


def read_numbers(limits: Sequence[NumberLimitIn], *, digits: int) -> list[int]:
    """Raises ProblemError VALIDATION_FAILED with every number that is none of the draw's, or is there twice."""
    numbers: list[int] = []
    violations: list[Violation] = []
    for index, limit in enumerate(limits):
        place = f"numberLimits[{index}].number"
        try:
            number = parse_number(limit.number, digits=digits)
        except NumberError as error:
            violations.append(Violation(error.code, error.message, place))
            continue
        if number in numbers:
            violations.append(Violation("FIELD_INVALID", "The number has a limit already.", place))
        numbers.append(number)
    if violations:
        raise validation_failed(violations)
    return numbers


async def draw(context: RequestContext, connection: Any) -> asyncpg.Record:
    row: asyncpg.Record | None = await connection.fetchrow(
        sql("sorteo_limits/draw"), context.banca_id, context.path_id("sorteoId")
    )
    if row is None:
        raise refuse(404, "SORTEO_NOT_FOUND", "There is no such sorteo.")
    return row


def members(row: asyncpg.Record) -> dict[str, Any]:
    limits = [
        # A limit may be wider than a draw whose digits changed afterwards; it is shown, and limits nothing.
        NumberLimit(number=f"{limit['number']:0{row['digits']}d}", max_amount=limit["max_amount"])
        for limit in row["number_limits"]
    ]
    return {"sorteo_id": row["sorteo_id"], "global_limit": row["global_limit"], "number_limits": limits}


LIMITS = partial(
    Operation,
    path="/api/v1/sorteos/{sorteoId}/limits",
    permission=Permission.SORTEOS_ADMINISTER,
    tags=("sorteos",),
    tagged=True,
)
OPERATIONS = (
    LIMITS(method="GET", handler=get_sorteo_limits, responses={200: SorteoLimits, 304: None}),
    LIMITS(
        method="PUT",
        if_match=IfMatch.REQUIRED,
        handler=set_sorteo_limits,
        body=SorteoLimitsIn,
        responses={200: WrittenSorteoLimits},
    ),
)
