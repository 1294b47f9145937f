"""The role table, asked."""

from __future__ import annotations

from uuid import uuid4

import pytest

from app.ground.access import permissions
from app.ground.access.principal import ROLES, Principal, Tenant
from app.ground.errors import Forbidden, Invalid


def who(role: str, *scopes: str) -> Principal:
    return Principal(Tenant(uuid4(), "Acme"), role, scopes=frozenset(scopes))


def test_every_role_has_its_line() -> None:
    assert set(permissions.ROLES) == set(ROLES)


@pytest.mark.parametrize(
    ("role", "noun", "action", "allowed"),
    [
        ("admin", "api_keys", "write", True),
        ("admin", "events", "write", False),
        ("manager", "api_keys", "read", False),
        ("manager", "users", "read", True),
        ("manager", "users", "write", False),
        ("manager", "quotas", "write", True),
        ("rep", "quotas", "write", False),
        ("rep", "quotas", "read", True),
        ("rep", "opportunities", "write", True),
        ("rep", "users", "read", False),
        ("analyst", "opportunities", "read", True),
        ("analyst", "opportunities", "write", False),
        ("integration", "exchange_rates", "write", True),
        ("integration", "users", "read", False),
    ],
)
def test_roles(role: str, noun: str, action: str, allowed: bool) -> None:
    assert permissions.permits(who(role), noun, action) is allowed


@pytest.mark.parametrize("role", ROLES)
def test_a_noun_that_nobody_named_is_the_admins_alone(role: str) -> None:
    assert permissions.permits(who(role), "compensation", "read") is (role == "admin")


@pytest.mark.parametrize(
    ("scope", "noun", "action", "allowed"),
    [
        ("opportunities:read", "opportunities", "read", True),
        ("opportunities:read", "opportunities", "write", False),
        ("opportunities:read", "accounts", "read", False),
        ("opportunities:write", "opportunities", "read", True),
        ("*:read", "accounts", "read", True),
        ("*:read", "accounts", "write", False),
        ("*:write", "accounts", "write", True),
    ],
)
def test_scopes_narrow(scope: str, noun: str, action: str, allowed: bool) -> None:
    assert permissions.permits(who("admin", scope), noun, action) is allowed


def test_scopes_never_widen() -> None:
    assert not permissions.permits(who("analyst", "*:write"), "opportunities", "write")


def test_what_is_not_permitted_is_403() -> None:
    with pytest.raises(Forbidden):
        permissions.demand(who("analyst"), "opportunities", "write")


def test_the_table_for_me_leaves_out_what_is_closed() -> None:
    table = permissions.permitted(who("rep"))
    assert table["opportunities"] == ["read", "write"]
    assert table["quotas"] == ["read"]
    assert "api_keys" not in table


@pytest.mark.parametrize("scope", ["opportunities", "opportunities:delete", ":read", "a b:read"])
def test_a_scope_that_says_nothing_is_refused(scope: str) -> None:
    with pytest.raises(Invalid):
        permissions.checked_scopes([scope])
