"""What may be declared: a noun that there is, a name that can stand in a path, and never the same name twice."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from app.ground.errors import did_you_mean
from app.language.resources.batch import Batch, Draft
from app.language.resources.fields import CUSTOM

MOST = 100
"""Of one noun. Every statement that shows its records is given all of their names."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_WORDS_OF_FILTERS = frozenset({"and", "or", "not"})


async def check(batch: Batch) -> None:
    nouns = [x.plural for x in batch.catalogue if CUSTOM in x.by_name]
    for draft in batch.standing:
        name, noun = draft.after["name"], draft.after["noun"]
        if draft.before is not None:
            # A value says what it is only by the kind under its name: neither may ever be another.
            for fixed in ("noun", "name", "kind"):
                if draft.after[fixed] != draft.before[fixed]:
                    message = (
                        "What a field is called and holds stays as it was declared; declare another one."
                    )
                    draft.refuse(fixed, "fixed", message)
            continue
        if noun not in nouns:
            hint = did_you_mean(noun, nouns)
            draft.refuse("noun", "not_in_list", f'No fields can be added to "{noun[:80]}".{hint}')
        if not _NAME.fullmatch(name) or name in _WORDS_OF_FILTERS:
            message = "A name is 1 to 40 characters of a-z, 0-9 and _, begins with a letter, and is not and, or, not."
            draft.refuse("name", "invalid_value", message)
    await _refuse_more(batch)


async def _refuse_more(batch: Batch) -> None:
    """A name that was retired is restored, not declared anew; and there is an end to their number."""
    new = [d for d in batch.standing if d.is_new]
    if not new:
        return
    rows = await batch.session.connection.fetch(
        "select noun, name, id, deleted_at is not null as retired from custom_fields"
        " where tenant_id = $1 and noun = any($2)",
        batch.session.tenant_id,
        sorted({d.after["noun"] for d in new}),
    )
    stored = {(row["noun"], row["name"]): row for row in rows}
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["noun"]] = counts.get(row["noun"], 0) + 1
    for draft in new:
        _judge(draft, stored, counts)


def _judge(draft: Draft, stored: Mapping[tuple[str, str], Any], counts: dict[str, int]) -> None:
    noun, name = draft.after["noun"], draft.after["name"]
    row = stored.get((noun, name))
    if row is not None and row["retired"]:
        message = f"A field of this name is retired: POST /v1/custom_fields/{row['id']}:restore"
        draft.refuse("name", "retired", message)
    counts[noun] = counts.get(noun, 0) + 1
    if counts[noun] > MOST:
        draft.refuse("noun", "too_many", f"A noun takes at most {MOST} fields, the retired ones among them.")
