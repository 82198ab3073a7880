"""In whose name somebody may sell (§2.3)."""

from __future__ import annotations

from typing import assert_never
from uuid import UUID

from msgspec import Struct

from core.domain.permissions import Role
from core.domain.rulebook import Rulebook, Seller
from core.domain.violations import Violation

SELLER_NOT_OWN = "SELLER_NOT_OWN"
SELLER_NOT_FOUND = "SELLER_NOT_FOUND"
VENDEDOR_ID_REQUIRED = "VENDEDOR_ID_REQUIRED"


class ActingUser(Struct, frozen=True, gc=False):
    """ventana_id: of VENTANA and VENDEDOR. banca_ids: those that a BANCA user is assigned to."""

    id: UUID
    role: Role
    ventana_id: UUID | None = None
    banca_ids: frozenset[UUID] = frozenset()


def effective_seller(acting: ActingUser, *, vendedor_id: UUID | None, rulebook: Rulebook) -> Seller | Violation:
    """The seller of a ticket that acting wants to sell, or why not: 403 SELLER_NOT_OWN, 404 SELLER_NOT_FOUND, 400.

    rulebook: of the banca that the request is for. Whether the seller is active is the sale's to judge.
    """
    if vendedor_id is None:
        if acting.role is not Role.VENDEDOR:
            return Violation(VENDEDOR_ID_REQUIRED, "say in whose name: vendedorId", "vendedorId")
        vendedor_id = acting.id
    if acting.role is Role.VENDEDOR and vendedor_id != acting.id:
        return Violation(SELLER_NOT_OWN, "This is another seller.", "vendedorId")
    seller = rulebook.sellers.get(vendedor_id)
    if seller is None:
        return Violation(SELLER_NOT_FOUND, "This banca has no such seller.", "vendedorId")
    if not owns_seller(acting, seller, banca_id=rulebook.banca_id):
        return Violation(SELLER_NOT_OWN, "This seller is not one of yours.", "vendedorId")
    return seller


def owns_seller(acting: ActingUser, seller: Seller, *, banca_id: UUID) -> bool:
    match acting.role:
        case Role.ADMIN:
            return True
        case Role.BANCA:
            return banca_id in acting.banca_ids
        case Role.VENTANA:
            return seller.ventana_id == acting.ventana_id
        case Role.VENDEDOR:
            return seller.id == acting.id
        case _:
            assert_never(acting.role)


def selling_role(acting: ActingUser, seller: Seller) -> Role:
    """createdByRole: VENDEDOR for oneself, else the actor's. VENTANA and ADMIN pass over the seller's own rules."""
    return Role.VENDEDOR if acting.id == seller.id else acting.role
