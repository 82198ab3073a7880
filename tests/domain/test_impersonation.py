"""§2.3: who may sell in whose name."""

from uuid import UUID

import pytest

from core.domain.impersonation import ActingUser, effective_seller, selling_role
from core.domain.permissions import Role
from core.domain.rulebook import Seller
from tests.domain.domain_samples import BANCA, SELLER, UNKNOWN, VENTANA, rulebook

COLLEAGUE, ELSEWHERE, OTHER_VENTANA = UUID(int=32), UUID(int=33), UUID(int=22)
BOOK = rulebook(
    ventanas=[{"id": str(ventana), "policy": None, "listeroPolicy": None} for ventana in (VENTANA, OTHER_VENTANA)],
    sellers=[
        {"id": str(seller), "ventanaId": str(ventana), "policy": None}
        for seller, ventana in ((SELLER, VENTANA), (COLLEAGUE, VENTANA), (ELSEWHERE, OTHER_VENTANA))
    ],
)
HERSELF = ActingUser(SELLER, Role.VENDEDOR, VENTANA)
LISTERO = ActingUser(UUID(int=50), Role.VENTANA, VENTANA)
OWNER = ActingUser(UUID(int=51), Role.BANCA, banca_ids=frozenset({BANCA}))
OTHER_OWNER = ActingUser(UUID(int=52), Role.BANCA, banca_ids=frozenset({UUID(int=2)}))
ADMIN = ActingUser(UUID(int=53), Role.ADMIN)


@pytest.mark.parametrize(
    ("acting", "vendedor_id", "found"),
    [
        (HERSELF, None, SELLER),
        (HERSELF, SELLER, SELLER),
        (HERSELF, COLLEAGUE, "SELLER_NOT_OWN"),
        (HERSELF, UNKNOWN, "SELLER_NOT_OWN"),
        (ActingUser(UNKNOWN, Role.VENDEDOR), None, "SELLER_NOT_FOUND"),
        (LISTERO, None, "VENDEDOR_ID_REQUIRED"),
        (LISTERO, COLLEAGUE, COLLEAGUE),
        (LISTERO, ELSEWHERE, "SELLER_NOT_OWN"),
        (LISTERO, UNKNOWN, "SELLER_NOT_FOUND"),
        (ActingUser(UUID(int=54), Role.VENTANA), SELLER, "SELLER_NOT_OWN"),
        (OWNER, None, "VENDEDOR_ID_REQUIRED"),
        (OWNER, ELSEWHERE, ELSEWHERE),
        (OTHER_OWNER, SELLER, "SELLER_NOT_OWN"),
        (ADMIN, None, "VENDEDOR_ID_REQUIRED"),
        (ADMIN, ELSEWHERE, ELSEWHERE),
        (ADMIN, UNKNOWN, "SELLER_NOT_FOUND"),
    ],
)
def test_everybody_sells_for_the_sellers_they_own(
    acting: ActingUser, vendedor_id: UUID | None, found: UUID | str
) -> None:
    result = effective_seller(acting, vendedor_id=vendedor_id, rulebook=BOOK)
    if isinstance(found, UUID):
        assert isinstance(result, Seller)
        assert result.id == found
    else:
        assert not isinstance(result, Seller)
        assert (result.code, result.field) == (found, "vendedorId")


def test_a_ticket_is_the_sellers_own_unless_somebody_else_sold_it() -> None:
    seller = BOOK.sellers[SELLER]
    assert selling_role(HERSELF, seller) is Role.VENDEDOR
    assert [selling_role(acting, seller) for acting in (LISTERO, OWNER, ADMIN)] == [
        Role.VENTANA,
        Role.BANCA,
        Role.ADMIN,
    ]
