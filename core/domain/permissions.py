"""Who may do what, and how far: the only table of permissions. What is not in it is denied."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Role(StrEnum):
    ADMIN = "ADMIN"
    BANCA = "BANCA"
    VENTANA = "VENTANA"
    VENDEDOR = "VENDEDOR"


class Scope(StrEnum):
    """How far a permission reaches: what is the user's own, its ventana's, its banca's, or everything."""

    OWN = "OWN"
    VENTANA = "VENTANA"
    BANCA = "BANCA"
    PLATFORM = "PLATFORM"


class Permission(StrEnum):
    PROFILE_READ = "profile.read"
    SESSIONS_READ = "sessions.read"
    SESSIONS_REVOKE = "sessions.revoke"
    TERMINALS_READ = "terminals.read"
    TERMINALS_ADMINISTER = "terminals.administer"
    LOTERIAS_READ = "loterias.read"
    SORTEOS_READ = "sorteos.read"
    BALANCE_READ = "balance.read"
    TICKETS_SELL = "tickets.sell"
    TICKETS_CANCEL = "tickets.cancel"
    TICKETS_READ = "tickets.read"


_EVERYONE_OWN = dict.fromkeys(Role, Scope.OWN)
_EVERYONE_IN_THE_BANCA = dict.fromkeys(Role, Scope.BANCA)
_BY_PLACE = {
    Role.ADMIN: Scope.BANCA,
    Role.BANCA: Scope.BANCA,
    Role.VENTANA: Scope.VENTANA,
    Role.VENDEDOR: Scope.OWN,
}

PERMISSIONS: Mapping[Permission, Mapping[Role, Scope]] = MappingProxyType(
    {
        Permission.PROFILE_READ: _EVERYONE_OWN,
        Permission.SESSIONS_READ: _EVERYONE_OWN,
        Permission.SESSIONS_REVOKE: _EVERYONE_OWN | {Role.ADMIN: Scope.PLATFORM},
        Permission.TERMINALS_READ: {Role.ADMIN: Scope.BANCA, Role.BANCA: Scope.BANCA, Role.VENTANA: Scope.VENTANA},
        Permission.TERMINALS_ADMINISTER: {Role.ADMIN: Scope.BANCA, Role.BANCA: Scope.BANCA},
        Permission.LOTERIAS_READ: _EVERYONE_IN_THE_BANCA,
        Permission.SORTEOS_READ: _EVERYONE_IN_THE_BANCA,
        Permission.BALANCE_READ: {Role.VENDEDOR: Scope.OWN},
        # In nobody's name but one's own.
        Permission.TICKETS_SELL: {Role.VENDEDOR: Scope.OWN},
        Permission.TICKETS_CANCEL: {Role.VENDEDOR: Scope.OWN},
        Permission.TICKETS_READ: _BY_PLACE,
    }
)


def scope_of(permission: Permission, role: Role) -> Scope | None:
    """How far the role may use the permission; None: not at all."""
    return PERMISSIONS.get(permission, {}).get(role)
