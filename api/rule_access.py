"""Whose rules somebody sees, and as whom somebody writes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, assert_never
from uuid import UUID

import asyncpg

from api.context import RequestContext
from api.problems import ProblemError, refuse
from api.rule_refusals import refusal
from core.domain.impersonation import ActingUser
from core.domain.permissions import Role, Scope
from core.domain.ventana_bounds import VentanaBounds, VentanaWrite
from core.domain.violations import Violation
from core.queries import sql


class PlacesSeen(NamedTuple):
    """The only ventana, and the only seller of it, whose rules are seen; None: all."""

    ventana_id: UUID | None
    seller_id: UUID | None


def places_seen(context: RequestContext) -> PlacesSeen:
    principal = context.principal
    match context.scope:
        case Scope.PLATFORM | Scope.BANCA:
            return PlacesSeen(None, None)
        case Scope.VENTANA:
            return PlacesSeen(principal.ventana_id, None)
        case Scope.OWN:
            return PlacesSeen(principal.ventana_id, principal.user_id)
        case _:
            assert_never(context.scope)


def acting_user(context: RequestContext) -> ActingUser:
    """Whoever was admitted to a banca may work in it."""
    principal = context.principal
    return ActingUser(principal.user_id, principal.role, principal.ventana_id, frozenset((context.banca_id,)))


def require_author(context: RequestContext, row: asyncpg.Record) -> None:
    """A ventana changes what ventanas wrote; what anybody else wrote, or changed since, is the banca's.

    row: a stored rule, with its authors. Raises ProblemError RULE_OF_THE_BANCA.
    """
    author = row["updated_by_role"] or row["created_by_role"]
    if context.scope is Scope.VENTANA and author != Role.VENTANA:
        raise rule_of_the_banca("The banca set this rule; only the banca changes it.")


async def ventana_bounds(context: RequestContext, connection: Any) -> VentanaBounds:
    """What the banca lets its ventanas write, as it stands; under the rules' lock it stays so."""
    row = await connection.fetchrow(sql("settings/ventana_bounds"), context.banca_id)
    writes = frozenset(map(VentanaWrite, row["writes"]))
    return VentanaBounds(row["max_x_hundredths"], row["max_basis_points"], writes)


async def require_bounds(
    context: RequestContext, connection: Any, judge: Callable[[VentanaBounds], Sequence[Violation]], *, prefix: str = ""
) -> None:
    """A ventana keeps to the bounds that its banca sets; administrators are not bound.

    connection: of what is written, after its lock. judge: everything that speaks against the write. prefix: where the
    judged document stands in the body. Raises ProblemError VENTANA_WRITE_FORBIDDEN, VENTANA_BOUND_EXCEEDED.
    """
    if context.scope is not Scope.VENTANA:
        return
    if violations := judge(await ventana_bounds(context, connection)):
        raise refusal(violations, prefix=prefix)


def rule_of_the_banca(detail: str) -> ProblemError:
    return refuse(403, "RULE_OF_THE_BANCA", detail)


def require_own_banca(context: RequestContext) -> None:
    """The banca of the path is the one that the request works in. Raises ProblemError BANCA_NOT_FOUND."""
    if context.path_id("bancaId") != context.banca_id:
        raise refuse(404, "BANCA_NOT_FOUND", "There is no such banca.")
