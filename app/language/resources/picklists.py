"""Other spellings of a picklist value are rewritten on the way in; unknown values are kept, and `describe` tells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import orjson

from app.language.resources.batch import Batch, Draft
from app.language.resources.custom import PREFIX
from app.language.resources.fields import CUSTOM
from app.language.resources.resource import Resource

NOUN = "picklist_values"


@lru_cache
def fields(resource: Resource) -> tuple[str, ...]:
    """Its picklists as `picklist_values` call them behind the noun: `role` of a child is `contact_roles.role`."""
    of_children = [f"{c.name}.{x.name}" for c in resource.children for x in c.fields if x.kind == "picklist"]
    return (*(x.name for x in resource.fields if x.kind == "picklist"), *of_children)


@lru_cache
def aliases(resource: Resource) -> str:
    """`[[field, alias, value], …]` of the noun's picklists; names of fields are ours, so they stand in the text."""
    return (
        "select coalesce(json_agg(json_build_array(field, alias, value)), '[]') "
        "from picklist_values, jsonb_array_elements_text(aliases) as x (alias) "
        f"where tenant_id = $1 and {_of(resource)} and deleted_at is null"
    )


def _of(resource: Resource) -> str:
    names = ", ".join(f"'{resource.name}.{name}'" for name in fields(resource))
    of_tenant = f"starts_with(field, '{resource.name}.{PREFIX}')"
    return f"(field in ({names}) or {of_tenant})" if names else of_tenant


def sent(batch: Batch) -> bool:
    standing = batch.standing
    told = set().union(*(d.changes for d in standing))
    named = [name for name in _known(batch) if not told.isdisjoint(_bearers(name))]
    return any(next(_places(d, name), None) for name in named for d in standing)


@lru_cache(maxsize=4096)
def _bearers(name: str) -> tuple[str, ...]:
    """What a row has to name, that this picklist can stand in it."""
    child, dot, _ = name.partition(".")
    return (child, f"{child}_merge") if dot else (name,)


def _known(batch: Batch) -> Iterable[str]:
    resource = batch.resource
    if not (added := batch.principal.tenant.custom.of(resource.plural)):
        return fields(resource)
    return (*fields(resource), *(PREFIX + name for name, kind in added.items() if kind == "picklist"))


def rewrite_aliases(batch: Batch, told: str) -> None:
    meant: dict[tuple[str, Any], str] = {
        (field.partition(".")[2], alias): value for field, alias, value in orjson.loads(told)
    }
    for draft in batch.standing if meant else ():
        for name in _known(batch):
            for values, key in _places(draft, name):
                if (name, values[key]) in meant:
                    values[key] = meant[name, values[key]]


def _places(draft: Draft, name: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Where a picklist stands in a draft that nothing has taken apart yet."""
    child, _, field = name.rpartition(".")
    changes = draft.changes
    if child == CUSTOM:
        rows = [changes.get(CUSTOM) or {}]
    else:
        rows = [*(changes.get(child) or ()), *(changes.get(f"{child}_merge") or ())] if child else [changes]
    for row in rows:
        if row.get(field) is not None:
            yield row, field
