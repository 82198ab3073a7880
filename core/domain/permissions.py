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
    TICKETS_RESTORE = "tickets.restore"
    TICKETS_PAY = "tickets.pay"
    PAYMENTS_REVERSE = "payments.reverse"
    LISTAS_READ = "listas.read"
    LISTAS_ADMINISTER = "listas.administer"
    EXCLUSIONS_READ = "exclusions.read"
    LIMITS_READ = "limits.read"
    EXPOSURE_READ = "exposure.read"
    RESULTS_READ = "results.read"
    CUTOFF_READ = "cutoff.read"
    CASES_EXPLAIN = "cases.explain"
    BANCAS_ADMINISTER = "bancas.administer"
    LOTERIAS_ADMINISTER = "loterias.administer"
    SORTEOS_ADMINISTER = "sorteos.administer"
    RESTRICTIONS_READ = "restrictions.read"
    RESTRICTIONS_ADMINISTER = "restrictions.administer"
    OVERRIDES_READ = "overrides.read"
    OVERRIDES_ADMINISTER = "overrides.administer"
    COMMISSIONS_READ = "commissions.read"
    COMMISSIONS_ADMINISTER = "commissions.administer"
    STATEMENTS_READ = "statements.read"
    STATEMENTS_RESET = "statements.reset"
    STATEMENTS_DELETE = "statements.delete"
    MOVEMENTS_READ = "movements.read"
    MOVEMENTS_ADMINISTER = "movements.administer"
    CASH_MEMOS_READ = "cash_memos.read"
    CASH_MEMOS_ADMINISTER = "cash_memos.administer"
    ACTIVITY_READ = "activity.read"
    JOBS_READ = "jobs.read"
    JOBS_RUN = "jobs.run"
    JOBS_ADMINISTER = "jobs.administer"
    DEAD_LETTERS_READ = "dead_letters.read"
    DEAD_LETTERS_ADMINISTER = "dead_letters.administer"


_EVERYONE_OWN = dict.fromkeys(Role, Scope.OWN)
_EVERYONE_IN_THE_BANCA = dict.fromkeys(Role, Scope.BANCA)
_BY_PLACE = {
    Role.ADMIN: Scope.BANCA,
    Role.BANCA: Scope.BANCA,
    Role.VENTANA: Scope.VENTANA,
    Role.VENDEDOR: Scope.OWN,
}
_ADMINISTRATORS = {Role.ADMIN: Scope.BANCA, Role.BANCA: Scope.BANCA}
_ADMINISTRATORS_BY_PLACE = _ADMINISTRATORS | {Role.VENTANA: Scope.VENTANA}

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
        # In whose name, impersonation.py says.
        Permission.TICKETS_SELL: _BY_PLACE,
        Permission.TICKETS_CANCEL: _BY_PLACE,
        Permission.TICKETS_READ: _BY_PLACE,
        Permission.TICKETS_RESTORE: _BY_PLACE,
        # Of a prize that was credited to its seller only the seller, or who stands above, may hand out the cash.
        Permission.TICKETS_PAY: _BY_PLACE,
        Permission.PAYMENTS_REVERSE: _BY_PLACE,
        Permission.LISTAS_READ: _BY_PLACE,
        Permission.LISTAS_ADMINISTER: _ADMINISTRATORS,
        Permission.EXCLUSIONS_READ: _ADMINISTRATORS_BY_PLACE,
        Permission.LIMITS_READ: _BY_PLACE,
        Permission.EXPOSURE_READ: _ADMINISTRATORS_BY_PLACE,
        Permission.RESULTS_READ: _BY_PLACE,
        Permission.CUTOFF_READ: _BY_PLACE,
        # A case brings all that it is judged by.
        Permission.CASES_EXPLAIN: {Role.ADMIN: Scope.OWN, Role.BANCA: Scope.OWN},
        Permission.BANCAS_ADMINISTER: _ADMINISTRATORS,
        Permission.LOTERIAS_ADMINISTER: _ADMINISTRATORS,
        Permission.SORTEOS_ADMINISTER: _ADMINISTRATORS,
        # Which rules of its place a ventana may write, restriction_documents.py says, and up to which odds, percents and
        # kinds its banca (ventana_bounds.py); what the banca set of them, and what the ventana itself earns, stays the
        # banca's.
        Permission.RESTRICTIONS_READ: _BY_PLACE,
        Permission.RESTRICTIONS_ADMINISTER: _ADMINISTRATORS_BY_PLACE,
        Permission.OVERRIDES_READ: _BY_PLACE,
        Permission.OVERRIDES_ADMINISTER: _ADMINISTRATORS_BY_PLACE,
        Permission.COMMISSIONS_READ: _BY_PLACE,
        Permission.COMMISSIONS_ADMINISTER: _ADMINISTRATORS_BY_PLACE,
        Permission.STATEMENTS_READ: _BY_PLACE,
        Permission.STATEMENTS_RESET: _ADMINISTRATORS,
        Permission.STATEMENTS_DELETE: {Role.ADMIN: Scope.BANCA},
        Permission.MOVEMENTS_READ: _BY_PLACE,
        # No ventana moves the banca's own money, and none at all where its banca says so (ventana_bounds.py).
        Permission.MOVEMENTS_ADMINISTER: _ADMINISTRATORS_BY_PLACE,
        Permission.CASH_MEMOS_READ: _BY_PLACE,
        # What a seller handed out too much, neither it nor its ventana forgives itself.
        Permission.CASH_MEMOS_ADMINISTER: _ADMINISTRATORS,
        Permission.ACTIVITY_READ: _ADMINISTRATORS,
        Permission.JOBS_READ: _ADMINISTRATORS,
        # A banca runs those of its draws; the others whoever may set them (api/job_desk.py).
        Permission.JOBS_RUN: _ADMINISTRATORS,
        Permission.JOBS_ADMINISTER: {Role.ADMIN: Scope.BANCA},
        # They hold events of every banca.
        Permission.DEAD_LETTERS_READ: {Role.ADMIN: Scope.PLATFORM},
        Permission.DEAD_LETTERS_ADMINISTER: {Role.ADMIN: Scope.PLATFORM},
    }
)


def scope_of(permission: Permission, role: Role) -> Scope | None:
    """How far the role may use the permission; None: not at all."""
    return PERMISSIONS.get(permission, {}).get(role)
