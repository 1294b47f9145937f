"""Which nouns a file can hold."""

from __future__ import annotations

from app.ground.errors import Invalid, did_you_mean
from app.language.resources.resource import Catalogue, Resource


def noun_of(catalogue: Catalogue, name: str, operation: str) -> Resource:
    """The noun of this plural, where it can be listed or upserted."""
    able = [noun.plural for noun in catalogue if operation in noun.operations]
    if name not in able:
        hint = did_you_mean(name, able)
        raise Invalid.field("/noun", "unknown", f'"{name[:80]}" is no noun that takes part in this.{hint}')
    return catalogue[name]
