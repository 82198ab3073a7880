"""Whose statements somebody asks for, within what the role may see (§5.8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never
from uuid import UUID

from api.context import RequestContext
from api.models.statements import DimensionName, PeriodQuery, StatementScope, TargetQuery
from api.problems import ProblemError, refuse
from core.domain.permissions import Scope
from core.domain.statements import Dimension


@dataclass(frozen=True, slots=True)
class Target:
    """entity_id: the only one; None: all of the dimension, of one ventana where it is given."""

    dimension: Dimension
    entity_id: UUID | None = None
    ventana_id: UUID | None = None


def target_of(context: RequestContext, asked: TargetQuery) -> Target:
    """Raises ProblemError FORBIDDEN, NO_VENTANA, INVALID_DIMENSION, ENTITY_NOT_FOUND."""
    if asked.banca_id not in (None, context.banca_id):
        raise entity_not_found()
    match context.scope:
        case Scope.OWN:
            return _of_seller(context, asked)
        case Scope.VENTANA:
            return _of_ventana(context, asked)
        case Scope.BANCA | Scope.PLATFORM:
            return _of_banca(context, asked)
        case _:
            assert_never(context.scope)


def statements_asked(context: RequestContext, asked: PeriodQuery) -> Target:
    """The same of what may be read as if no seller had been reset: not by sellers."""
    if asked.ignore_reset and context.scope is Scope.OWN:
        raise refuse(403, "FORBIDDEN", "A seller's statement begins where it was reset.")
    return target_of(context, asked)


def _of_seller(context: RequestContext, asked: TargetQuery) -> Target:
    seller = context.principal.user_id
    if asked.scope not in (None, StatementScope.MINE):
        raise refuse(403, "FORBIDDEN", "A seller sees its own statement: scope=mine.")
    if asked.dimension not in (None, DimensionName.VENDEDOR):
        raise _invalid("A seller's statement is of dimension=vendedor.")
    if asked.vendedor_id not in (None, seller) or asked.ventana_id not in (None, context.principal.ventana_id):
        raise entity_not_found()
    return Target(Dimension.VENDEDOR, seller)


def _of_ventana(context: RequestContext, asked: TargetQuery) -> Target:
    ventana = context.principal.ventana_id
    if ventana is None:
        raise refuse(403, "NO_VENTANA", "The user belongs to no ventana.")
    if asked.scope is StatementScope.ALL:
        raise refuse(
            403, "FORBIDDEN", "A ventana sees its own statement and its sellers': scope=mine or scope=ventana."
        )
    if asked.ventana_id not in (None, ventana):
        raise entity_not_found()
    about_sellers = asked.vendedor_id is not None or asked.dimension is DimensionName.VENDEDOR
    scope = asked.scope or (StatementScope.VENTANA if about_sellers else StatementScope.MINE)
    if scope is StatementScope.MINE:
        if about_sellers or asked.dimension not in (None, DimensionName.VENTANA):
            raise _invalid("The ventana's own statement is of dimension=ventana.")
        return Target(Dimension.VENTANA, ventana)
    if asked.dimension not in (None, DimensionName.VENDEDOR):
        raise _invalid("Statements of a ventana's sellers are of dimension=vendedor.")
    return Target(Dimension.VENDEDOR, asked.vendedor_id, ventana)


def _of_banca(context: RequestContext, asked: TargetQuery) -> Target:
    dimension = asked.dimension or _narrowest(asked)
    if dimension is not DimensionName.VENDEDOR and asked.vendedor_id is not None:
        raise _invalid("A seller's statement is of dimension=vendedor.")
    match dimension:
        case DimensionName.VENDEDOR:
            return Target(Dimension.VENDEDOR, asked.vendedor_id, asked.ventana_id)
        case DimensionName.VENTANA:
            return Target(Dimension.VENTANA, asked.ventana_id)
        case DimensionName.BANCA:
            if asked.ventana_id is not None:
                raise _invalid("A ventana's statement is of dimension=ventana.")
            return Target(Dimension.BANCA, context.banca_id)
        case _:
            assert_never(dimension)


def _narrowest(asked: TargetQuery) -> DimensionName:
    if asked.vendedor_id is not None:
        return DimensionName.VENDEDOR
    return DimensionName.VENTANA if asked.ventana_id is not None else DimensionName.BANCA


def entity_not_found() -> ProblemError:
    return refuse(404, "ENTITY_NOT_FOUND", "There is no such seller, ventana or banca.")


def _invalid(detail: str) -> ProblemError:
    return refuse(400, "INVALID_DIMENSION", detail)
