"""Members of restriction rules: each scope of the small banca, and lottery with multiplier."""

from typing import Any
from uuid import UUID

from tests.domain.domain_samples import BANCA, L1, OF_REVENTADO, SELLER, VENTANA, X85

# Of the whole banca, of the ventana, of the seller.
B: dict[str, Any] = {"bancaId": str(BANCA)}
V: dict[str, Any] = {"ventanaId": str(VENTANA)}
U: dict[str, Any] = {"userId": str(SELLER)}
PAIR: dict[str, Any] = {"loteriaId": str(L1), "multiplierId": str(X85)}
PAIR_REVENTADO: dict[str, Any] = {"loteriaId": str(L1), "multiplierId": str(OF_REVENTADO)}
# Neither this ventana nor this seller.
OTHER = str(UUID(int=99))
