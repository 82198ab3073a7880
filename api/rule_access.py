"""Whose rules somebody sees, and as whom somebody writes them."""

from __future__ import annotations

from typing import NamedTuple, assert_never
from uuid import UUID

from api.context import RequestContext
from api.problems import refuse
from core.domain.impersonation import ActingUser
from core.domain.permissions import Scope


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


def require_own_banca(context: RequestContext) -> None:
    """The banca of the path is the one that the request works in. Raises ProblemError BANCA_NOT_FOUND."""
    if context.path_id("bancaId") != context.banca_id:
        raise refuse(404, "BANCA_NOT_FOUND", "There is no such banca.")
