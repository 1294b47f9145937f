"""Other spellings of a picklist value are rewritten on the way in; unknown values are kept, and `describe` tells."""

from __future__ import annotations

from app.language.resources.batch import Batch

_ALIASES = """
select field, value, alias from picklist_values, jsonb_array_elements_text(aliases) as x (alias)
where tenant_id = $1 and field = any($2) and deleted_at is null
"""


async def rewrite_aliases(batch: Batch) -> None:
    resource = batch.resource
    fields = [x.name for x in resource.fields if x.kind == "picklist"]
    sent = [name for name in fields if any(d.changes.get(name) is not None for d in batch.standing)]
    if not sent:
        return
    rows = await batch.session.connection.fetch(
        _ALIASES, batch.session.tenant_id, [f"{resource.name}.{name}" for name in sent]
    )
    meant = {(row["field"].partition(".")[2], row["alias"]): row["value"] for row in rows}
    for draft in batch.standing if meant else ():
        for name in sent:
            value = draft.changes.get(name)
            if (name, value) in meant:
                draft.changes[name] = meant[name, value]
