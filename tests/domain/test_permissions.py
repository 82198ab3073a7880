"""The table of permissions: what is not in it is denied."""

import pytest

from core.domain.permissions import PERMISSIONS, Permission, Role, Scope, scope_of


def test_every_permission_has_a_row() -> None:
    assert set(PERMISSIONS) == set(Permission)


@pytest.mark.parametrize("permission", Permission)
def test_a_permission_reaches_as_far_as_its_row_says(permission: Permission) -> None:
    assert {role: scope_of(permission, role) for role in Role} == dict.fromkeys(Role) | dict(PERMISSIONS[permission])


def test_a_role_without_an_entry_is_denied() -> None:
    assert scope_of(Permission.BALANCE_READ, Role.ADMIN) is None
    assert scope_of(Permission.BALANCE_READ, Role.VENDEDOR) is Scope.OWN
