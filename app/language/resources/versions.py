"""The stored history of records, as the fold of `timeline.py` wants it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.language.resources.batch import BEGINNING, Batch, Draft, Version
from app.language.resources.custom import flat


async def stored_versions(batch: Batch, drafts: Iterable[Draft]) -> dict[Any, list[Version]]:
    """What is known now of each draft's past, in order. Kept in `batch.facts` for the comparison that follows."""
    history, columns = batch.resource.history, batch.resource.own_columns
    drafts = list(drafts)
    found: dict[Any, list[Version]] = {d.record_id: [] for d in drafts}
    entries: dict[Any, list[tuple[Any, Version]]] = {d.record_id: [] for d in drafts}
    if history is not None:
        rows = await batch.session.connection.fetch(
            f"select entry_id, record_id, valid_from, nullif(valid_to, 'infinity') as valid_to, inferred, "
            f"{', '.join(columns)} from {history.name} where tenant_id = $1 and record_id = any($2) "
            "and superseded_at = 'infinity' order by record_id, valid_from",
            batch.session.tenant_id,
            [d.record_id for d in drafts],
        )
        for row in rows:
            # The driver reads `-infinity` as the first moment there is, and without a zone.
            begins = row["valid_from"] if row["valid_from"].tzinfo else BEGINNING
            values = flat({name: row[name] for name in columns})
            version = Version(begins, row["valid_to"], values, row["inferred"])
            found[row["record_id"]].append(version)
            entries[row["record_id"]].append((row["entry_id"], version))
    batch.facts.setdefault("stored_entries", {}).update(entries)
    return found
