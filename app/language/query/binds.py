"""Values that wait outside a compiled statement, so that one text serves every caller who asks the same shape."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from types import MappingProxyType
from typing import Any

from sqlalchemy import Integer, Text, bindparam, literal_column
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.sql.elements import BindParameter, ColumnElement
from sqlalchemy.types import TypeEngine

from app.ground.access.principal import Principal
from app.ground.database.tables import MOMENT


class Binds:
    """The named parameters of one statement while it is built.

    `tenant`, `rep`, `home`, `as_of` and `known_at` are the same in every statement; what a caller compares with is
    `v0`, `v1` … in the order in which it was read. `role`, `sees_all` and `custom`, the nouns to which the tenant has
    added fields, shape the text, so they are part of any cache key. `known_now` is set where no `known_at` was asked,
    `once` where all that a statement reads is read as of one moment.
    """

    known_now = False
    few = False
    new = False
    plain = False
    ever = False
    once = False
    fixed: Mapping[ColumnElement[Any], BindParameter[Any]] = MappingProxyType({})

    def __init__(
        self,
        *,
        role: str,
        sees_all: bool,
        sees_unowned: bool = True,
        as_of: bool = False,
        custom: frozenset[str] = frozenset(),
    ) -> None:
        self.role = role
        self.sees_all = sees_all
        self.sees_unowned = sees_unowned
        self.as_of = as_of
        self.custom = custom

    @classmethod
    def of(cls, principal: Principal, *, as_of: bool = False) -> Binds:
        return cls(
            role=principal.role,
            sees_all=principal.sees_all,
            sees_unowned=principal.role in principal.tenant.unowned_visible_to,
            as_of=as_of,
            custom=principal.tenant.custom.nouns,
        )

    def for_few(self) -> Binds:
        """The same, for a condition that is asked of single records: look each up, and hash no table for it.

        Without a known manager the planner guesses that two reps are in reach, and would rather read all their links
        beforehand.
        """
        probing = copy(self)
        probing.few, probing.new = True, False
        return probing

    def fixing(self, values: Mapping[ColumnElement[Any], BindParameter[Any]]) -> Binds:
        """The same, where the statement already demands that these columns have these values."""
        known = copy(self)
        known.fixed = values
        return known

    def for_new(self) -> Binds:
        """The same, for records that the asking statement itself stores: it sees no row that would refer to them."""
        asking = self.for_few()
        asking.new = True
        return asking

    def for_plain(self) -> Binds:
        """The same, for a condition that may say no where it would take more than a look or two to say yes."""
        asking = self.for_few()
        asking.plain = True
        return asking

    def for_ever(self) -> Binds:
        """The same, for a condition that is asked of everything that was ever so: every version, every link."""
        always = copy(self)
        always.ever = True
        return always

    @classmethod
    def signed(cls, signature: tuple[Any, ...]) -> Binds:
        role, sees_all, sees_unowned, as_of, known_now, custom = signature
        binds = cls(role=role, sees_all=sees_all, sees_unowned=sees_unowned, as_of=as_of, custom=custom)
        binds.known_now = known_now
        return binds

    @property
    def signature(self) -> tuple[object, ...]:
        """What of the asker shapes the text of a statement."""
        return (self.role, self.sees_all, self.sees_unowned, self.as_of, self.known_now, self.custom)

    @property
    def tenant(self) -> BindParameter[Any]:
        return bindparam("tenant", type_=UUID(as_uuid=True), required=True)

    @property
    def rep(self) -> BindParameter[Any]:
        """The asking principal's rep id; NULL without one, which matches nothing."""
        return bindparam("rep", type_=UUID(as_uuid=True), required=True)

    def named(self, name: str, type_: TypeEngine[Any]) -> BindParameter[Any]:
        return bindparam(name, type_=type_, required=True)

    @property
    def moment(self) -> BindParameter[Any]:
        return self.named("as_of", MOMENT)

    @property
    def known(self) -> BindParameter[Any]:
        return self.named("known_at", MOMENT)

    def standing(self, principal: Principal) -> dict[str, Any]:
        """The values that every statement may ask for."""
        return {
            "tenant": principal.tenant_id,
            "rep": principal.rep_id,
            "home": principal.tenant.home_currency,
            "zone": principal.tenant.timezone,
            **principal.tenant.custom.binds,
        }


def constant(value: str | int) -> ColumnElement[Any]:
    """Our own literal, written into the SQL text: a partial index is only used when its predicate is a constant.

    Never for what a caller sends.
    """
    if isinstance(value, int):
        return literal_column(str(value), Integer())
    quoted = value.replace("'", "''")
    return literal_column(f"'{quoted}'", Text())
