"""Every operation of the REST face, in the order of the contract."""

from __future__ import annotations

from app.faces.rest import nouns, service
from app.faces.rest.operation import Operation
from app.language.resources.resource import Catalogue


def operations(catalogue: Catalogue) -> list[Operation]:
    return [*service.operations(catalogue), *nouns.operations(catalogue)]
