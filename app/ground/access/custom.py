"""The fields that a tenant has added to nouns, as far as every question and every write must know them.

They come with the tenant whenever somebody is let in, so nothing asks for them again. What is known may be some seconds
old, and does no harm then: a declared name is never free again and its kind never another, so an older picture only
lacks what is newest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import orjson

KINDS = ("text", "picklist", "integer", "number", "flag", "day", "moment")


@dataclass(frozen=True, slots=True, eq=False)
class Custom:
    """One object for one set of declarations, so that it is a key by what it is."""

    kinds: Mapping[str, Mapping[str, str]]
    """By noun's plural and name, in the order of names; retired fields are not among them."""
    nouns: frozenset[str]
    """Those that have any."""
    binds: Mapping[str, Any]
    """What statements ask for: of each noun the fields as nulls, and the names that are no longer shown."""

    def of(self, plural: str) -> Mapping[str, str]:
        return self.kinds.get(plural, _NOTHING)


_NOTHING: Mapping[str, Any] = MappingProxyType({})
NONE = Custom(_NOTHING, frozenset(), _NOTHING)


def declared(tenant: str) -> str:
    """SQL for what `told` reads; `tenant` is SQL for the tenant's id."""
    return (
        "(select jsonb_agg(jsonb_build_array(d.noun, d.name, d.kind, d.deleted_at is null) order by d.noun, d.name)"
        f"::text from custom_fields d where d.tenant_id = {tenant})"
    )


@lru_cache(maxsize=256)
def told(text: str | None) -> Custom:
    """One text is read once, however many keys and tenants say the same."""
    kinds: dict[str, dict[str, str]] = {}
    retired: dict[str, list[str]] = {}
    for noun, name, kind, lives in orjson.loads(text) if text else ():
        if lives:
            kinds.setdefault(noun, {})[name] = kind
        else:
            retired.setdefault(noun, []).append(name)
    if not kinds:
        return NONE
    binds: dict[str, Any] = {}
    for noun, fields in kinds.items():
        binds[f"unset_{noun}"] = dict.fromkeys(fields)
        binds[f"retired_{noun}"] = retired.get(noun, [])
    return Custom(kinds, frozenset(kinds), binds)
