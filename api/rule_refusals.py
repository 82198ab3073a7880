"""What the rules of writing rules refuse, as problems: the status of every code, in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import asyncpg
from pydantic import BaseModel

from api.context import RequestContext
from api.keys import SETTINGS
from api.problems import ProblemError, refuse
from api.validation import validation_failed
from core.domain.money import format_hundredths
from core.domain.text import shown
from core.domain.violations import Violation

STATUSES: Mapping[str, int] = {
    "FIELD_INVALID": 400,
    "FIELD_UNKNOWN": 400,
    "TEXT_INVALID": 400,
    "COMMISSION_RULE_DUPLICATE": 400,
    "TIME_ZONE_UNKNOWN": 400,
    "MULTIPLIER_NOT_FOUND": 404,
    "SELLER_NOT_FOUND": 404,
    "VENTANA_NOT_FOUND": 404,
    "RESTRICTION_SCOPE_FORBIDDEN": 403,
    "VENTANA_WRITE_FORBIDDEN": 403,
    "VENTANA_BOUND_EXCEEDED": 403,
    "RESTRICTION_EXISTS": 409,
}
# The form first; then what is not there, before whose it is, so that a stranger's row and none look the same.
_PRECEDENCE = (400, 404, 403, 409)
# The documents' readers and the requests' validation name the same faults differently; the API has one name.
_WIRE_CODES = {"INVALID_FIELD": "FIELD_INVALID", "UNKNOWN_FIELD": "FIELD_UNKNOWN"}

CONFLICTS: Mapping[str, tuple[str, str]] = {
    "restriction_rules_same_only_once": ("RESTRICTION_EXISTS", "There is an active rule like this one."),
    "multiplier_overrides_one_while_active": ("OVERRIDE_EXISTS", "There is an active override for this lottery."),
    "sorteos_banca_id_loteria_id_scheduled_at_key": ("SORTEO_EXISTS", "The lottery has a draw at this instant."),
    "loterias_banca_id_name_key": ("LOTERIA_EXISTS", "The banca has a lottery of this name."),
    "loteria_multipliers_name_unique_while_active": (
        "MULTIPLIER_EXISTS",
        "The lottery has an active multiplier of this name.",
    ),
}


def refusal(violations: Sequence[Violation], *, prefix: str = "") -> ProblemError:
    """Of at least one violation; all are told. prefix: where the judged document stands in the body."""
    told = [_at_the_wire(violation, prefix) for violation in violations]
    status = min((STATUSES[violation.code] for violation in told), key=_PRECEDENCE.index)
    if status == 400:
        return validation_failed(told)
    first = next(violation for violation in told if STATUSES[violation.code] == status)
    return refuse(status, first.code, f"{first.message[:1].upper()}{first.message[1:]}.", violations=told)


def require_change(body: BaseModel | Mapping[str, object]) -> None:
    """Raises ProblemError VALIDATION_FAILED for a change that names nothing."""
    named = body.model_fields_set if isinstance(body, BaseModel) else body
    if not named:
        raise validation_failed([Violation("FIELD_REQUIRED", "Name what to change.")])


def require_multiplier(context: RequestContext, x_hundredths: int | None, *, field: str) -> None:
    """Raises ProblemError MULTIPLIER_EXCEEDED above MULTIPLIER_MAX: nothing could be sold with it. None: no change."""
    maximum = context.app[SETTINGS].multiplier_max
    if x_hundredths is not None and x_hundredths > maximum:
        text = format_hundredths(maximum)
        message = f"No multiplier may be above {text}."
        violation = Violation("MULTIPLIER_EXCEEDED", message, field, {"maxMultiplier": text})
        raise refuse(400, "MULTIPLIER_EXCEEDED", message, violations=[violation])


def conflict(error: asyncpg.UniqueViolationError) -> ProblemError | None:
    """409 for what may be there only once; None: a defect of ours."""
    known = CONFLICTS.get(error.constraint_name or "")
    return None if known is None else refuse(409, *known)


def _at_the_wire(violation: Violation, prefix: str) -> Violation:
    field = shown(".".join(part for part in (prefix, violation.field) if part)) or None
    return replace(violation, code=_WIRE_CODES.get(violation.code, violation.code), field=field)
