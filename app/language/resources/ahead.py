"""What the rows of a large upsert name, looked up while they are still being checked: PostgreSQL and Python each have a
processor.

Rows are read as they came, so of what they name only what is certainly sound text is looked up here; the rest, and what
stands in lists and history, is looked up with the batch. A name too many does no harm: what is found of a row that is
refused is not used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from app.ground.access.principal import Principal
from app.ground.database.session import Session
from app.language.resources.references import Lookups
from app.language.resources.resource import Catalogue, Resource

_LONGEST = 320


class Ahead:
    def __init__(
        self,
        session: Session,
        principal: Principal,
        catalogue: Catalogue,
        resource: Resource,
        source: str,
        rows: Sequence[Any],
    ) -> None:
        self._lookups = Lookups(session, principal)
        told = [row for row in rows if isinstance(row, dict)]
        self.keys = {(source, word) for word in _words(told, "external_id")}
        self._names = self._lookups.names(resource.plural, self.keys)
        self.words: dict[str, set[str]] = {}
        for field in resource.writable:
            if field.kind == "reference" and field.target and (words := _words(told, field.name)):
                self.words.setdefault(field.target, set()).update(words)
        holding = not session.alone
        self._living = {
            target: self._lookups.living(catalogue[target], words, holding=holding)
            for target, words in self.words.items()
        }

    async def run(self) -> None:
        await self._lookups.run()

    def names(self) -> dict[tuple[str, str], UUID]:
        return self._names.ids()

    def living(self, target: str) -> dict[Any, UUID]:
        return self._living[target].ids() if target in self._living else {}


def _words(rows: Sequence[Mapping[str, Any]], name: str) -> set[str]:
    found = {word for row in rows if isinstance(word := row.get(name), str)}
    return {word for word in found if 0 < len(word) <= _LONGEST and word.isascii() and "\x00" not in word}
