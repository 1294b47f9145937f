"""Other spellings of a picklist value are rewritten on the way in; unknown values are kept, and `describe` tells."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import orjson

from app.language.resources.batch import Batch
from app.language.resources.resource import Resource


@lru_cache
def fields(resource: Resource) -> tuple[str, ...]:
    return tuple(x.name for x in resource.fields if x.kind == "picklist")


@lru_cache
def aliases(resource: Resource) -> str:
    """`[[field, alias, value], …]` of the noun's picklists; names of fields are ours, so they stand in the text."""
    names = ", ".join(f"'{resource.name}.{name}'" for name in fields(resource))
    return (
        "select coalesce(json_agg(json_build_array(field, alias, value)), '[]') "
        "from picklist_values, jsonb_array_elements_text(aliases) as x (alias) "
        f"where tenant_id = $1 and field in ({names}) and deleted_at is null"
    )


def rewrite_aliases(batch: Batch, told: str) -> None:
    meant: dict[tuple[str, Any], str] = {
        (field.partition(".")[2], alias): value for field, alias, value in orjson.loads(told)
    }
    for draft in batch.standing if meant else ():
        for name in fields(batch.resource):
            value = draft.changes.get(name)
            if (name, value) in meant:
                draft.changes[name] = meant[name, value]
